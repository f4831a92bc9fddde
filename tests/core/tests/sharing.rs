//! Pages that share a frame: how they come to it, who may, what a write does, and what each call
//! says of them.

use core_tests::World;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pte_update::{Space, Target, Update};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::*;
use hypercall_abi::extent::Order;
use hypercall_abi::trap::FaultAccess;
use hypercall_abi::{DomainId, Error, Mfn, Pfn, VirtAddr};
use pv_core::format::{Format, Permissions};
use pv_core::frame::Frame;
use pv_core::share::{PageName, Side};
use pv_core::{EndReason, Machine, Outcome, Platform, model};

/// The pages that the tests play with.
pub const FIRST: u64 = 100;
pub const PAGES: u64 = 8;

const RO: Permissions = Permissions { write: false, execute: false };
pub const RW: Permissions = Permissions { write: true, execute: false };

/// Domains of one sharing group, with their P2M registered and some pages that may be shared.
pub fn world<P: Platform>(domains: usize) -> World<P> {
    let mut world = World::<P>::new(domains, 128);
    assert!(world.state.enable_sharing(1000, 0));
    for domain in 0..domains {
        world.state.set_sharing_group(world.slots[domain], 1);
        register(&mut world, domain);
        advise(&mut world, domain, Advice::Share);
    }
    world
}

pub fn register<P: Platform>(world: &mut World<P>, domain: usize) {
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    let frame = world.p2m(domain, 3);
    world.machine.write(arguments, 0, frame.0);
    world.call(domain, &P2mRegister { count: 1 }).unwrap();
}

pub fn advise<P: Platform>(world: &mut World<P>, domain: usize, advice: Advice) {
    let advise = ShareAdvise { first: Pfn(FIRST), count: PAGES, advice, content: 0 };
    world.call(domain, &advise).unwrap();
}

pub fn name<P: Platform>(world: &World<P>, domain: usize, page: u64) -> PageName {
    PageName { domain: world.state.domain(world.slots[domain]).id, page: Pfn(FIRST + page) }
}

/// The frame of a page of a domain's, as its P2M has it.
pub fn frame<P: Platform>(world: &World<P>, domain: usize, page: u64) -> Mfn {
    world.p2m(domain, FIRST + page)
}

pub fn address<P: Platform>(world: &World<P>, page: u64) -> VirtAddr {
    world.physmap(FIRST + page)
}

/// What a domain finds in the first word of a page.
pub fn read<P: Platform>(world: &mut World<P>, domain: usize, page: u64) -> u64 {
    world.switch_to(domain);
    let address = address(world, page);
    world.machine.access(address, model::Access::Read).expect("the page is mapped")
}

/// Writes by way of the processor: a fault is the hypervisor's.
fn write_at<P: Platform>(world: &mut World<P>, domain: usize, address: VirtAddr, value: u64) {
    world.switch_to(domain);
    while world.machine.access(address, model::Access::Write(value)).is_err() {
        assert_eq!(
            world.fault(domain, address, FaultAccess::WRITE),
            Outcome::Return,
            "the write is made again"
        );
        assert_eq!(world.state.domain(world.slots[domain]).counters.traps, 0);
    }
    world.audit();
}

pub fn write<P: Platform>(world: &mut World<P>, domain: usize, page: u64, value: u64) {
    write_at(world, domain, address(world, page), value);
}

/// Has pairs merged that are wanted.
fn settle<P: Platform>(world: &mut World<P>) {
    while world.state.merge_step(&mut world.machine) {
        world.audit();
    }
}

/// Whether two pages could be merged.
pub fn merge<P: Platform>(world: &mut World<P>, first: (usize, u64), second: (usize, u64)) -> bool {
    let before = world.state.sharing.counters.merged;
    let first = Side::Page(name(world, first.0, first.1));
    let second = name(world, second.0, second.1);
    world.state.want_merge(&world.machine, first, second);
    settle(world);
    world.state.sharing.counters.merged > before
}

pub fn target<P: Platform>(world: &World<P>, page: u64) -> Target {
    Target::Page { space: Space::Kernel, address: address(world, page), flush: true }
}

for_each_platform! {
    equal_pages_get_one_frame
    a_write_copies
    the_last_sharer_is_not_copied
    different_pages_stay_as_they_are
    what_else_refers_to_a_frame_keeps_it
    a_page_that_has_moved_on_is_left_alone
    a_shared_frame_is_nobodys_to_name
    a_page_is_named_whatever_backs_it
    tables_go_with_their_entries
    groups_are_kept_apart
    pages_are_broken_up_on_request
}

/// Clauses: SHARE.1 SHARE.3
fn equal_pages_get_one_frame<P: Platform>() {
    let mut world = world::<P>(2);
    write(&mut world, 0, 0, 77);
    write(&mut world, 1, 3, 77);
    let (first, second) = (frame(&world, 0, 0), frame(&world, 1, 3));
    let unowned = world.state.frames.unowned();
    assert!(merge(&mut world, (0, 0), (1, 3)));
    assert_eq!(world.state.frames.unowned(), unowned + 1);
    assert_eq!((frame(&world, 0, 0), frame(&world, 1, 3)), (first, first));
    assert!(matches!(world.state.frames.get(second), Ok(Frame::Dirty { .. })));
    assert_eq!((read(&mut world, 0, 0), read(&mut world, 1, 3)), (77, 77));
    let totals = world.state.sharing_totals();
    assert_eq!((totals.frames, totals.pages, totals.zero_pages, totals.saved()), (1, 2, 0, 1));
    // Pages of zeros count apart, and a frame may back many pages, of one domain too.
    for page in [1, 2, 4] {
        assert!(merge(&mut world, (0, 5), (1, page)));
        assert!(merge(&mut world, (0, 5), (0, page)));
    }
    let totals = world.state.sharing_totals();
    assert_eq!((totals.frames, totals.pages, totals.zero_pages), (2, 9, 7));
    world.finish();
}

/// Clauses: SHARE.5 SHARE.6
/// Advisories: T139
fn a_write_copies<P: Platform>() {
    let mut world = world::<P>(3);
    for domain in 0..3 {
        write(&mut world, domain, 0, 77);
    }
    assert!(merge(&mut world, (0, 0), (1, 0)) && merge(&mut world, (0, 0), (2, 0)));
    let shared = frame(&world, 0, 0);
    // Everyone has the translation cached.
    assert_eq!(read(&mut world, 1, 0), 77);
    write(&mut world, 1, 0, 5);
    assert_eq!(read(&mut world, 1, 0), 5);
    assert_eq!((read(&mut world, 0, 0), read(&mut world, 2, 0)), (77, 77));
    assert_ne!(frame(&world, 1, 0), shared);
    assert_eq!(frame(&world, 0, 0), shared);
    let own = frame(&world, 1, 0);
    for word in 1..512 {
        assert_eq!(world.machine.read(own, word), world.machine.read(shared, word));
    }
    assert_eq!(world.state.sharing.counters.broken, 1);
    world.finish();
}

/// Clauses: SHARE.6
fn the_last_sharer_is_not_copied<P: Platform>() {
    let mut world = world::<P>(2);
    write(&mut world, 0, 0, 77);
    write(&mut world, 1, 0, 77);
    assert!(merge(&mut world, (0, 0), (1, 0)));
    let shared = frame(&world, 0, 0);
    write(&mut world, 0, 0, 1);
    let unowned = world.state.frames.unowned();
    assert_eq!(world.state.sharing_totals().pages, 1);
    write(&mut world, 1, 0, 2);
    assert_eq!(frame(&world, 1, 0), shared);
    assert_eq!(world.state.frames.unowned(), unowned);
    assert_eq!((read(&mut world, 0, 0), read(&mut world, 1, 0)), (1, 2));
    world.finish();
}

/// Clauses: SHARE.2
fn different_pages_stay_as_they_are<P: Platform>() {
    let mut world = world::<P>(2);
    write(&mut world, 0, 0, 77);
    write(&mut world, 1, 0, 77);
    let own = frame(&world, 1, 0);
    world.machine.write(own, 511, 1);
    let before = (frame(&world, 0, 0), own);
    assert!(!merge(&mut world, (0, 0), (1, 0)));
    assert_eq!(world.state.sharing.counters.differed, 1);
    assert_eq!((frame(&world, 0, 0), frame(&world, 1, 0)), before);
    // Both are writable without a fault.
    for domain in 0..2 {
        world.switch_to(domain);
        let address = address(&world, 0);
        assert_eq!(world.machine.access(address, model::Access::Write(9)), Ok(9));
    }
    world.finish();
}

/// Clauses: SHARE.2
fn what_else_refers_to_a_frame_keeps_it<P: Platform>() {
    let mut world = world::<P>(2);
    let share =
        GrantShare { domain: DomainId(2), frame: frame(&world, 0, 1), access: Access::Read };
    world.call(0, &share).unwrap();
    assert!(!merge(&mut world, (1, 0), (0, 1)), "it is granted");
    let table = frame(&world, 0, 2);
    world.update(0, target(&world, 2), 0).unwrap();
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    assert!(!merge(&mut world, (1, 0), (0, 2)), "it is a page table");
    // One of the P2M's own pages, and one that nobody has advised.
    let advise = ShareAdvise { first: Pfn(0), count: 8, advice: Advice::Share, content: 0 };
    world.call(0, &advise).unwrap();
    for page in 0..4 {
        let name = PageName { domain: DomainId(1), page: Pfn(page) };
        let first = Side::Page(self::name(&world, 1, 0));
        world.state.want_merge(&world.machine, first, name);
        settle(&mut world);
    }
    // Page 0 is the start information, which differs.
    assert_eq!(world.state.sharing.counters.merged, 0);
    assert!(world.state.sharing.counters.unmovable >= 5);
    // Many entries of a page: more than are looked for.
    for index in 0..20 {
        let value = P::Format::leaf(frame(&world, 0, 3), RO);
        world.update(0, Target::Entry { table, index }, value).unwrap();
    }
    assert!(!merge(&mut world, (1, 0), (0, 3)), "too many entries");
    assert!(merge(&mut world, (1, 0), (0, 4)));
    world.finish();
}

/// Clauses: SHARE.2
fn a_page_that_has_moved_on_is_left_alone<P: Platform<Format: Clone> + Clone>() {
    let mut world = world::<P>(2);
    let (first, second) = (Side::Page(name(&world, 0, 0)), name(&world, 1, 0));
    assert!(world.state.want_merge(&world.machine, first, second));
    let mut steps = 0;
    let mut trial = world.clone();
    while trial.state.sharing.counters.merged == 0 {
        assert!(trial.state.merge_step(&mut trial.machine));
        steps += 1;
    }
    // Everything is found out; the next step merges.
    for _ in 1..steps {
        assert!(world.state.merge_step(&mut world.machine));
    }
    let own = frame(&world, 1, 0);
    let changes: [fn(&mut World<P>, Mfn); 5] = [
        |world, _| advise(world, 1, Advice::Keep),
        |world, own| {
            let other = target(world, 6);
            world.update(1, other, P::Format::leaf(own, RO)).unwrap();
        },
        |world, _| {
            world.update(1, target(world, 0), 0).unwrap();
        },
        |world, frame| {
            let share = GrantShare { domain: DomainId(1), frame, access: Access::Read };
            world.call(1, &share).unwrap();
        },
        |world, _| {
            let id = world.state.domain(world.slots[1]).id;
            world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
        },
    ];
    for change in changes {
        let mut world = world.clone();
        change(&mut world, own);
        settle(&mut world);
        let counters = world.state.sharing.counters;
        assert_eq!((counters.merged, counters.unmovable), (0, 1));
        world.finish();
    }
    settle(&mut world);
    assert_eq!(world.state.sharing.counters.merged, 1);
    world.finish();
}

/// Clauses: SHARE.7
fn a_shared_frame_is_nobodys_to_name<P: Platform>() {
    let mut world = world::<P>(2);
    assert!(merge(&mut world, (0, 0), (1, 0)));
    let shared = frame(&world, 0, 0);
    let free = frame(&world, 0, 2);
    world.update(0, target(&world, 2), 0).unwrap();
    for domain in 0..2 {
        for permissions in [RO, RW] {
            let value = P::Format::leaf(shared, permissions);
            assert_eq!(world.update(domain, target(&world, 1), value), Err(Error::Moved));
        }
        let moved = Err((Error::Moved, 0));
        let other = DomainId(2 - domain as u16);
        let share = GrantShare { domain: other, frame: shared, access: Access::Read };
        assert_eq!(world.call(domain, &share), moved);
        for level in [Level::L1, Level::L2] {
            assert_eq!(world.call(domain, &PtCreate { frame: shared, level }), moved);
            assert_eq!(world.call(domain, &PtPin { frame: shared, level }), moved);
        }
        assert_eq!(world.call(domain, &PtUnpin { frame: shared }), moved);
        let arguments = world.state.vcpu(world.slots[domain]).arguments;
        world.machine.write(arguments, 0, shared.0);
        assert_eq!(world.call(domain, &BalloonInflate { count: 1, order: Order::Frame }), moved);
    }
    // A table that names it is none.
    world.machine.write(free, 5, P::Format::leaf(shared, RO));
    for word in (0..512).filter(|word| *word != 5) {
        world.machine.write(free, word, 0);
    }
    let refused = world.call(0, &PtPin { frame: free, level: Level::L1 });
    assert_eq!(refused, Err((Error::Moved, 0)));
    world.finish();
}

/// Clauses: PTE_UPDATE.17 PTE_UPDATE.18 PTE_UPDATE.19
fn a_page_is_named_whatever_backs_it<P: Platform>() {
    let mut world = world::<P>(2);
    let by_page = |world: &mut World<P>, page, pfn, permissions| {
        let value = P::Format::leaf(Mfn(pfn), permissions);
        let update = Update::of_page(target(world, page), value);
        world.call(0, &PteUpdate::One(update)).map_err(|(error, _)| error)
    };
    // A page with a frame of its own.
    by_page(&mut world, 1, FIRST, RW).unwrap();
    write(&mut world, 0, 1, 77);
    assert_eq!(read(&mut world, 0, 0), 77);
    write(&mut world, 1, 0, 77);
    assert!(merge(&mut world, (0, 0), (1, 0)), "two entries are found");
    // A third entry, and one for reading alone.
    by_page(&mut world, 2, FIRST, RW).unwrap();
    by_page(&mut world, 3, FIRST, RO).unwrap();
    by_page(&mut world, 3, FIRST, RO).unwrap();
    for page in 0..4 {
        assert_eq!(read(&mut world, 0, page), 77);
    }
    // A write through that one is the guest's fault.
    world.switch_to(0);
    world.state.domain(world.slots[0]);
    let third = address(&world, 3);
    assert_eq!(world.machine.access(third, model::Access::Write(1)), Err(model::Fault));
    // A write through another reaches all of them, and nobody else.
    write(&mut world, 0, 2, 6);
    for page in 0..4 {
        assert_eq!(read(&mut world, 0, page), 6);
    }
    assert_eq!(read(&mut world, 1, 0), 77);
    let none = by_page(&mut world, 1, 1 << 20, RW);
    assert_eq!(none, Err(Error::BadArgument));
    let slot = world.p2m(0, 3);
    let kept = world.machine.read(slot, 500);
    for (alleged, error) in [
        (Mfn::NONE, Error::BadFrame),
        (frame(&world, 1, 1), Error::NotOwner),
        (Mfn(0x110), Error::NotOwner),
    ] {
        world.machine.write(slot, 500, alleged.0);
        assert_eq!(by_page(&mut world, 1, 500, RO), Err(error));
    }
    world.machine.write(slot, 500, kept);
    assert_eq!(
        world.call(0, &PteUpdate::One(Update::of_page(target(&world, 1), 0))),
        Err((Error::BadEntry, 0))
    );
    // Without a P2M there are no pages.
    let mut bare = World::<P>::new(1, 128);
    let value = P::Format::leaf(Mfn(FIRST), RO);
    let update = PteUpdate::One(Update::of_page(target(&bare, 1), value));
    assert_eq!(bare.call(0, &update), Err((Error::NotRegistered, 0)));
    world.finish();
}

/// Clauses: SHARE.5
fn tables_go_with_their_entries<P: Platform>() {
    let mut world = world::<P>(2);
    let table = frame(&world, 0, 7);
    world.update(0, target(&world, 7), 0).unwrap();
    world.call(0, &PtCreate { frame: table, level: Level::L1 }).unwrap();
    let entry = |index| Target::Entry { table, index };
    let own = frame(&world, 0, 0);
    world.update(0, entry(3), P::Format::leaf(own, RW)).unwrap();
    assert!(merge(&mut world, (1, 0), (0, 0)));
    let value = P::Format::leaf(Mfn(FIRST), RW);
    world.call(0, &PteUpdate::One(Update::of_page(entry(9), value))).unwrap();
    world.update(0, entry(3), 0).unwrap();
    world.call(0, &PtUnpin { frame: table }).unwrap();
    // One more entry is left, and works.
    write(&mut world, 0, 0, 3);
    assert_eq!((read(&mut world, 0, 0), read(&mut world, 1, 0)), (3, 0));
    world.finish();
}

/// Clauses: SHARE.8 RULE.14
fn groups_are_kept_apart<P: Platform>() {
    let mut world = world::<P>(3);
    for (first, second, merged) in [(0, 0, false), (0, 2, false), (2, 3, false), (2, 2, true)] {
        world.state.set_sharing_group(world.slots[0], first);
        world.state.set_sharing_group(world.slots[1], second);
        assert_eq!(merge(&mut world, (0, 0), (1, 0)), merged, "{first} {second}");
    }
    // A frame that is shared is of its group, too.
    let shared = frame(&world, 0, 0);
    let third = name(&world, 2, 0);
    assert!(world.state.want_merge(&world.machine, Side::Frame(shared), third));
    settle(&mut world);
    assert_eq!(world.state.sharing.counters.merged, 1);
    world.state.set_sharing_group(world.slots[2], 2);
    assert!(world.state.want_merge(&world.machine, Side::Frame(shared), third));
    settle(&mut world);
    assert_eq!(world.state.sharing.counters.merged, 2);
    world.finish();
}

/// Clauses: SHARE_BREAK.4 SHARE_BREAK.5
fn pages_are_broken_up_on_request<P: Platform>() {
    let mut world = world::<P>(2);
    for page in 0..PAGES {
        write(&mut world, 0, page, page);
        write(&mut world, 1, page, page);
        assert!(merge(&mut world, (0, page), (1, page)));
    }
    world.state.set_budget(1);
    let count = PAGES + 4;
    assert_eq!(world.call(1, &ShareBreak { first: Pfn(FIRST - 2), count }), Ok(count));
    for page in 0..PAGES {
        assert_ne!(frame(&world, 0, page), frame(&world, 1, page));
        let own = frame(&world, 1, page);
        let share = GrantShare { domain: DomainId(1), frame: own, access: Access::ReadWrite };
        world.call(1, &share).unwrap();
        assert_eq!((read(&mut world, 0, page), read(&mut world, 1, page)), (page, page));
    }
    world.finish();
}
