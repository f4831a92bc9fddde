//! Every call: how its arguments lie in the registers, there and back, and which values are
//! refused.

use hypercall_abi::calls::{
    abi_query::Query,
    console_write::Stream,
    grant_share::Access,
    pt_switch::RootChange,
    pte_update::{Target, TargetBits, Update},
    share_advise::Advice,
    shutdown::ShutdownReason,
    spare_put::SpareName,
    tlb_flush::FlushScope,
    *,
};
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Hypercall, Mfn, Number, Pfn, Port, VirtAddr,
    addr::Level, extent::Order,
};
use proptest::prelude::*;

/// Checks a call's registers, and that they decode to the call again.
fn registers<C: Call + PartialEq + std::fmt::Debug>(call: C, number: u64, args: Args) {
    assert_eq!(C::NUMBER as u64, number, "{call:?}");
    assert_eq!(call.encode(), args, "{call:?}");
    assert_eq!(C::decode(&args).as_ref(), Ok(&call));
    assert!(Hypercall::decode(number, &args).is_ok());
}

#[test]
fn each_call_has_its_registers() {
    let (mfn, port, domain) = (Mfn(0x1_2345), Port(77), DomainId(9));
    registers(AbiQuery { query: Query::CallCount }, 0, [3, 0, 0, 0, 0, 0]);
    registers(PtCreate { frame: mfn, level: Level::L4 }, 1, [0x1_2345, 4, 0, 0, 0, 0]);
    registers(PtPin { frame: mfn, level: Level::L1 }, 2, [0x1_2345, 1, 0, 0, 0, 0]);
    registers(PtUnpin { frame: mfn }, 3, [0x1_2345, 0, 0, 0, 0, 0]);
    let keep = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Clear };
    registers(keep, 4, [u64::MAX, u64::MAX - 1, 0, 0, 0, 0]);
    let set = PtSwitch { kernel_root: RootChange::Set(mfn), user_root: RootChange::Keep };
    registers(set, 4, [0x1_2345, u64::MAX, 0, 0, 0, 0]);
    let update = Update { target: TargetBits(0x7005), value: 0x8000 };
    registers(PteUpdate::One(update), 5, [0, 0x7005, 0x8000, 0, 0, 0]);
    registers(PteUpdate::Many(256), 5, [256, 0, 0, 0, 0, 0]);
    registers(TlbFlush { scope: FlushScope::All }, 6, [0; 6]);
    let page = TlbFlush { scope: FlushScope::Page(VirtAddr(0x7123)) };
    registers(page, 6, [1, 0x7123, 0, 0, 0, 0]);
    registers(BalloonInflate::frames(512), 7, [512, 0, 0, 0, 0, 0]);
    registers(BalloonDeflate::frames(1), 8, [1, 0, 0, 0, 0, 0]);
    registers(BalloonInflate::extents(2), 7, [2, 9, 0, 0, 0, 0]);
    registers(BalloonDeflate::extents(512), 8, [512, 9, 0, 0, 0, 0]);
    let share = GrantShare { domain, frame: mfn, access: Access::ReadWrite };
    registers(share, 9, [9, 0x1_2345, 1, 0, 0, 0]);
    registers(GrantRevoke { grant: GrantRef(5) }, 10, [5, 0, 0, 0, 0, 0]);
    let map = GrantMap { domain, grant: GrantRef(5), access: Access::Read };
    registers(map, 11, [9, 5, 0, 0, 0, 0]);
    let unmap = GrantUnmap { handle: GrantHandle(GrantHandle::MASK) };
    registers(unmap, 12, [0xff_ffff, 0, 0, 0, 0, 0]);
    registers(EventAlloc { domain: DomainId::SELF }, 13, [0x7ff0, 0, 0, 0, 0, 0]);
    registers(EventBind { domain, port }, 14, [9, 77, 0, 0, 0, 0]);
    registers(EventSend { port }, 15, [77, 0, 0, 0, 0, 0]);
    registers(EventMask { port, masked: true }, 16, [77, 1, 0, 0, 0, 0]);
    registers(EventClose { port }, 17, [77, 0, 0, 0, 0, 0]);
    let entry = TrapRegister { entry: VirtAddr(0x1000), stack: VirtAddr(0x2000) };
    registers(entry, 18, [0x1000, 0x2000, 0, 0, 0, 0]);
    registers(TrapReturn { count: 256 }, 19, [256, 0, 0, 0, 0, 0]);
    registers(SchedYield, 20, [0; 6]);
    registers(SchedBlock, 21, [0; 6]);
    registers(TimerSet { deadline: u64::MAX }, 22, [u64::MAX, 0, 0, 0, 0, 0]);
    registers(Shutdown { reason: ShutdownReason::Crash }, 23, [1, 0, 0, 0, 0, 0]);
    let write = ConsoleWrite { stream: Stream::Report, length: 512 };
    registers(write, 24, [2, 512, 0, 0, 0, 0]);
    registers(ConsoleRead { capacity: 4096 }, 25, [4096, 0, 0, 0, 0, 0]);
    registers(DomainQuery { domain }, 26, [9, 0, 0, 0, 0, 0]);
    registers(Batch { count: 64 }, 27, [64, 0, 0, 0, 0, 0]);
    registers(BalloonReport::Statistics, 28, [0; 6]);
    let free = BalloonReport::Free { count: 512, order: Order::Extent };
    registers(free, 28, [1, 512, 9, 0, 0, 0]);
    registers(P2mRegister { count: 64 }, 29, [64, 0, 0, 0, 0, 0]);
    let advise = ShareAdvise { first: Pfn(5), count: 64, advice: Advice::Share, content: 9 };
    registers(advise, 30, [5, 64, 1, 9, 0, 0]);
    registers(ShareBreak { first: Pfn(5), count: 512 }, 31, [5, 512, 0, 0, 0, 0]);
    let name = SpareName { object: u64::MAX, index: 7 };
    registers(SparePut { frame: mfn, name }, 32, [0x1_2345, u64::MAX, 7, 0, 0, 0]);
    registers(SpareGet { frame: mfn, name }, 33, [0x1_2345, u64::MAX, 7, 0, 0, 0]);
    registers(SpareDrop { name }, 34, [u64::MAX, 7, 0, 0, 0, 0]);
}

#[test]
fn values_outside_their_range_are_refused() {
    use Number as N;
    let max = u64::MAX;
    let wide = 1 << 32;
    // Call, argument, value, error; the other arguments are 1, which every call takes
    // but those of the balloon, whose orders are 0 and 9.
    let cases = [
        (N::AbiQuery, 0, 4, Error::BadArgument),
        (N::PtCreate, 1, 0, Error::BadLevel),
        (N::PtCreate, 1, 5, Error::BadLevel),
        (N::PtPin, 1, 0, Error::BadLevel),
        (N::PtPin, 1, 257, Error::BadLevel),
        (N::PteUpdate, 0, 257, Error::BadArgument),
        (N::PteUpdate, 0, max, Error::BadArgument),
        (N::TlbFlush, 0, 2, Error::BadArgument),
        (N::BalloonInflate, 0, 0, Error::BadArgument),
        (N::BalloonInflate, 0, 513, Error::BadArgument),
        (N::BalloonDeflate, 0, 0, Error::BadArgument),
        (N::BalloonDeflate, 0, 513, Error::BadArgument),
        (N::BalloonInflate, 1, 1, Error::BadArgument),
        (N::BalloonInflate, 1, 18, Error::BadArgument),
        (N::BalloonDeflate, 1, 8, Error::BadArgument),
        (N::BalloonDeflate, 1, max, Error::BadArgument),
        (N::BalloonReport, 2, 10, Error::BadArgument),
        (N::BalloonReport, 0, 2, Error::BadArgument),
        (N::BalloonReport, 1, 0, Error::BadArgument),
        (N::BalloonReport, 1, 513, Error::BadArgument),
        (N::GrantShare, 0, 1 << 16, Error::BadArgument),
        (N::GrantShare, 2, 2, Error::BadArgument),
        (N::GrantRevoke, 0, wide, Error::BadArgument),
        (N::GrantMap, 0, 1 << 16, Error::BadArgument),
        (N::GrantMap, 1, wide, Error::BadArgument),
        (N::GrantMap, 2, 2, Error::BadArgument),
        (N::GrantUnmap, 0, 1 << 24, Error::BadArgument),
        (N::GrantUnmap, 0, wide, Error::BadArgument),
        (N::EventAlloc, 0, 1 << 16, Error::BadArgument),
        (N::EventBind, 0, 1 << 16, Error::BadArgument),
        (N::EventBind, 1, wide, Error::BadArgument),
        (N::EventSend, 0, wide, Error::BadArgument),
        (N::EventMask, 0, wide, Error::BadArgument),
        (N::EventMask, 1, 2, Error::BadArgument),
        (N::EventClose, 0, wide, Error::BadArgument),
        (N::TrapReturn, 0, 257, Error::BadArgument),
        (N::Shutdown, 0, 2, Error::BadArgument),
        (N::ConsoleWrite, 0, 3, Error::BadArgument),
        (N::ConsoleWrite, 1, 0, Error::BadArgument),
        (N::ConsoleWrite, 1, 1025, Error::BadArgument),
        (N::ConsoleRead, 0, 0, Error::BadArgument),
        (N::ConsoleRead, 0, 4097, Error::BadArgument),
        (N::DomainQuery, 0, 1 << 16, Error::BadArgument),
        (N::Batch, 0, 0, Error::BadArgument),
        (N::Batch, 0, 65, Error::BadArgument),
    ];
    for (number, argument, value, error) in cases {
        let mut args = [1; 6];
        match number {
            N::BalloonInflate | N::BalloonDeflate => args[1] = 0,
            N::BalloonReport => args[2] = 9,
            _ => {}
        }
        assert!(Hypercall::decode(number as u64, &args).is_ok(), "{number:?}");
        args[argument] = value;
        let decoded = Hypercall::decode(number as u64, &args);
        assert_eq!(decoded, Err(error), "{number:?}: argument {argument} is {value:#x}");
    }
}

/// The registers that make a decoded call.
fn encode(call: &Hypercall) -> (u64, Args) {
    fn one<C: Call>(call: &C) -> (u64, Args) {
        (C::NUMBER as u64, call.encode())
    }
    match call {
        Hypercall::AbiQuery(call) => one(call),
        Hypercall::PtCreate(call) => one(call),
        Hypercall::PtPin(call) => one(call),
        Hypercall::PtUnpin(call) => one(call),
        Hypercall::PtSwitch(call) => one(call),
        Hypercall::PteUpdate(call) => one(call),
        Hypercall::TlbFlush(call) => one(call),
        Hypercall::BalloonInflate(call) => one(call),
        Hypercall::BalloonDeflate(call) => one(call),
        Hypercall::BalloonReport(call) => one(call),
        Hypercall::GrantShare(call) => one(call),
        Hypercall::GrantRevoke(call) => one(call),
        Hypercall::GrantMap(call) => one(call),
        Hypercall::GrantUnmap(call) => one(call),
        Hypercall::EventAlloc(call) => one(call),
        Hypercall::EventBind(call) => one(call),
        Hypercall::EventSend(call) => one(call),
        Hypercall::EventMask(call) => one(call),
        Hypercall::EventClose(call) => one(call),
        Hypercall::TrapRegister(call) => one(call),
        Hypercall::TrapReturn(call) => one(call),
        Hypercall::SchedYield(call) => one(call),
        Hypercall::SchedBlock(call) => one(call),
        Hypercall::TimerSet(call) => one(call),
        Hypercall::Shutdown(call) => one(call),
        Hypercall::ConsoleWrite(call) => one(call),
        Hypercall::ConsoleRead(call) => one(call),
        Hypercall::DomainQuery(call) => one(call),
        Hypercall::Batch(call) => one(call),
        Hypercall::P2mRegister(call) => one(call),
        Hypercall::ShareAdvise(call) => one(call),
        Hypercall::ShareBreak(call) => one(call),
        Hypercall::SparePut(call) => one(call),
        Hypercall::SpareGet(call) => one(call),
        Hypercall::SpareDrop(call) => one(call),
    }
}

/// Values at the edges of ranges as often as any others.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..=5u64,
        Just(64u64),
        Just(256u64),
        Just(512u64),
        Just(1024u64),
        (0..64u32).prop_map(|bit| 1u64 << bit),
        (0..64u32).prop_map(|bit| u64::MAX >> bit),
        any::<u64>(),
    ]
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same_call(
        number in 0..Number::COUNT as u64,
        args in prop::array::uniform6(argument()),
    ) {
        if let Ok(call) = Hypercall::decode(number, &args) {
            let (again, encoded) = encode(&call);
            prop_assert_eq!(again, number);
            prop_assert_eq!(Hypercall::decode(number, &encoded), Ok(call));
            // What counts in the registers is kept as it was; the rest is 0.
            for (encoded, arg) in encoded.into_iter().zip(args) {
                prop_assert!(encoded == arg || encoded == 0);
            }
        }
    }

    #[test]
    fn unknown_numbers_are_refused(
        number in Number::COUNT as u64..,
        args in prop::array::uniform6(argument()),
    ) {
        prop_assert_eq!(Hypercall::decode(number, &args), Err(Error::UnknownCall));
    }

    #[test]
    fn targets_round_trip(bits in any::<u64>()) {
        if let Ok(target) = TargetBits(bits).decode() {
            prop_assert_eq!(target.encode(), TargetBits(bits));
            if let Target::Entry { index, .. } = target {
                prop_assert!(index < 512);
            }
        }
    }

    #[test]
    fn roots_round_trip(value in argument()) {
        prop_assert_eq!(RootChange::from_value(value).to_value(), value);
    }
}
