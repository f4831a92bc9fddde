//! Domains are made and destroyed beside one that lives, in whatever they are in the middle of:
//! memory comes back to the baseline exactly, that of the machine and the heap of the hypervisor.
//! Some hundreds of them in plain `cargo test`, ten thousand in `cargo xtask test`.
//!
//! The allocator counts for the whole program, so that one test of this file runs at a time.

use core_tests::{PHYSMAP, World};
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, GrantHandle, GrantRef, Mfn, PAGE_SIZE, Port, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::frame::Frame;
use pv_core::{BuildError, EndReason, Machine, Slot, X86_64};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use zerocopy::IntoBytes;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Frames of each domain, and of the machine.
const FRAMES: u64 = 36;
const MEMORY: u64 = 160;
/// Pages that a domain plays with.
const FIRST: u64 = 28;
/// The domain that lives, and the one that comes and goes.
const LIVES: usize = 0;
const GOES: usize = 1;
const LIVES_ID: DomainId = DomainId(1);

const RO: Permissions = Permissions { write: false, execute: false };

/// What a domain is in the middle of when it is destroyed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dies {
    Idle,
    Unbuilt,
    Pinning,
    Unpinning,
    InABatch,
    Inflating,
    Linking,
    InAProcess,
    Granting,
    Mapping,
    Bound,
}

const WAYS: [Dies; 11] = [
    Dies::Idle,
    Dies::Unbuilt,
    Dies::Pinning,
    Dies::Unpinning,
    Dies::InABatch,
    Dies::Inflating,
    Dies::Linking,
    Dies::InAProcess,
    Dies::Granting,
    Dies::Mapping,
    Dies::Bound,
];

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    pv_core::format::X86_64::leaf(frame, permissions)
}

fn page(pfn: u64) -> Target {
    let address = VirtAddr(PHYSMAP + pfn * PAGE_SIZE);
    Target::Page { space: Space::Kernel, address, flush: true }
}

/// A page of the domain's that nothing maps.
fn unmapped(world: &mut World<X86_64>, domain: usize, pfn: u64) -> Mfn {
    let frame = world.mapped(domain, pfn);
    world.update(domain, page(pfn), 0).unwrap();
    frame
}

/// A level-1 table, not validated, with some entries.
fn tree(world: &mut World<X86_64>) -> Mfn {
    let table = unmapped(world, GOES, FIRST);
    let named = unmapped(world, GOES, FIRST + 1);
    for word in 0..24 {
        world.machine.write(table, word * 3, leaf(named, RO));
    }
    table
}

/// Begins a call, and takes `steps` of it with the smallest budget.
fn stop_within<C: Call>(world: &mut World<X86_64>, call: &C, steps: usize) {
    world.state.set_budget(1);
    world.begin(GOES, C::NUMBER as u64, call.encode());
    for _ in 0..steps {
        world.step(GOES);
    }
    assert!(world.is_inside(GOES), "it is in the middle of its call");
}

/// What the one that lives has to give back when the other has gone.
#[derive(Default)]
struct Left {
    handle: Option<GrantHandle>,
    grant: Option<GrantRef>,
    port: Option<Port>,
}

fn share(world: &mut World<X86_64>, from: usize, domain: DomainId, frame: Mfn) -> GrantRef {
    let share = GrantShare { domain, frame, access: Access::Read };
    GrantRef(world.call(from, &share).unwrap() as u32)
}

/// Brings the domain into the state in which it is to die.
fn prepare(world: &mut World<X86_64>, id: DomainId, way: Dies, steps: usize) -> Left {
    let mut left = Left::default();
    match way {
        Dies::Idle | Dies::Unbuilt => {}
        Dies::Pinning => {
            let frame = tree(world);
            stop_within(world, &PtPin { frame, level: Level::L1 }, steps);
        }
        Dies::Unpinning => {
            let frame = tree(world);
            world.call(GOES, &PtPin { frame, level: Level::L1 }).unwrap();
            stop_within(world, &PtUnpin { frame }, steps);
        }
        Dies::InABatch => {
            let frame = tree(world);
            let pin = BatchEntry::new(&PtPin { frame, level: Level::L1 });
            let arguments = world.state.vcpu(world.slots[GOES]).arguments;
            world.machine.copy_in(arguments, 0, pin.as_bytes());
            world.machine.copy_in(arguments, 64, pin.as_bytes());
            stop_within(world, &Batch { count: 2 }, steps);
        }
        Dies::Inflating => {
            let arguments = world.state.vcpu(world.slots[GOES]).arguments;
            let frames = [0, 1, 2, 3].map(|page| unmapped(world, GOES, FIRST + page));
            for (word, frame) in frames.into_iter().enumerate() {
                world.machine.write(arguments, word, frame.0);
            }
            stop_within(world, &BalloonInflate::frames(4), steps % 3);
        }
        Dies::Linking => {
            let child = tree(world);
            let parent = unmapped(world, GOES, FIRST + 2);
            world.call(GOES, &PtCreate { frame: parent, level: Level::L2 }).unwrap();
            let value = pv_core::format::X86_64::table(child);
            let target = Target::Entry { table: parent, index: 9 };
            stop_within(world, &PteUpdate::One(Update::new(target, value)), steps);
        }
        Dies::InAProcess => {
            let root = unmapped(world, GOES, FIRST);
            world.call(GOES, &PtCreate { frame: root, level: Level::L4 }).unwrap();
            let user_root = RootChange::Set(root);
            let switch = PtSwitch { kernel_root: RootChange::Keep, user_root };
            world.call(GOES, &switch).unwrap();
            // The pin goes: the root is held by the vCPU alone.
            world.call(GOES, &PtUnpin { frame: root }).unwrap();
        }
        Dies::Granting => {
            let given = unmapped(world, GOES, FIRST);
            let offered = unmapped(world, GOES, FIRST + 1);
            let grant = share(world, GOES, LIVES_ID, given);
            share(world, GOES, LIVES_ID, offered);
            let map = GrantMap { domain: id, grant, access: Access::Read };
            let mapped = MappedGrant::from_value(world.call(LIVES, &map).unwrap());
            world.update(LIVES, page(FIRST), leaf(given, RO)).unwrap();
            left.handle = Some(mapped.handle);
        }
        Dies::Mapping => {
            let given = world.mapped(LIVES, FIRST + 1);
            let grant = share(world, LIVES, id, given);
            let map = GrantMap { domain: LIVES_ID, grant, access: Access::Read };
            world.call(GOES, &map).unwrap();
            world.update(GOES, page(FIRST), leaf(given, RO)).unwrap();
            left.grant = Some(grant);
        }
        Dies::Bound => {
            let port = Port(world.call(LIVES, &EventAlloc { domain: id }).unwrap() as u32);
            world.call(GOES, &EventBind { domain: LIVES_ID, port }).unwrap();
            world.call(GOES, &EventAlloc { domain: LIVES_ID }).unwrap();
            left.port = Some(port);
        }
    }
    left
}

/// One domain comes and goes.
fn cycle(world: &mut World<X86_64>, number: usize) {
    let way = WAYS[number % WAYS.len()];
    if way == Dies::Unbuilt {
        // It has memory for its image, and not for its tables.
        assert_eq!(world.create(23), Err(BuildError::TooSmall { frames: 23 }));
    } else {
        let slot: Slot = world.create(FRAMES).unwrap();
        let id = world.state.domain(slot).id;
        let left = prepare(world, id, way, number / WAYS.len() % 20);
        world.switch_to(LIVES);
        world.state.set_budget(if number.is_multiple_of(2) { 1 } else { 2048 });
        world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
        if let Some(handle) = left.handle {
            settle(world);
            assert_eq!(world.state.domain_of(id).unwrap().frames, 1, "the one that is mapped");
            let own = OWN.with(|own| own.get()).unwrap();
            world.update(LIVES, page(FIRST), leaf(own, RO)).unwrap();
            world.call(LIVES, &GrantUnmap { handle }).unwrap();
        }
        settle(world);
        assert!(world.state.domain_of(id).is_none(), "{way:?}: it is gone");
        if let Some(grant) = left.grant {
            world.call(LIVES, &GrantRevoke { grant }).unwrap();
        }
        if let Some(port) = left.port {
            world.call(LIVES, &EventClose { port }).unwrap();
        }
        world.forget_last();
    }
    settle(world);
    let summary = world.state.take_summary().expect("it is accounted for");
    assert_eq!(summary.reason == EndReason::NotBuilt, way == Dies::Unbuilt);
    world.state.set_budget(2048);
}

thread_local! {
    /// The frame of the page that the one that lives maps another's frame at.
    static OWN: std::cell::Cell<Option<Mfn>> = const { std::cell::Cell::new(None) };
}

/// Takes apart what ends, until it is gone or lingers for the one frame that is mapped.
fn settle(world: &mut World<X86_64>) {
    for _ in 0..100_000 {
        let _ = world.state.schedule(&mut world.machine);
        if world.state.domains().all(|(_, domain)| domain.is_running() || domain.frames == 1) {
            return;
        }
    }
    panic!("it is never taken apart");
}

/// Who has each frame, and how many nobody has; no translation is cached by then.
fn memory(world: &mut World<X86_64>) -> (Vec<Option<DomainId>>, u64) {
    world.call(LIVES, &TlbFlush { scope: tlb_flush::FlushScope::All }).unwrap();
    world.audit();
    let owners = world.state.frames.iter().map(|(_, frame)| match frame {
        Frame::Owned(owned) => Some(owned.owner),
        _ => None,
    });
    (owners.collect(), world.state.frames.unowned())
}

fn heap_bytes() -> isize {
    let stats = HEAP.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

#[test]
fn memory_comes_back_to_the_baseline() {
    come_and_go(500);
}

#[test]
#[ignore = "it is long; `cargo xtask test` runs it"]
fn memory_comes_back_after_ten_thousand_domains() {
    come_and_go(10_000);
}

fn come_and_go(domains: usize) {
    let mut world = World::<X86_64>::with_memory(1, FRAMES, MEMORY);
    OWN.with(|own| own.set(Some(world.mapped(LIVES, FIRST))));
    // Each way once, so that every table has the room that it grows to.
    for number in 0..50 * WAYS.len() {
        cycle(&mut world, number);
    }
    let before = memory(&mut world);
    let heap = heap_bytes();
    for number in 0..domains {
        cycle(&mut world, number);
    }
    let after = memory(&mut world);
    assert_eq!(after, before, "frames");
    drop(after);
    assert_eq!(heap_bytes(), heap, "bytes of the heap");
    world.finish();
}
