//! Pages that would be merged while a call of their domain is in the middle of giving or taking an
//! extent: the call has looked at frames that it has not released, or has frames that the guest was
//! not told of. None of them may become another's meanwhile.

use core_tests::World;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::{
    BalloonDeflate, BalloonInflate, Call, P2mRegister, PteUpdate, ShareAdvise,
};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Error, Mfn, Pfn};
use pv_core::share::{PageName, Side};
use pv_core::{Machine, X86_64};

/// Pages of a domain, of which the third run of 512 is ballooned.
const FRAMES: u64 = 3 * EXTENT_FRAMES;
const RUN: u64 = 2 * EXTENT_FRAMES;

/// Two domains of one group whose pages may all be shared, and a few blocks that are nobody's.
fn world(reserve: u64) -> World<X86_64> {
    let mut world = World::with_memory(0, 0, 9 * EXTENT_FRAMES);
    assert!(world.state.enable_sharing(1000, reserve));
    for domain in 0..2 {
        world.create_contiguous(FRAMES, FRAMES + EXTENT_FRAMES).unwrap();
        world.state.set_sharing_group(world.slots[domain], 1);
        let count = (FRAMES + EXTENT_FRAMES).div_ceil(512);
        let frames: Vec<u64> = (0..count).map(|at| world.p2m(domain, 3 + at).0).collect();
        argue(&mut world, domain, &frames);
        assert_eq!(world.call(domain, &P2mRegister { count }), Ok(count));
        let advise = ShareAdvise {
            first: Pfn(RUN),
            count: EXTENT_FRAMES,
            advice: Advice::Share,
            content: 0,
        };
        world.call(domain, &advise).unwrap();
    }
    world
}

fn argue(world: &mut World<X86_64>, domain: usize, words: &[u64]) {
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    words.iter().enumerate().for_each(|(at, word)| world.machine.write(arguments, at, *word));
}

/// Takes the run out of the domain's map of memory: its first frame.
fn unmap(world: &mut World<X86_64>, domain: usize) -> Mfn {
    for page in RUN..RUN + EXTENT_FRAMES {
        let address = world.physmap(page);
        let target = Target::Page { space: Space::Kernel, address, flush: true };
        world.quiet(domain, &PteUpdate::One(Update::new(target, 0)));
    }
    world.p2m(domain, RUN)
}

/// Has the pages of that place in the run merged, if they may be: whether they were.
fn merge(world: &mut World<X86_64>, at: u64) -> bool {
    let before = world.state.sharing.counters.merged;
    let name = |world: &World<X86_64>, domain: usize| PageName {
        domain: world.state.domain(world.slots[domain]).id,
        page: Pfn(RUN + at),
    };
    let (first, second) = (name(world, 1), name(world, 0));
    world.state.want_merge(&world.machine, Side::Page(first), second);
    while world.state.merge_step(&mut world.machine) {}
    world.audit();
    world.state.sharing.counters.merged > before
}

/// Budgets of a call that ends soon, and of one that is played in the smallest steps.
const LARGE: u32 = 20_000;
const SMALL: u32 = 1;

/// Plays a call of domain 0 with that budget, and wants the page of that place in the run merged
/// between some of its steps: how many there were.
fn play<C: Call>(world: &mut World<X86_64>, call: &C, budget: u32, at: u64) -> u32 {
    world.state.set_budget(budget);
    world.begin(0, C::NUMBER as u64, call.encode());
    let mut steps = 1u32;
    while world.is_inside(0) {
        if steps.is_power_of_two() {
            world.state.set_budget(LARGE);
            assert!(!merge(world, at), "after {steps} steps");
            world.state.set_budget(budget);
        }
        steps += 1;
        world.step(0);
    }
    steps
}

#[test]
fn an_extent_that_is_being_given_stays_as_it_was_checked() {
    let mut world = world(0);
    let first = unmap(&mut world, 0);
    argue(&mut world, 0, &[first.0]);
    // The last page is released last.
    assert!(play(&mut world, &BalloonInflate::extents(1), SMALL, EXTENT_FRAMES - 1) > 2);
    assert_eq!(world.answer(0), Ok(1));
    assert_eq!(world.state.domain(world.slots[0]).frames, FRAMES - EXTENT_FRAMES);
    world.finish();
}

#[test]
fn pages_of_a_domain_that_makes_no_call_are_merged() {
    let mut world = world(0);
    assert!(merge(&mut world, EXTENT_FRAMES - 1));
    world.finish();
}

/// The guest's map may name any frame, those that it will get too.
#[test]
fn an_extent_that_is_being_taken_is_nobodys_to_merge() {
    let mut world = world(0);
    let first = unmap(&mut world, 0);
    argue(&mut world, 0, &[first.0]);
    world.quiet(0, &BalloonInflate::extents(1));
    // The first page is taken first, and told of at the end.
    assert!(play(&mut world, &BalloonDeflate::extents(1), SMALL, 0) > 2);
    assert_eq!(world.answer(0), Ok(1));
    assert_eq!(world.state.domain(world.slots[0]).frames, FRAMES);
    world.finish();
}

/// An extent that was begun is ended, though the reserve is short before that.
#[test]
fn a_reserve_that_runs_short_leaves_no_half_of_an_extent() {
    let world = world(0);
    let unowned = world.state.frames.unowned();
    let mut world = self::world(unowned - EXTENT_FRAMES - 1);
    world.state.set_budget(SMALL);
    let before = world.state.domain(world.slots[0]).frames;
    world.begin(0, BalloonDeflate::NUMBER as u64, BalloonDeflate::extents(2).encode());
    while world.is_inside(0) {
        world.step(0);
    }
    assert_eq!(world.answer(0), Err((Error::QuotaExceeded, 1)));
    assert_eq!(world.state.domain(world.slots[0]).frames, before + EXTENT_FRAMES);
    world.finish();
}
