//! What sharing waits for, what it leaves behind, and where it has an end.

use crate::sharing::{
    FIRST, PAGES, RW, address, frame, merge, name, read, register, target, world, write,
};
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::{Target, Update};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::*;
use hypercall_abi::extent::Order;
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{Error, Mfn, Pfn};
use pv_core::format::Format;
use pv_core::share::Side;
use pv_core::vcpu::RunState;
use pv_core::{EndReason, Next, Outcome, Platform, model};

for_each_platform! {
    a_write_waits_for_a_frame
    the_reserve_is_kept
    a_domain_that_ends_leaves_its_shares
    frames_and_shared_pages_are_within_the_limit
    a_shared_page_has_so_many_entries
    the_tables_of_what_is_shared_have_an_end
}

/// Clauses: SHARE.9
fn a_write_waits_for_a_frame<P: Platform>() {
    let mut world = world::<P>(2);
    for page in 0..3 {
        assert!(merge(&mut world, (0, page), (1, page)));
    }
    // Somebody takes all the memory that there is.
    let taken = world.create(world.state.frames.unowned() - 10);
    let slot = taken.expect("it fits");
    while world.state.frames.unowned() > 0 {
        world.call(2, &BalloonDeflate { count: 1, order: Order::Frame }).unwrap_or_default();
    }
    world.switch_to(0);
    let address = address(&world, 0);
    assert!(world.machine.access(address, model::Access::Write(1)).is_err());
    assert_eq!(world.fault(0, address, FaultAccess::WRITE), Outcome::Reschedule);
    assert_eq!(world.state.vcpu(world.slots[0]).state, RunState::Blocked);
    assert_eq!(world.state.domain(world.slots[0]).counters.traps, 0);
    assert_eq!(
        world.call(1, &ShareBreak { first: Pfn(FIRST), count: 1 }),
        Err((Error::NoMemory, 0))
    );
    assert_eq!(read(&mut world, 1, 0), 0);
    // Others go on; a frame that comes back wakes it, and the write is made.
    world.destroy(slot);
    assert_eq!(world.state.vcpu(world.slots[0]).state, RunState::Runnable);
    write(&mut world, 0, 0, 1);
    assert_eq!((read(&mut world, 0, 0), read(&mut world, 1, 0)), (1, 0));
    assert_eq!(world.state.sharing.counters.waits, 1);
    world.finish();
}

/// Clauses: SHARE.10
fn the_reserve_is_kept<P: Platform>() {
    let mut world = world::<P>(2);
    assert!(world.state.enable_sharing(1000, world.state.frames.unowned() - 2));
    let given = world.call(0, &BalloonDeflate { count: 3, order: Order::Frame });
    assert_eq!(given, Err((Error::NoMemory, 2)));
    assert!(!merge(&mut world, (0, 0), (1, 0)));
    assert_eq!(world.state.sharing.counters.no_room, 1);
    world.finish();
}

/// Clauses: SHARE.11
fn a_domain_that_ends_leaves_its_shares<P: Platform>() {
    let mut world = world::<P>(3);
    for page in 0..PAGES {
        write(&mut world, 0, page, 7);
        write(&mut world, 1, page, 7);
        write(&mut world, 2, page, 7);
    }
    for page in 0..PAGES {
        assert!(page == 0 || merge(&mut world, (0, 0), (0, page)));
        assert!(merge(&mut world, (0, 0), (1, page)));
        assert!(merge(&mut world, (0, 0), (2, page)));
    }
    for (gone, left) in [(0, 2 * PAGES), (2, PAGES)] {
        let id = world.state.domain(world.slots[gone]).id;
        world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
        while world.state.is_taking_apart() {
            let _ = world.state.schedule(&mut world.machine);
            world.audit();
        }
        let totals = world.state.sharing_totals();
        assert_eq!((totals.frames, totals.pages), (1, left));
        assert_eq!(read(&mut world, 1, 3), 7);
    }
    let id = world.state.domain(world.slots[1]).id;
    world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
    while world.state.schedule(&mut world.machine) != Next::Finished {}
    assert_eq!(world.state.sharing_totals(), pv_core::share::SharingTotals::default());
    assert_eq!(world.state.frames.unowned(), world.free_at_start);
}

/// Clauses: SHARE.12
fn frames_and_shared_pages_are_within_the_limit<P: Platform>() {
    let mut world = world::<P>(2);
    for page in 0..PAGES {
        assert!(merge(&mut world, (0, page), (1, page)));
    }
    // It has given up no page: what it may have more is what it could have before.
    let given = world.call(0, &BalloonDeflate { count: 100, order: Order::Frame });
    assert_eq!(given, Err((Error::QuotaExceeded, 16)));
    for page in 0..PAGES {
        write(&mut world, 0, page, 1);
    }
    world.finish();
}

/// Clauses: PTE_UPDATE.18
fn a_shared_page_has_so_many_entries<P: Platform>() {
    let mut world = world::<P>(2);
    let table = frame(&world, 0, 7);
    world.update(0, target(&world, 7), 0).unwrap();
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    assert!(merge(&mut world, (0, 0), (1, 0)));
    let value = P::Format::leaf(Mfn(FIRST), RW);
    let by_page = |index| PteUpdate::One(Update::of_page(Target::Entry { table, index }, value));
    // The map of memory has one.
    for index in 0..63 {
        world.call(0, &by_page(index)).unwrap();
    }
    assert_eq!(world.call(0, &by_page(63)), Err((Error::QuotaExceeded, 0)));
    // A frame of its own has no such limit, and all of them are broken up at once.
    world.call(0, &ShareBreak { first: Pfn(FIRST), count: 1 }).unwrap();
    world.call(0, &by_page(63)).unwrap();
    assert_eq!(world.state.sharing_totals().pages, 1);
    world.finish();
}

/// Clauses: SHARE.2
fn the_tables_of_what_is_shared_have_an_end<P: Platform>() {
    let mut world = World::<P>::with_memory(2, 480, 0x400);
    // Records come in chunks: one of them.
    assert!(world.state.enable_sharing(1, 0));
    for domain in 0..2 {
        world.state.set_sharing_group(world.slots[domain], 1);
        register(&mut world, domain);
        let advise =
            ShareAdvise { first: Pfn(FIRST), count: 300, advice: Advice::Share, content: 0 };
        world.call(domain, &advise).unwrap();
    }
    for batch in 0..10 {
        for page in batch * 30..(batch + 1) * 30 {
            let pair = (Side::Page(name(&world, 0, 0)), name(&world, page as usize % 2, page));
            world.state.want_merge(&world.machine, pair.0, pair.1);
        }
        while world.state.merge_step(&mut world.machine) {}
        world.audit();
    }
    assert_eq!(world.state.sharing_totals().pages, 256);
    assert!(world.state.sharing.counters.no_room > 0);
    world.finish();
}
