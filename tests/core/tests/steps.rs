//! Invariants that no state can show, because they are about steps: what a refused call leaves,
//! what a batch comes to, how far one step goes. (Of traps: `traps.rs`.)

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::tlb_flush::FlushScope;
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, GrantHandle, GrantRef, Mfn, Port, Status, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::frame::{Frame, Hold, Type};
use pv_core::{Machine, Next, X86_64, model};
use zerocopy::IntoBytes;

const RW: Permissions = Permissions { write: true, execute: false };
const RO: Permissions = Permissions { write: false, execute: false };
const MEMORY: std::ops::Range<u64> = 0x100..0x500;

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    pv_core::format::X86_64::leaf(frame, permissions)
}

fn table(frame: Mfn) -> u64 {
    pv_core::format::X86_64::table(frame)
}

fn page(world: &World<X86_64>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: true }
}

/// Two domains: the first has page 80 unmapped, 81 read-only, 82 as an empty level-1 table, 83 as
/// a level-1 table that nobody has validated and that maps a page table writable, 84 as a pinned
/// level-2 table; it has a grant of the peer's mapped, gives two grants and has two ports.
fn world() -> World<X86_64> {
    let mut world = World::<X86_64>::new(2, 128);
    let w = &mut world;
    for pfn in [81, 82, 83, 84] {
        w.update(0, page(w, pfn), leaf(w.p2m(0, pfn), RO)).unwrap();
    }
    w.update(0, page(w, 80), 0).unwrap();
    w.call(0, &PtCreate { frame: w.p2m(0, 82), level: Level::L1 }).unwrap();
    w.call(0, &PtCreate { frame: w.p2m(0, 84), level: Level::L2 }).unwrap();
    let (bad, own) = (w.p2m(0, 83), w.p2m(0, 81));
    for word in 0..512 {
        w.machine.write(bad, word, leaf(own, RO));
    }
    w.machine.write(bad, 300, leaf(w.p2m(0, 82), RW));
    let theirs = w.p2m(1, 80);
    let share = GrantShare { domain: DomainId(1), frame: theirs, access: Access::Read };
    let grant = GrantRef(w.call(1, &share).unwrap() as u32);
    w.call(0, &GrantMap { domain: DomainId(2), grant, access: Access::Read }).unwrap();
    for pfn in [90, 91] {
        let share =
            GrantShare { domain: DomainId(2), frame: w.p2m(0, pfn), access: Access::ReadWrite };
        w.call(0, &share).unwrap();
    }
    let map = GrantMap { domain: DomainId(1), grant: GrantRef(0), access: Access::Read };
    w.call(1, &map).unwrap();
    let port = Port(w.call(0, &EventAlloc { domain: DomainId(2) }).unwrap() as u32);
    w.call(1, &EventBind { domain: DomainId(1), port }).unwrap();
    w.call(0, &EventAlloc { domain: DomainId(2) }).unwrap();
    world
}

/// A frame but for what a refused call may leave: when its references last went, and that it was
/// looked at as a page table.
fn lasting(frame: &Frame) -> Option<(u32, u32, DomainId, Type, Hold)> {
    let Frame::Owned(owned) = frame else { return None };
    let kind = if owned.kind == Type::WasTable { Type::None } else { owned.kind };
    Some((owned.references, owned.type_count, owned.owner, kind, owned.hold))
}

/// What two worlds differ in, but for the counts of calls, clocks, and the argument frames.
fn assert_same(left: &World<X86_64>, right: &World<X86_64>, what: &str) {
    let frames = |world: &World<X86_64>| -> Vec<_> {
        world.state.frames.iter().map(|(_, frame)| lasting(frame)).collect()
    };
    assert_eq!(frames(left), frames(right), "{what}: frames");
    for ((slot, domain), (_, other)) in left.state.domains().zip(right.state.domains()) {
        assert_eq!(domain.life, other.life, "{what}");
        let counts = |domain: &pv_core::domain::Domain| {
            (domain.frames, domain.tables, domain.pinned, domain.balloon)
        };
        assert_eq!(counts(domain), counts(other), "{what}: counts of {slot:?}");
        assert_eq!(domain.grants, other.grants, "{what}: grants of {slot:?}");
        assert_eq!(domain.handles, other.handles, "{what}: handles of {slot:?}");
        assert_eq!(domain.ports, other.ports, "{what}: ports of {slot:?}");
        let (vcpu, other) = (left.state.vcpu(slot), right.state.vcpu(slot));
        assert_eq!((vcpu.state, vcpu.mode), (other.state, other.mode), "{what}");
        assert_eq!((vcpu.kernel_root, vcpu.user_root), (other.kernel_root, other.user_root));
        assert_eq!((vcpu.traps, vcpu.deadline), (other.traps, other.deadline), "{what}");
    }
    let arguments: Vec<Mfn> = left.state.vcpus().map(|(_, vcpu)| vcpu.arguments).collect();
    for frame in MEMORY.map(Mfn).filter(|frame| !arguments.contains(frame)) {
        let (mut a, mut b) = ([0; 512], [0; 512]);
        left.machine.read_block(frame, 0, &mut a);
        right.machine.read_block(frame, 0, &mut b);
        assert_eq!(a, b, "{what}: words of {frame:?}");
    }
}

/// I42: a call that is refused, with nothing of it done, has changed nothing.
#[test]
fn a_refused_call_changes_nothing() {
    let base = world();
    let [unmapped, read_only, empty, bad, level2] =
        [80, 81, 82, 83, 84].map(|pfn| base.p2m(0, pfn));
    let theirs = base.p2m(1, 100);
    let writable = base.p2m(0, 90);
    let domain = DomainId(2);
    let one = |target, value| PteUpdate::One(Update::new(target, value));
    let entry = Target::Entry { table: empty, index: 7 };
    let above = Target::Entry { table: level2, index: 7 };
    let roots = |root| PtSwitch { kernel_root: RootChange::Set(root), user_root: RootChange::Keep };
    let mut refused = 0;
    let mut refuse = |name: &str, number: u64, args: Args| {
        for budget in [1, 2048] {
            let mut world = base.clone();
            world.state.set_budget(budget);
            let (status, done) = world.raw(0, number, args);
            assert!(matches!(status.decode(), Some(Err(_))), "{name} {args:x?}: {status:?}");
            assert_eq!(done, 0, "{name}");
            assert_same(&world, &base, &format!("{name} {args:x?}"));
        }
        refused += 1;
    };
    macro_rules! refuse {
        ($($call:expr),* $(,)?) => {$({
            let call = $call;
            refuse(stringify!($call), number(&call), call.encode());
        })*};
    }
    fn number<C: Call>(_: &C) -> u64 {
        C::NUMBER as u64
    }
    refuse! {
        PtCreate { frame: writable, level: Level::L1 },
        PtCreate { frame: theirs, level: Level::L1 },
        PtCreate { frame: empty, level: Level::L2 },
        PtPin { frame: bad, level: Level::L1 },
        PtPin { frame: bad, level: Level::L3 },
        PtPin { frame: empty, level: Level::L1 },
        PtUnpin { frame: read_only },
        roots(empty),
        roots(unmapped),
        one(entry, leaf(theirs, RO)),
        one(entry, leaf(empty, RW)),
        one(entry, leaf(read_only, RO) | 1 << 8),
        one(entry, 0x5000),
        one(above, table(bad)),
        one(above, table(level2)),
        one(above, leaf(read_only, RO) | 1 << 7),
        one(Target::Entry { table: read_only, index: 0 }, 0),
        TlbFlush { scope: FlushScope::Page(VirtAddr(1 << 47)) },
        GrantShare { domain, frame: empty, access: Access::ReadWrite },
        GrantShare { domain, frame: theirs, access: Access::Read },
        GrantShare { domain: DomainId(9), frame: writable, access: Access::Read },
        GrantRevoke { grant: GrantRef(0) },
        GrantRevoke { grant: GrantRef(77) },
        GrantMap { domain, grant: GrantRef(0), access: Access::ReadWrite },
        GrantMap { domain, grant: GrantRef(0), access: Access::Read },
        GrantUnmap { handle: GrantHandle(77) },
        EventAlloc { domain: DomainId(9) },
        EventBind { domain, port: Port(5) },
        EventSend { port: Port(5) },
        EventMask { port: Port(99), masked: true },
        EventClose { port: Port::TIMER },
        TrapRegister { entry: VirtAddr(1 << 47), stack: VirtAddr(0x1000) },
        TrapRegister { entry: VirtAddr(0x1000), stack: VirtAddr(0x1008) },
        TrapReturn { count: 0 },
        BalloonInflate::frames(1),
        BalloonInflate::frames(513),
        BalloonDeflate::frames(513),
        DomainQuery { domain },
        Batch { count: 65 },
    }
    assert_eq!(refused, 39);
}

/// I24: nothing is remembered from one entry of a batch to the next.
#[test]
fn a_batch_equals_its_calls_one_by_one() {
    let base = world();
    let [unmapped, read_only, empty] = [80, 81, 82].map(|pfn| base.p2m(0, pfn));
    let entry = |index| Target::Entry { table: empty, index };
    let one = |target, value| PteUpdate::One(Update::new(target, value));
    macro_rules! calls {
        ($($call:expr),* $(,)?) => {[$({
            let call = $call;
            BatchEntry::new(&call)
        }),*]};
    }
    let calls = calls! {
        one(entry(0), leaf(read_only, RO)),
        one(entry(1), leaf(read_only, RO)),
        one(entry(0), leaf(unmapped, RW)),
        PtCreate { frame: unmapped, level: Level::L2 },
        one(entry(0), 0),
        PtCreate { frame: unmapped, level: Level::L2 },
        GrantShare { domain: DomainId(2), frame: read_only, access: Access::Read },
        GrantRevoke { grant: GrantRef(1) },
        GrantRevoke { grant: GrantRef(1) },
        GrantShare { domain: DomainId(2), frame: read_only, access: Access::Read },
        GrantUnmap { handle: GrantHandle(0) },
        GrantUnmap { handle: GrantHandle(0) },
        GrantMap { domain: DomainId(2), grant: GrantRef(0), access: Access::Read },
        EventAlloc { domain: DomainId(2) },
        EventClose { port: Port(5) },
        EventAlloc { domain: DomainId::SELF },
        EventBind { domain: DomainId::SELF, port: Port(5) },
        EventMask { port: Port(5), masked: true },
        PtUnpin { frame: unmapped },
        PtPin { frame: unmapped, level: Level::L2 },
        PtUnpin { frame: unmapped },
    };
    for budget in [1, 2048] {
        let (mut batch, mut single) = (base.clone(), base.clone());
        batch.state.set_budget(budget);
        single.state.set_budget(budget);
        let arguments = batch.state.vcpu(batch.slots[0]).arguments;
        for (index, call) in calls.iter().enumerate() {
            batch.machine.copy_in(arguments, index * 64, call.as_bytes());
        }
        assert_eq!(batch.call(0, &Batch { count: calls.len() as u64 }), Ok(calls.len() as u64));
        for (index, call) in calls.iter().enumerate() {
            let alone = single.raw(0, call.number_or_status, call.args);
            let status = Status(batch.machine.read(arguments, index * 8));
            let value = batch.machine.read(arguments, index * 8 + 1);
            assert_eq!((status, value), alone, "entry {index}");
        }
        assert_same(&batch, &single, "a batch");
    }
}

/// I43: with the smallest budget every step of a call does something, and their number is
/// bounded by what is asked for.
#[test]
fn every_step_makes_progress_and_there_are_few_enough() {
    let mut world = world();
    world.state.set_budget(1);
    let bad = world.p2m(0, 83);
    let arguments = world.state.vcpu(world.slots[0]).arguments;
    let pin = PtPin { frame: bad, level: Level::L1 };
    // Each of its entries is looked at twice, once on the way and once on the way back.
    for (number, args, most) in [
        (PtPin::NUMBER, pin.encode(), 2 * 512),
        (BalloonDeflate::NUMBER, BalloonDeflate::frames(9).encode(), 9),
    ] {
        let mut steps = 0;
        world.begin(0, number as u64, args);
        while world.is_inside(0) {
            let before = (world.state.clone(), world.registers[0]);
            world.step(0);
            assert_ne!(before, (world.state.clone(), world.registers[0]), "{number:?}");
            steps += 1;
        }
        assert!(steps > 1 && steps <= most, "{number:?} took {steps} steps");
    }
    // The frames that came are not mapped, so that they may go again.
    world.begin(0, BalloonInflate::NUMBER as u64, BalloonInflate::frames(9).encode());
    let mut steps = 0;
    while world.is_inside(0) {
        world.step(0);
        steps += 1;
    }
    assert!(steps > 1 && steps <= 9, "balloon_inflate took {steps} steps");
    assert_ne!(world.machine.read(arguments, 0), 0);
    // And a domain's end: it is over after a bounded number of steps, each of which changed
    // something.
    world.switch_to(1);
    world.state.end_domain(&mut world.machine, DomainId(1), pv_core::EndReason::Destroyed);
    let mut steps = 0;
    while world.state.domain_of(DomainId(1)).is_some() {
        let before = world.state.clone();
        assert_eq!(world.state.schedule(&mut world.machine), Next::Run(world.slots[1]));
        if world.state == before {
            break;
        }
        steps += 1;
    }
    assert!(steps < 10_000, "{steps} steps");
    let lingering = world.state.domain_of(DomainId(1)).unwrap();
    assert_eq!(lingering.frames, 1, "the one that the peer has mapped");
}

/// I15: the hypervisor finds the entry of an address by the tables, whatever a processor has
/// cached of them.
#[test]
fn an_update_by_address_follows_the_tables_and_not_the_cache() {
    let mut world = World::<X86_64>::new(1, 128);
    let [first, second, mapped] = [80, 81, 82].map(|pfn| world.p2m(0, pfn));
    for (pfn, frame) in [(80, first), (81, second)] {
        world.update(0, page(&world, pfn), leaf(frame, RO)).unwrap();
        world.call(0, &PtCreate { frame, level: Level::L1 }).unwrap();
    }
    world.update(0, Target::Entry { table: first, index: 0 }, leaf(mapped, RO)).unwrap();
    // 2 MiB beyond the map of memory: the next entry of the level-2 table above it.
    let address = VirtAddr(world.physmap(0).0 + (2 << 20));
    let mut above = world.state.vcpu(world.slots[0]).kernel_root.unwrap();
    for level in [Level::L4, Level::L3] {
        let value = world.machine.read(above, pv_core::format::X86_64::index(address, level));
        above = Mfn(value >> 12 & 0xff_ffff_ffff);
    }
    let index = pv_core::format::X86_64::index(address, Level::L2) as u16;
    let link = Target::Entry { table: above, index };
    world.update(0, link, table(first)).unwrap();
    world.switch_to(0);
    world.machine.access(address, model::Access::Read).unwrap();
    // The processor still has the first table; the update goes into the second.
    world.update(0, link, table(second)).unwrap();
    world.machine.access(address, model::Access::Read).unwrap();
    let target = Target::Page { space: Space::Kernel, address, flush: false };
    world.update(0, target, leaf(mapped, RO)).unwrap();
    assert_eq!(world.machine.read(second, 0), leaf(mapped, RO));
    world.update(0, target, 0).unwrap();
    assert_eq!(world.machine.read(second, 0), 0);
    assert_eq!(world.machine.read(first, 0), leaf(mapped, RO), "the old table is as it was");
    world.finish();
}

/// I29: what a domain is given, or told, has no word that nobody wrote.
#[test]
fn nothing_that_a_domain_is_shown_is_left_over() {
    let mut world = World::<X86_64>::new(2, 128);
    // The model fills memory with words that are never zero: none of them is left in a frame
    // of a new domain, in its trap frames, or in an answer.
    let stale = |world: &World<X86_64>, frame: Mfn| {
        (0..512).any(|word| world.machine.read(frame, word) >> 48 == 0xa5a5)
    };
    let owned = |world: &World<X86_64>| -> Vec<Mfn> {
        let frames = world.state.frames.iter();
        frames.filter(|(_, f)| matches!(f, Frame::Owned(_))).map(|(number, _)| number).collect()
    };
    for frame in owned(&world) {
        assert!(!stale(&world, frame), "{frame:?}");
    }
    world.call(0, &DomainQuery { domain: DomainId::SELF }).unwrap();
    world.call(0, &BalloonDeflate::frames(10)).unwrap();
    let theirs = world.p2m(1, 100);
    let share = GrantShare { domain: DomainId(1), frame: theirs, access: Access::Read };
    let grant = GrantRef(world.call(1, &share).unwrap() as u32);
    let map = GrantMap { domain: DomainId(2), grant, access: Access::Read };
    let _ = MappedGrant::from_value(world.call(0, &map).unwrap());
    for frame in owned(&world) {
        assert!(!stale(&world, frame), "{frame:?}");
    }
    world.finish();
}
