//! Frames taken by force: what goes comes back as it was, however it was kept, and no call of the
//! guest's is misled meanwhile.

use crate::sharing::{advise, register};
use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::*;
use hypercall_abi::extent::Order;
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{Error, GrantRef, Mfn, Pfn, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::share::ScanConfig;
use pv_core::vcpu::RunState;
use pv_core::{Machine, Outcome, Platform, model};

/// The pages that may be moved.
pub const FIRST: u64 = 100;
pub const PAGES: u64 = 8;

const RO: Permissions = Permissions { write: false, execute: false };
const RW: Permissions = Permissions { write: true, execute: false };

/// What is in a page.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Content {
    Zeros,
    /// A number and its multiples: compresses.
    Even(u64),
    /// Does not compress.
    Noise(u64),
}

impl Content {
    pub fn word(self, word: u64) -> u64 {
        match self {
            Content::Zeros => 0,
            Content::Even(number) => number * (word / 16),
            Content::Noise(seed) => {
                let noise = ((word + seed * 512) | (1 << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                noise.wrapping_mul(noise)
            }
        }
    }
}

pub const CONTENTS: [Content; PAGES as usize] = [
    Content::Zeros,
    Content::Even(3),
    Content::Noise(1),
    Content::Even(7),
    Content::Zeros,
    Content::Noise(2),
    Content::Even(1),
    Content::Even(5),
];

/// Domains whose pages may be moved, and hold [`CONTENTS`].
pub fn world<P: Platform>(domains: usize, swap_pages: u64) -> World<P> {
    let mut world = World::<P>::new(domains, 128);
    world.machine.swap_pages = swap_pages;
    assert!(world.state.enable_sharing(1000, 0));
    assert!(world.state.enable_reclaim(1 << 16, swap_pages, 7));
    for domain in 0..domains {
        register(&mut world, domain);
        advise(&mut world, domain, Advice::Share);
        for page in 0..PAGES {
            let frame = frame(&world, domain, page);
            for word in 0..512 {
                world.machine.write(frame, word, CONTENTS[page as usize].word(word as u64));
            }
        }
    }
    world
}

fn frame<P: Platform>(world: &World<P>, domain: usize, page: u64) -> Mfn {
    world.p2m(domain, FIRST + page)
}

pub fn address<P: Platform>(world: &World<P>, page: u64) -> VirtAddr {
    world.physmap(FIRST + page)
}

pub fn owned<P: Platform>(world: &World<P>, domain: usize) -> u64 {
    world.state.domain(world.slots[domain]).frames
}

/// Takes frames from a domain until it has so many fewer, or nothing more comes of it.
pub fn take<P: Platform>(world: &mut World<P>, domain: usize, frames: u64) {
    let id = world.state.domain(world.slots[domain]).id;
    let limit = owned(world, domain) - frames;
    assert!(world.state.set_forced_limit(id, Some(limit)));
    // Enough for every page to be chosen, and for what is under way to end.
    for _ in 0..3000 {
        let before = world.state.reclaim.counters;
        let worked = world.state.reclaim_step(&mut world.machine);
        if !worked && owned(world, domain) <= limit {
            break;
        }
        if world.state.reclaim.counters != before {
            world.audit();
        }
        world.machine.advance(1_000_000);
    }
    assert!(world.state.set_forced_limit(id, None));
}

/// Has a domain access a page: its faults are the hypervisor's. How many there were.
pub fn access<P: Platform>(
    world: &mut World<P>,
    domain: usize,
    address: VirtAddr,
    access: model::Access,
) -> (u64, u32) {
    world.switch_to(domain);
    let how = match access {
        model::Access::Write(_) => FaultAccess::WRITE,
        model::Access::Read => FaultAccess::empty(),
    };
    let mut faults = 0;
    loop {
        if let Ok(value) = world.machine.access(address, access) {
            assert_eq!(world.state.domain(world.slots[domain]).counters.traps, 0);
            return (value, faults);
        }
        faults += 1;
        let outcome = world.fault(domain, address, how);
        let reads = outcome == Outcome::Reschedule
            && world.state.vcpu(world.slots[domain]).state == RunState::Runnable;
        assert!(outcome == Outcome::Return || reads, "fault {faults}: {outcome:?}");
        world.switch_to(domain);
        assert!(faults < 1000, "the page never comes");
    }
}

/// Has a domain read all of its pages, and compares.
pub fn check<P: Platform>(world: &mut World<P>, domain: usize) {
    for page in 0..PAGES {
        for word in [0, 1, 127, 128, 300, 511] {
            let at = VirtAddr(address(world, page).0 + word * 8);
            let (value, _) = access(world, domain, at, model::Access::Read);
            assert_eq!(value, CONTENTS[page as usize].word(word), "page {page}, word {word}");
        }
        let frame = frame(world, domain, page);
        let all = (0..512).all(|word| {
            world.machine.read(frame, word) == CONTENTS[page as usize].word(word as u64)
        });
        assert!(all, "page {page}");
    }
}

for_each_platform! {
    what_is_taken_comes_back
    what_else_is_named_stays
    without_a_swap_device_what_does_not_compress_stays
    a_write_goes_to_the_page_that_came_back
    a_page_that_is_used_is_passed_over
    a_page_that_is_away_is_named_by_its_number
    a_table_with_a_mark_in_it_is_no_table
    entries_of_a_page_that_is_away_come_and_go
    a_page_comes_back_when_it_is_asked_for
    a_page_that_is_asked_for_while_it_is_packed_comes_back_at_once
    an_access_waits_for_a_frame
    a_domain_that_ends_leaves_nothing_behind
    what_is_like_another_is_shared_first
}

/// Clauses: AWAY.2 AWAY.4 AWAY.5
fn what_is_taken_comes_back<P: Platform>() {
    let mut world = world::<P>(2, 8);
    let unowned = world.state.frames.unowned();
    take(&mut world, 0, PAGES);
    assert_eq!(world.state.frames.unowned(), unowned + PAGES);
    let counters = world.state.reclaim.counters;
    assert_eq!((counters.zeros, counters.compressed, counters.swapped), (2, 4, 2));
    for page in 0..PAGES {
        assert_eq!(frame(&world, 0, page), Mfn::AWAY);
    }
    check(&mut world, 0);
    let counters = world.state.reclaim.counters;
    assert_eq!(counters.returned, PAGES);
    assert_eq!(world.state.away_totals(), Default::default());
    assert_eq!(world.state.frames.unowned(), unowned);
    check(&mut world, 1);
    world.finish();
}

/// Clauses: AWAY.1
fn what_else_is_named_stays<P: Platform>() {
    let mut world = world::<P>(2, 8);
    let peer = world.state.domain(world.slots[1]).id;
    let share = GrantShare { domain: peer, frame: frame(&world, 0, 1), access: Access::ReadWrite };
    let grant = world.call(0, &share).unwrap();
    take(&mut world, 0, PAGES);
    assert_eq!(world.state.away_totals().pages, PAGES - 1);
    let kept = frame(&world, 0, 1);
    let map = GrantMap {
        domain: world.state.domain(world.slots[0]).id,
        grant: GrantRef(grant as u32),
        access: Access::ReadWrite,
    };
    world.call(1, &map).unwrap();
    assert_eq!(kept, frame(&world, 0, 1));
    check(&mut world, 0);
    world.finish();
}

fn without_a_swap_device_what_does_not_compress_stays<P: Platform>() {
    let mut world = world::<P>(1, 0);
    take(&mut world, 0, PAGES);
    assert_eq!(world.state.away_totals().pages, PAGES - 2);
    assert!(world.state.reclaim.counters.refused > 0);
    check(&mut world, 0);
    world.finish();
}

/// Clauses: AWAY.4
fn a_write_goes_to_the_page_that_came_back<P: Platform>() {
    let mut world = world::<P>(1, 8);
    take(&mut world, 0, PAGES);
    for page in 0..PAGES {
        let at = VirtAddr(address(&world, page).0 + 8);
        access(&mut world, 0, at, model::Access::Write(99));
        assert_eq!(access(&mut world, 0, at, model::Access::Read), (99, 0));
        let beside = VirtAddr(at.0 + 1024);
        let expected = CONTENTS[page as usize].word(129);
        assert_eq!(access(&mut world, 0, beside, model::Access::Read), (expected, 0));
    }
    world.finish();
}

/// The accessed bit of each page is set once more when it has just been cleared.
fn a_page_that_is_used_is_passed_over<P: Platform>() {
    let mut world = world::<P>(1, 8);
    let used = Pfn(FIRST + 1);
    take(&mut world, 0, PAGES);
    check(&mut world, 0);
    let address = world.physmap(used.0);
    for _ in 0..6 {
        let update = Target::Page { space: Space::Kernel, address, flush: true };
        let value = P::Format::leaf(frame(&world, 0, 1), RW);
        world.update(0, update, value).unwrap();
        take(&mut world, 0, 1);
        assert_ne!(world.p2m(0, used.0), Mfn::AWAY);
        check(&mut world, 0);
    }
    assert!(world.state.reclaim.counters.used > 0);
    world.finish();
}

/// Clauses: AWAY.6
fn a_page_that_is_away_is_named_by_its_number<P: Platform>() {
    let mut world = world::<P>(1, 8);
    let old = frame(&world, 0, 1);
    take(&mut world, 0, PAGES);
    // The old number is nobody's, or another's by now.
    let own = Target::Page { space: Space::Kernel, address: world.physmap(40), flush: true };
    let update = Update::new(own, P::Format::leaf(old, RW));
    assert_eq!(world.call(0, &PteUpdate::One(update)), Err((Error::NotOwner, 0)));
    let by_page = Update::of_page(own, P::Format::leaf(Mfn(FIRST + 1), RW));
    world.call(0, &PteUpdate::One(by_page)).unwrap();
    assert_eq!(frame(&world, 0, 1), Mfn::AWAY, "it is named, not used");
    let at = VirtAddr(world.physmap(40).0 + 127 * 8);
    let (value, faults) = access(&mut world, 0, at, model::Access::Read);
    assert_eq!((value, faults > 1), (CONTENTS[1].word(127), true));
    // Both entries map it now.
    let at = VirtAddr(address(&world, 1).0 + 127 * 8);
    assert_eq!(access(&mut world, 0, at, model::Access::Read), (value, 0));
    check(&mut world, 0);
    world.finish();
}

/// A guest that copies its tables word by word is told, and loses nothing.
/// Clauses: AWAY.3
fn a_table_with_a_mark_in_it_is_no_table<P: Platform>() {
    let mut world = world::<P>(1, 8);
    let table = frame(&world, 0, 7);
    let unadvise =
        ShareAdvise { first: Pfn(FIRST + 7), count: 1, advice: Advice::Keep, content: 0 };
    world.call(0, &unadvise).unwrap();
    let target = Target::Page { space: Space::Kernel, address: address(&world, 7), flush: true };
    take(&mut world, 0, PAGES - 1);
    for word in 0..512 {
        world.machine.write(table, word, 0);
    }
    world.machine.write(table, 3, P::Format::away(P::Format::leaf(Mfn(9), RW)));
    world.update(0, target, P::Format::leaf(table, RO)).unwrap();
    let pin = PtPin { frame: table, level: Level::L1 };
    assert_eq!(world.call(0, &pin).map_err(|(error, _)| error), Err(Error::BadEntry));
    world.finish();
}

/// Clauses: AWAY.6 AWAY.7
fn entries_of_a_page_that_is_away_come_and_go<P: Platform>() {
    let mut world = world::<P>(1, 8);
    take(&mut world, 0, PAGES);
    let target = |page| Target::Page { space: Space::Kernel, address: VirtAddr(page), flush: true };
    let (first, second) = (address(&world, 1), address(&world, 3));
    // An entry is cleared, one maps another page, one that is away too.
    world.update(0, target(first.0), 0).unwrap();
    let other = P::Format::leaf(world.p2m(0, 40), RW);
    world.update(0, target(second.0), other).unwrap();
    let by_page = |at: VirtAddr, page: u64| {
        let value = P::Format::leaf(Mfn(FIRST + page), RW);
        PteUpdate::One(Update::of_page(target(at.0), value))
    };
    world.call(0, &by_page(address(&world, 6), 7)).unwrap();
    let at = address(&world, 6);
    let word = VirtAddr(at.0 + 8 * 500);
    assert_eq!(access(&mut world, 0, word, model::Access::Read).0, CONTENTS[7].word(500));
    // All is as it was again.
    for page in [1, 3, 6] {
        world.call(0, &by_page(address(&world, page), page)).unwrap();
    }
    check(&mut world, 0);
    world.finish();
}

/// Clauses: AWAY.6
fn a_page_comes_back_when_it_is_asked_for<P: Platform>() {
    let mut world = world::<P>(1, 8);
    take(&mut world, 0, PAGES);
    let all = ShareBreak { first: Pfn(FIRST), count: PAGES };
    assert_eq!(world.call(0, &all), Ok(PAGES));
    for page in 0..PAGES {
        assert_ne!(frame(&world, 0, page), Mfn::AWAY);
        let at = VirtAddr(address(&world, page).0 + 8 * 400);
        let expected = CONTENTS[page as usize].word(400);
        assert_eq!(access(&mut world, 0, at, model::Access::Read), (expected, 0));
    }
    world.finish();
}

/// Clauses: AWAY.5
fn a_page_that_is_asked_for_while_it_is_packed_comes_back_at_once<P: Platform>() {
    let mut world = world::<P>(1, 8);
    let id = world.state.domain(world.slots[0]).id;
    let limit = owned(&world, 0) - PAGES;
    assert!(world.state.set_forced_limit(id, Some(limit)));
    // Until the first block of a page is packed.
    let mut steps = 0;
    while world.state.reclaim.counters.put_away < 3 {
        world.state.reclaim_step(&mut world.machine);
        world.machine.advance(1_000_000);
        steps += 1;
        assert!(steps < 10_000, "{:?}", world.state.reclaim.counters);
    }
    world.state.reclaim_step(&mut world.machine);
    assert!(world.state.set_forced_limit(id, None));
    let counters = world.state.reclaim.counters;
    assert!(counters.compressed + counters.swapped + counters.zeros < counters.put_away);
    for page in 0..PAGES {
        let at = VirtAddr(address(&world, page).0 + 8 * 3);
        let (value, faults) = access(&mut world, 0, at, model::Access::Write(page + 1000));
        assert_eq!(value, page + 1000);
        let packed = 2 + counters.compressed as u32 * 17;
        assert!(faults <= packed, "{faults}");
    }
    // What is packed afterwards is what was written.
    take(&mut world, 0, PAGES);
    for page in 0..PAGES {
        let at = VirtAddr(address(&world, page).0 + 8 * 3);
        assert_eq!(access(&mut world, 0, at, model::Access::Read).0, page + 1000);
    }
    world.finish();
}

/// Clauses: AWAY.8
fn an_access_waits_for_a_frame<P: Platform>() {
    let mut world = world::<P>(2, 8);
    take(&mut world, 0, PAGES);
    take(&mut world, 1, PAGES);
    // Somebody takes all the memory that there is.
    let slot = world.create(world.state.frames.unowned() - 10).expect("it fits");
    while world.state.frames.unowned() > 0 {
        world.call(2, &BalloonDeflate { count: 1, order: Order::Frame }).unwrap_or_default();
    }
    world.switch_to(0);
    let at = address(&world, 1);
    assert!(world.machine.access(at, model::Access::Read).is_err());
    assert_eq!(world.fault(0, at, FaultAccess::empty()), Outcome::Reschedule);
    assert_eq!(world.state.vcpu(world.slots[0]).state, RunState::Blocked);
    let asked = ShareBreak { first: Pfn(FIRST + 1), count: 1 };
    assert_eq!(world.call(1, &asked), Err((Error::NoMemory, 0)));
    world.destroy(slot);
    assert_eq!(world.state.vcpu(world.slots[0]).state, RunState::Runnable);
    check(&mut world, 0);
    world.finish();
}

/// Clauses: AWAY.9 AWAY.10
fn a_domain_that_ends_leaves_nothing_behind<P: Platform>() {
    let mut world = world::<P>(2, 8);
    take(&mut world, 0, PAGES);
    take(&mut world, 1, PAGES);
    // One page is on its way back.
    world.switch_to(0);
    let at = address(&world, 3);
    assert_eq!(world.fault(0, at, FaultAccess::empty()), Outcome::Return);
    world.destroy(world.slots[0]);
    assert_eq!(world.state.away_totals().pages, PAGES);
    check(&mut world, 1);
    world.finish();
}

fn what_is_like_another_is_shared_first<P: Platform>() {
    let mut world = world::<P>(2, 8);
    let config = ScanConfig {
        pages_per_second: 0,
        host_pages_per_second: 0,
        hints: 256,
        secret: [1, 2],
        hash_bits: 64,
    };
    assert!(world.state.enable_scanner(config));
    for domain in 0..2 {
        world.state.set_sharing_group(world.slots[domain], 1);
    }
    // What both have is found when the second is looked at; a page is looked at twice before it
    // is known to be steady.
    for _ in 0..3 {
        for domain in 0..2 {
            take(&mut world, domain, PAGES);
            check(&mut world, domain);
        }
    }
    assert!(world.state.sharing.counters.merged > 0);
    world.finish();
}
