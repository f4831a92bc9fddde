//! Every quota of a domain: one domain takes all that it can get of a resource, and is refused
//! with the error that is the resource's; another has as much as before, and then gets as much.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::{BatchEntry, MAX_ENTRIES};
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{MAX_UPDATES, Space, Target, Update};
use hypercall_abi::calls::*;
use hypercall_abi::trap::{Cause, TRAP_FRAMES};
use hypercall_abi::vcpu_page::{EVENTS_MASKED_OFFSET, TRAP_DEPTH_OFFSET};
use hypercall_abi::{DomainId, Error, GrantRef, Mfn, VirtAddr};
use pv_core::domain::{CONSOLE_INPUT_BYTES, Domain, MAX_DOMAINS};
use pv_core::event::MAX_PORTS;
use pv_core::format::{Format, Permissions};
use pv_core::grant::{MAX_GRANTS, MAX_HANDLES};
use pv_core::{BuildError, EndReason, Entry, Machine, Next, Outcome, Trap, X86_64};

const RO: Permissions = Permissions { write: false, execute: false };

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    pv_core::format::X86_64::leaf(frame, permissions)
}

fn page(world: &World<X86_64>, pfn: u64) -> Target {
    Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: true }
}

/// The other domain's index, and its identity.
fn other(domain: usize) -> (usize, DomainId) {
    (1 - domain, DomainId(2 - domain as u16))
}

/// What a domain has.
fn holdings(world: &World<X86_64>, domain: usize) -> Domain {
    let mut domain = world.state.domain(world.slots[domain]).clone();
    // What it has done is no matter here: the other domain's turns count as ticks.
    domain.counters.ticks = 0;
    domain
}

/// Takes all that domain 0 can get by `take`, which does so until it is refused and says how much
/// that was; then the same for domain 1, which has lost nothing and gets as much.
fn each_in_turn(mut world: World<X86_64>, take: impl Fn(&mut World<X86_64>, usize) -> u64) -> u64 {
    let before = holdings(&world, 1);
    let first = take(&mut world, 0);
    assert_eq!(holdings(&world, 1), before, "the other domain has what it had");
    let second = take(&mut world, 1);
    assert_eq!(second, first, "the other domain gets as much");
    world.finish();
    first
}

/// Makes a call until it is refused: how often it was not, and the error.
fn until_refused<C: Call>(
    world: &mut World<X86_64>,
    domain: usize,
    call: impl Fn(u64) -> C,
) -> (u64, Error) {
    for done in 0.. {
        if let Err((error, _)) = world.call(domain, &call(done)) {
            return (done, error);
        }
    }
    unreachable!("a call is refused in the end")
}

#[test]
fn frames() {
    let taken = each_in_turn(World::new(2, 128), |world, domain| {
        let (taken, error) = until_refused(world, domain, |_| BalloonDeflate::frames(1));
        assert_eq!(error, Error::QuotaExceeded);
        taken
    });
    assert_eq!(taken, 16, "up to `max_frames`");
}

/// What nobody owns is not promised to anyone: a domain that wants more when there is none is
/// told so, and keeps what it has.
#[test]
fn frames_of_the_machine() {
    let mut world = World::<X86_64>::with_memory(2, 128, 2 * 128 + 6 + 10);
    let before = holdings(&world, 1);
    let (taken, error) = until_refused(&mut world, 0, |_| BalloonDeflate::frames(1));
    assert_eq!((taken, error), (10, Error::NoMemory));
    assert_eq!(holdings(&world, 1), before);
    let none = world.call(1, &BalloonDeflate::frames(1));
    assert_eq!(none, Err((Error::NoMemory, 0)));
    world.finish();
}

/// Page tables and pins are made of the domain's own frames: it can have as many as it has
/// frames that nothing maps writable, and each can be pinned once.
#[test]
fn page_tables_and_pins() {
    let made = each_in_turn(World::new(2, 128), |world, domain| {
        let mut made = 0;
        for pfn in 30..128 {
            let frame = world.p2m(domain, pfn);
            let read_only = leaf(frame, RO);
            // The tables that the domain has already, and its stack, stay as they are.
            if world.update(domain, page(world, pfn), read_only).is_ok()
                && world.call(domain, &PtCreate { frame, level: Level::L1 }).is_ok()
            {
                let again = world.call(domain, &PtPin { frame, level: Level::L1 });
                assert_eq!(again, Err((Error::AlreadyPinned, 0)));
                made += 1;
            }
        }
        let owned = world.state.domain(world.slots[domain]);
        assert!(owned.tables <= owned.frames && owned.pinned <= owned.tables);
        made
    });
    assert!(made > 90, "{made}");
}

#[test]
fn grants() {
    let given = each_in_turn(World::new(2, 128), |world, domain| {
        let (frame, grantee) = (world.p2m(domain, 100), other(domain).1);
        let share = |_| GrantShare { domain: grantee, frame, access: Access::Read };
        let (given, error) = until_refused(world, domain, share);
        assert_eq!(error, Error::QuotaExceeded);
        given
    });
    assert_eq!(given, MAX_GRANTS as u64);
}

/// Handles: one a frame, so that it takes many frames to have many. The granter's quota of
/// grants is as large, so that the one handle too many is on a frame of a third domain.
#[test]
fn handles() {
    let mut world = World::<X86_64>::with_memory(3, 400, 2048);
    let grants = |world: &mut World<X86_64>, from: usize, to: u16, count: u64| -> Vec<GrantRef> {
        let share = |world: &mut World<X86_64>, pfn| {
            let frame = world.p2m(from, pfn);
            let share = GrantShare { domain: DomainId(to), frame, access: Access::Read };
            GrantRef(world.call(from, &share).unwrap() as u32)
        };
        (100..100 + count).map(|pfn| share(world, pfn)).collect()
    };
    let map = |world: &mut World<X86_64>, to: usize, from: u16, grant| {
        world.call(to, &GrantMap { domain: DomainId(from), grant, access: Access::Read })
    };
    for (domain, granter) in [(0, 1), (1, 0)] {
        let id = domain as u16 + 1;
        let given = grants(&mut world, granter, id, MAX_HANDLES as u64);
        let extra = grants(&mut world, 2, id, 1)[0];
        let before = holdings(&world, 2);
        for grant in given {
            map(&mut world, domain, granter as u16 + 1, grant).unwrap();
        }
        let refused = map(&mut world, domain, 3, extra);
        assert_eq!(refused, Err((Error::QuotaExceeded, 0)));
        assert_eq!(holdings(&world, 2), before);
        assert_eq!(world.state.domain(world.slots[domain]).handles.len(), MAX_HANDLES);
    }
    world.finish();
}

#[test]
fn ports() {
    let opened = each_in_turn(World::new(2, 128), |world, domain| {
        let binder = other(domain).1;
        let alloc = |_| EventAlloc { domain: binder };
        let (opened, error) = until_refused(world, domain, alloc);
        assert_eq!(error, Error::QuotaExceeded);
        opened
    });
    // Port 0 is never open, and three always are.
    assert_eq!(opened, MAX_PORTS as u64 - 4);
}

#[test]
fn console_input() {
    each_in_turn(World::new(2, 128), |world, domain| {
        let id = world.state.domain(world.slots[domain]).id;
        for byte in 0..CONSOLE_INPUT_BYTES + 50 {
            world.state.console_input(&mut world.machine, id, byte as u8);
            world.audit();
        }
        let waiting = &world.state.domain(world.slots[domain]).console_input;
        assert_eq!(waiting.len(), CONSOLE_INPUT_BYTES, "what finds no room is dropped");
        assert!(waiting.iter().copied().eq((0..CONSOLE_INPUT_BYTES).map(|byte| byte as u8)));
        waiting.len() as u64
    });
}

/// Trap frames: the domain that holds one too many ends, and no other.
#[test]
fn trap_frames() {
    let mut world = World::<X86_64>::new(2, 128);
    let entry = TrapRegister { entry: VirtAddr(0x1000_0000), stack: VirtAddr(0x4000_0000) };
    world.call(0, &entry).unwrap();
    let before = holdings(&world, 1);
    let (slot, page) = (world.slots[0], world.state.vcpu(world.slots[0]).page);
    let trap = Trap { cause: Cause::PageFault, code: 1, address: 0x5000 };
    let mut enter = || {
        let (state, machine) = (&mut world.state, &mut world.machine);
        state.enter(machine, slot, &mut world.registers[0], Entry::Trap(trap))
    };
    for _ in 0..TRAP_FRAMES {
        assert_eq!(enter(), Outcome::Return);
    }
    assert_eq!(enter(), Outcome::Reschedule);
    assert_eq!(world.machine.read(page, TRAP_DEPTH_OFFSET / 8), u64::from(TRAP_FRAMES));
    assert_ne!(world.machine.read(page, EVENTS_MASKED_OFFSET / 8), 0);
    assert!(!world.is_running(0));
    assert_eq!(holdings(&world, 1), before);
    while world.state.domain_of(DomainId(1)).is_some() {
        assert_eq!(world.state.schedule(&mut world.machine), Next::Run(world.slots[1]));
        world.audit();
    }
    let summary = world.state.take_summary().unwrap();
    assert_eq!(summary.reason, EndReason::TrapsTooDeep(trap));
    world.finish();
}

/// What one call may ask for: the largest number is taken, the next is refused before anything
/// is done.
#[test]
fn elements_of_a_call() {
    fn arguments(world: &World<X86_64>) -> Mfn {
        world.state.vcpu(world.slots[0]).arguments
    }
    let mut world = World::<X86_64>::new(2, 128);
    let query = BatchEntry::new(&AbiQuery { query: abi_query::Query::Version });
    let update = Update::new(page(&world, 100), leaf(world.p2m(0, 100), RO));
    let frame = arguments(&world);
    for entry in 0..MAX_ENTRIES as usize {
        world.machine.copy_in(frame, entry * 64, zerocopy::IntoBytes::as_bytes(&query));
    }
    assert_eq!(world.call(0, &Batch { count: MAX_ENTRIES }), Ok(MAX_ENTRIES));
    for entry in 0..MAX_UPDATES as usize {
        world.machine.write(frame, entry * 2, update.target.0);
        world.machine.write(frame, entry * 2 + 1, update.value);
    }
    assert_eq!(world.call(0, &PteUpdate::Many(MAX_UPDATES)), Ok(MAX_UPDATES));
    let write = |length| ConsoleWrite { stream: console_write::Stream::Text, length };
    assert_eq!(world.call(0, &write(console_write::MAX_BYTES)), Ok(0));
    let before = (holdings(&world, 0).frames, holdings(&world, 1));
    let bad = Err((Error::BadArgument, 0));
    assert_eq!(world.call(0, &Batch { count: MAX_ENTRIES + 1 }), bad);
    assert_eq!(world.call(0, &PteUpdate::Many(MAX_UPDATES + 1)), bad);
    assert_eq!(world.call(0, &TrapReturn { count: MAX_UPDATES + 1 }), bad);
    assert_eq!(world.call(0, &write(console_write::MAX_BYTES + 1)), bad);
    let most = balloon_inflate::MAX_FRAMES;
    assert_eq!(world.call(0, &BalloonInflate::frames(most + 1)), bad);
    let most = balloon_deflate::MAX_FRAMES;
    assert_eq!(world.call(0, &BalloonDeflate::frames(most + 1)), bad);
    assert_eq!((holdings(&world, 0).frames, holdings(&world, 1)), before);
    world.finish();
}

/// The processor: a domain that never gives it up has one slice of two, and no more.
#[test]
fn processor_time() {
    let mut world = World::<X86_64>::new(2, 128);
    let mut ran = [0u32; 2];
    for _ in 0..100 {
        let Next::Run(slot) = world.state.schedule(&mut world.machine) else { panic!() };
        ran[slot.index()] += 1;
        // It computes until the alarm.
        let alarm = world.machine.alarm;
        world.machine.advance(alarm - world.machine.now());
        world.state.alarm(&mut world.machine);
    }
    assert_eq!(ran, [50, 50]);
    world.finish();
}

/// Domains: one too many is not built, and those that there are do not notice.
#[test]
fn domains() {
    let mut world = World::<X86_64>::with_memory(MAX_DOMAINS, 32, 32 * MAX_DOMAINS as u64 + 64);
    let before: Vec<_> = (0..MAX_DOMAINS).map(|domain| holdings(&world, domain)).collect();
    let unowned = world.state.frames.unowned();
    assert_eq!(world.create(32), Err(BuildError::TooManyDomains));
    let after: Vec<_> = (0..MAX_DOMAINS).map(|domain| holdings(&world, domain)).collect();
    assert_eq!((after, world.state.frames.unowned()), (before, unowned));
}
