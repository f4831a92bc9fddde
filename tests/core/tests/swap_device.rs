//! Pages on the swap device, which takes its time, and may fail.

use crate::reclaim::{CONTENTS, FIRST, PAGES, access, address, check, owned, take, world};
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{Pfn, VirtAddr};
use pv_core::domain::Life;
use pv_core::{EndReason, Outcome, Platform, model};

for_each_platform! {
    a_slow_device_loses_nothing
    what_is_written_while_it_goes_out_is_not_lost
    a_domain_that_ends_waits_for_the_device
    a_device_that_cannot_write_takes_nothing
    a_page_that_cannot_be_read_ends_its_domain_alone
}

/// The pages of [`CONTENTS`] that do not compress.
const NOISE: [u64; 2] = [2, 5];

/// Clauses: AWAY.5
fn a_slow_device_loses_nothing<P: Platform>() {
    for (depth, waits) in [(0, 0), (1, 0), (1, 40), (4, 9)] {
        let mut world = world::<P>(2, 3);
        world.machine.swap_depth = depth;
        for round in 0..3 {
            world.machine.swap_waits = waits;
            take(&mut world, 0, PAGES);
            take(&mut world, 1, PAGES);
            let swapped = world.state.away_totals().swapped;
            assert!(swapped <= 3 && (swapped > 0 || depth == 0), "{depth} {waits} {round}");
            world.machine.swap_waits = waits;
            check(&mut world, 0);
            check(&mut world, 1);
            assert_eq!(world.state.away_totals().swapped, 0);
        }
        world.finish();
    }
}

/// What a domain writes into a page while the device reads its frame is in the page, and the place
/// is not another's before the device has done with it, which the model looks at.
/// Clauses: AWAY.5 AWAY.11
fn what_is_written_while_it_goes_out_is_not_lost<P: Platform>() {
    let mut world = world::<P>(1, 2);
    let id = world.state.domain(world.slots[0]).id;
    let mut met = 0;
    for round in 0..200 {
        world.machine.swap_waits = 7;
        assert!(world.state.set_forced_limit(id, Some(owned(&world, 0) - 1)));
        for _ in 0..round % 50 {
            world.state.reclaim_step(&mut world.machine);
            world.machine.advance(1_000_000);
        }
        met += u64::from(world.state.away_totals().swapped > 0);
        assert!(world.state.set_forced_limit(id, None));
        for page in NOISE {
            let at = VirtAddr(address(&world, page).0 + 8 * 300);
            access(&mut world, 0, at, model::Access::Write(round));
        }
        for page in NOISE {
            let at = VirtAddr(address(&world, page).0 + 8 * 300);
            assert_eq!(access(&mut world, 0, at, model::Access::Read).0, round);
            let beside = VirtAddr(at.0 + 8);
            let expected = CONTENTS[page as usize].word(301);
            assert_eq!(access(&mut world, 0, beside, model::Access::Read).0, expected);
        }
    }
    assert!(met > 10, "{met}");
    world.finish();
}

/// A frame that the device writes goes to nobody else.
/// Clauses: AWAY.9 AWAY.11
fn a_domain_that_ends_waits_for_the_device<P: Platform>() {
    let mut world = world::<P>(2, 8);
    take(&mut world, 0, PAGES);
    world.switch_to(0);
    world.machine.swap_waits = 3000;
    let at = address(&world, NOISE[0]);
    assert_eq!(world.fault(0, at, FaultAccess::empty()), Outcome::Reschedule);
    let id = world.state.domain(world.slots[0]).id;
    world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
    for _ in 0..1000 {
        let _ = world.state.schedule(&mut world.machine);
    }
    world.audit();
    assert!(world.state.is_taking_apart(), "the device has not done with it");
    assert!(world.machine.swap_waits > 0);
    world.machine.swap_waits = 0;
    for _ in 0..2000 {
        let _ = world.state.schedule(&mut world.machine);
    }
    world.audit();
    assert_eq!(world.state.away_totals(), Default::default());
    check(&mut world, 1);
    world.finish();
}

/// Clauses: AWAY.12
fn a_device_that_cannot_write_takes_nothing<P: Platform>() {
    let mut world = world::<P>(1, 8);
    world.machine.swap_fails = true;
    take(&mut world, 0, PAGES);
    let totals = world.state.away_totals();
    assert_eq!((totals.pages, totals.swapped), (PAGES - 2, 0));
    assert!(world.state.reclaim.counters.failed >= 2);
    check(&mut world, 0);
    world.finish();
}

/// Clauses: AWAY.12
fn a_page_that_cannot_be_read_ends_its_domain_alone<P: Platform>() {
    let mut world = world::<P>(2, 8);
    take(&mut world, 0, PAGES);
    take(&mut world, 1, PAGES);
    world.machine.swap_fails = true;
    world.switch_to(0);
    let at = address(&world, NOISE[0]);
    assert_eq!(world.fault(0, at, FaultAccess::empty()), Outcome::Reschedule);
    let _ = world.state.schedule(&mut world.machine);
    let lost = Pfn(FIRST + NOISE[0]);
    let slot = world.slots[0];
    let reason = world
        .state
        .domains()
        .find(|(found, _)| *found == slot)
        .map(|(_, domain)| domain.life.clone());
    assert!(
        matches!(reason, Some(Life::Ending { reason, .. }) if reason == EndReason::LostPage(lost)),
        "{reason:?}"
    );
    for _ in 0..2000 {
        let _ = world.state.schedule(&mut world.machine);
    }
    world.machine.swap_fails = false;
    check(&mut world, 1);
    world.finish();
}
