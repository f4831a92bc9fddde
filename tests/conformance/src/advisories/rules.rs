//! Rules of the design that leave no place for attacks: what is not there, really is not.

use super::at;
use crate::{Check, OWN, Permit, Stop, Test, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    Error, Mfn, Number,
    addr::Level,
    calls::{BalloonDeflate, BalloonInflate, Call, PtCreate, PtUnpin, TrapRegister},
};

tests! { "rules":
    closed_list: "RULE.1 RULE.3 RULE.12 RULE.14",
    addresses_reach_no_memory: "CALL.1 RULE.2",
    frames_are_counted_one_by_one: "BALLOON_DEFLATE.6 RULE.7",
    device_memory: "PTE.2 RULE.15 XSA-32 XSA-378 XSA-430",
}

/// Every call there is. Who adds one looks at the advisories that rely on its not being there.
const CALLS: [&str; 35] = [
    "abi_query",
    "pt_create",
    "pt_pin",
    "pt_unpin",
    "pt_switch",
    "pte_update",
    "tlb_flush",
    "balloon_inflate",
    "balloon_deflate",
    "grant_share",
    "grant_revoke",
    "grant_map",
    "grant_unmap",
    "event_alloc",
    "event_bind",
    "event_send",
    "event_mask",
    "event_close",
    "trap_register",
    "trap_return",
    "sched_yield",
    "sched_block",
    "timer_set",
    "shutdown",
    "console_write",
    "console_read",
    "domain_query",
    "batch",
    "balloon_report",
    "p2m_register",
    "share_advise",
    "share_break",
    "spare_put",
    "spare_get",
    "spare_drop",
];

fn closed_list(t: &mut Test<'_>) -> Check {
    equal(Number::COUNT, CALLS.len(), "calls of the interface")?;
    for (number, name) in Number::ALL.into_iter().zip(CALLS) {
        equal(number.name(), name, "a call")?;
    }
    for number in (CALLS.len() as u64..300).chain([1 << 16, 1 << 31, 1 << 62]) {
        t.refused_raw(OWN, number, [0; 6], Error::UnknownCall, 0)?;
    }
    Ok(())
}

/// Calls that do what they are told with any argument.
const ANY_ARGUMENT: [Number; 4] =
    [Number::SchedYield, Number::SchedBlock, Number::TimerSet, Number::Shutdown];

/// Calls of which a small first argument is enough.
const TAKES_SMALL_NUMBERS: [Number; 2] = [Number::BalloonDeflate, Number::EventAlloc];

fn addresses_reach_no_memory(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, 0x5eed);
    }
    let (entry, stack) = t.caller().trap_entry(OWN);
    let here = t.physmap(OWN, page.pfn).0;
    let end = t.guest_end().0;
    // An address of the guest's, odd ones, the first and the last of the hypervisor's.
    for address in [here, here + 4, here + 4092, end - 4, end, 0xffff_ffff_8010_0000, u64::MAX - 7]
    {
        for number in Number::ALL.into_iter().filter(|number| !ANY_ARGUMENT.contains(number)) {
            t.raw(OWN, number as u64, [address; 6]);
            if TAKES_SMALL_NUMBERS.contains(&number) {
                continue;
            }
            for first in [0, 1] {
                t.set_argument(OWN, 0, first);
                let mut args = [address; 6];
                args[0] = first;
                t.raw(OWN, number as u64, args);
            }
        }
        t.ok(OWN, &TrapRegister { entry, stack })?;
        for word in 0..512 {
            equal(t.read(OWN, page, word), 0x5eed, "a word that no call was given by frame")?;
        }
    }
    Ok(())
}

fn frames_are_counted_one_by_one(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.set_argument(OWN, 1, page.frame.0 + 1);
    let before = t.counts(OWN)?.frames;
    // No flags, no node, and of orders two: registers beyond the order say nothing.
    for order in [1, 2, 4, 8, 10, 18, 63, u64::MAX] {
        for number in [BalloonInflate::NUMBER, BalloonDeflate::NUMBER] {
            t.refused_raw(OWN, number as u64, [1, order, 0, 0, 0, 0], Error::BadArgument, 0)?;
        }
    }
    t.set_argument(OWN, 0, page.frame.0);
    let args = [1, 0, u64::MAX, 1 << 32, 2, 3];
    let (status, taken) = t.raw(OWN, BalloonInflate::NUMBER as u64, args);
    equal((status.0, taken), (0, 1), "status and frames taken")?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    equal(t.counts(OWN)?.frames, before - 1, "frames")?;
    let (status, given) = t.raw(OWN, BalloonDeflate::NUMBER as u64, args);
    let frame = Mfn(t.argument(OWN, 0));
    t.set_p2m(OWN, page.pfn, frame);
    equal((status.0, given), (0, 1), "status and frames given")?;
    equal(t.counts(OWN)?.frames, before, "frames")
}

/// Machine addresses of devices: interrupt controllers, timers, serial ports, video memory,
/// PCI's windows; and firmware's own memory.
const X86_64_DEVICES: [u64; 9] = [
    0xa_0000,
    0xb_8000,
    0xc_0000,
    0xf_0000,
    0xb000_0000,
    0xfec0_0000,
    0xfed0_0000,
    0xfee0_0000,
    0xffff_f000,
];
const RISCV64_DEVICES: [u64; 9] = [
    0x1000,
    0x10_0000,
    0x10_1000,
    0x200_0000,
    0xc00_0000,
    0x1000_0000,
    0x1000_1000,
    0x3000_0000,
    0x8000_0000,
];

fn device_memory(t: &mut Test<'_>) -> Check {
    let map = t.table(OWN, Level::L1)?;
    let entries = t.entries();
    let devices = if entries.is_x86() { X86_64_DEVICES } else { RISCV64_DEVICES };
    for address in devices {
        let frame = Mfn::containing(address);
        for permit in [Permit::Read, Permit::Write, Permit::Execute] {
            let (status, _) = t.call(OWN, &at(map.frame, 0, entries.leaf(frame, permit)));
            refused(status.decode(), address)?;
        }
        refused(t.call(OWN, &PtUnpin { frame }).0.decode(), address)?;
        refused(t.call(OWN, &PtCreate { frame, level: Level::L1 }).0.decode(), address)?;
        t.set_argument(OWN, 0, frame.0);
        refused(t.call(OWN, &BalloonInflate::frames(1)).0.decode(), address)?;
    }
    Ok(())
}

/// A device is no memory; what firmware keeps is not the guest's.
fn refused(result: Option<Result<(), Error>>, address: u64) -> Check {
    if matches!(result, Some(Err(Error::BadFrame | Error::NotOwner))) {
        return Ok(());
    }
    Err(Stop::Failure(crate::Message::new(format_args!("{address:#x}: {result:?}"))))
}
