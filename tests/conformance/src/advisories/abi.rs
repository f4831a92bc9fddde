//! Attacks by arguments: halves of registers, extremes, work that is long.

use super::leaf;
use crate::{Check, OWN, PEER, Permit, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Number, Port, Status,
    addr::Level,
    calls::{
        AbiQuery, Args, BalloonDeflate, BalloonInflate, Batch, Call, ConsoleRead, ConsoleWrite,
        DomainQuery, EventAlloc, EventBind, EventClose, EventMask, EventSend, GrantMap,
        GrantRevoke, GrantShare, GrantUnmap, PtCreate, PtPin, PtUnpin, PteUpdate, Shutdown,
        TlbFlush, TrapReturn, abi_query::Query, batch::BatchEntry, console_write::Stream,
        grant_share::Access, shutdown::ShutdownReason, tlb_flush::FlushScope,
    },
};

tests! { "abi":
    upper_halves: "CALL.2 XSA-385 XSA-454",
    extremes: "ERROR.1 CALL.5 XSA-316 XSA-504",
    long_call_in_a_batch: "BATCH.3 PT_PIN.11 XSA-145",
    arguments_that_a_call_has_not: "CALL.3 XSA-111",
}

/// A call that is good, but for what else there is in these of its registers.
fn with<C: Call>(call: &C, bounded: &'static [usize]) -> (Number, Args, &'static [usize]) {
    (C::NUMBER, call.encode(), bounded)
}

fn upper_halves(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let (own, peer) = (t.domain(OWN), t.domain(PEER));
    let frame = page.frame;
    let calls = [
        with(&AbiQuery { query: Query::Version }, &[0]),
        with(&PtCreate { frame, level: Level::L1 }, &[1]),
        with(&PtPin { frame, level: Level::L1 }, &[1]),
        with(&PteUpdate::Many(1), &[0]),
        with(&TlbFlush { scope: FlushScope::All }, &[0]),
        with(&BalloonInflate::frames(1), &[0]),
        with(&BalloonDeflate::frames(1), &[0]),
        with(&GrantShare { domain: peer, frame, access: Access::Read }, &[0, 2]),
        with(&GrantRevoke { grant: GrantRef(0) }, &[0]),
        with(&GrantMap { domain: own, grant: GrantRef(0), access: Access::Read }, &[0, 1, 2]),
        with(&GrantUnmap { handle: GrantHandle(0) }, &[0]),
        with(&EventAlloc { domain: DomainId::SELF }, &[0]),
        with(&EventBind { domain: DomainId::SELF, port: Port(4) }, &[0, 1]),
        with(&EventSend { port: Port(4) }, &[0]),
        with(&EventMask { port: Port::TIMER, masked: false }, &[0, 1]),
        with(&EventClose { port: Port(4) }, &[0]),
        with(&TrapReturn { count: 0 }, &[0]),
        with(&Shutdown { reason: ShutdownReason::PowerOff }, &[0]),
        with(&ConsoleWrite { stream: Stream::Text, length: 1 }, &[0, 1]),
        with(&ConsoleRead { capacity: 1 }, &[0]),
        with(&DomainQuery { domain: DomainId::SELF }, &[0]),
        with(&Batch { count: 1 }, &[0]),
    ];
    for (number, args, bounded) in calls {
        for bit in [32, 33, 48, 63] {
            t.refused_raw(OWN, number as u64 | 1 << bit, args, Error::UnknownCall, 0)?;
            for &index in bounded {
                let mut args = args;
                args[index] |= 1 << bit;
                let (status, value) = t.raw(OWN, number as u64, args);
                let error = status.decode().and_then(Result::err);
                let refused = matches!(error, Some(Error::BadArgument | Error::BadLevel));
                check(refused && value == 0, number.name())?;
            }
        }
    }
    Ok(())
}

/// Calls that any argument suits, or whose effect another test has to undo.
const LEFT_OUT: [Number; 8] = [
    Number::Shutdown,
    Number::SchedBlock,
    Number::TimerSet,
    Number::TrapRegister,
    Number::TrapReturn,
    Number::EventAlloc,
    Number::BalloonDeflate,
    Number::ConsoleWrite,
];

fn extremes(t: &mut Test<'_>) -> Check {
    const VALUES: [u64; 4] = [0, 1, 1 << 32, u64::MAX];
    t.note(OWN, Undo::Unmask(Port::TIMER))?;
    for number in Number::ALL.into_iter().filter(|number| !LEFT_OUT.contains(number)) {
        for combination in 0..VALUES.len().pow(3) {
            let value = |place: u32| VALUES[combination / VALUES.len().pow(place) % VALUES.len()];
            for word in 0..8 {
                t.set_argument(OWN, word, 0);
            }
            let args = [value(0), value(1), value(2), value(0), value(1), value(2)];
            let (status, value) = t.raw(OWN, number as u64, args);
            match status.decode() {
                Some(Ok(())) => {}
                Some(Err(_)) => equal((number.name(), value), (number.name(), 0), "the value")?,
                None => equal((number.name(), status), (number.name(), Status(0)), "the status")?,
            }
        }
    }
    Ok(())
}

fn long_call_in_a_batch(t: &mut Test<'_>) -> Check {
    // So many entries that the call takes several turns.
    let target = t.page(OWN)?;
    let value = leaf(t, target, Permit::Read);
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, value);
    }
    t.protect(OWN, page)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    let query = AbiQuery { query: Query::CallCount };
    let entries = [
        BatchEntry::new(&PtPin { frame: page.frame, level: Level::L1 }),
        BatchEntry::new(&query),
        BatchEntry::new(&PtUnpin { frame: page.frame }),
        BatchEntry::new(&query),
        BatchEntry::new(&PtUnpin { frame: page.frame }),
    ];
    for (index, entry) in entries.iter().enumerate() {
        t.set_argument(OWN, 8 * index, entry.number_or_status);
        for (word, value) in entry.args.into_iter().enumerate() {
            t.set_argument(OWN, 8 * index + 1 + word, value);
        }
    }
    equal(t.ok(OWN, &Batch { count: 5 })?, 5, "entries made")?;
    let count = (Status::SUCCESS, Number::COUNT as u64);
    let done = (Status::SUCCESS, 0);
    let wants = [done, count, done, count, (Status::from(Err(Error::NotTable)), 0)];
    for (index, want) in wants.into_iter().enumerate() {
        let got = (Status(t.argument(OWN, 8 * index)), t.argument(OWN, 8 * index + 1));
        equal(got, want, "status and value of an entry")?;
    }
    Ok(())
}

fn arguments_that_a_call_has_not(t: &mut Test<'_>) -> Check {
    // A long call: its registers are looked at again when it goes on.
    let target = t.page(OWN)?;
    let value = leaf(t, target, Permit::Read);
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, value);
    }
    t.protect(OWN, page)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    let mut args = PtPin { frame: page.frame, level: Level::L1 }.encode();
    args[2..].fill(u64::MAX);
    equal(t.raw(OWN, Number::PtPin as u64, args), (Status::SUCCESS, 0), "pt_pin")?;
    let mut args = PtUnpin { frame: page.frame }.encode();
    args[1..].fill(1 << 63);
    equal(t.raw(OWN, Number::PtUnpin as u64, args), (Status::SUCCESS, 0), "pt_unpin")
}
