//! Fork and copy on write.

use crate::world::{PAGE_BYTES, RW, World};
use kernel_core::{
    Access, Protection,
    memory::{Mapping, Place, Rights, Settings},
};

#[test]
fn both_see_what_was_and_neither_what_the_other_writes() {
    let mut world = World::new(64, 0);
    let address = world.private(0, 2);
    world.store(0, address, 1).unwrap();
    let child = world.fork(0);
    assert_eq!(world.load(child, address), Ok(1));
    assert_eq!(world.page_at(child, address), world.page_at(0, address));
    assert_eq!(world.entry(0, address).unwrap().1, Protection::empty());
    world.audit();
    world.store(0, address, 2).unwrap();
    assert_eq!(world.load(child, address), Ok(1));
    world.store(child, address, 3).unwrap();
    world.store(child, address + PAGE_BYTES, 4).unwrap();
    assert_eq!(world.load(0, address), Ok(2));
    assert_eq!(world.load(0, address + PAGE_BYTES), Ok(0));
    world.audit();
    world.finish();
}

#[test]
fn the_last_who_has_a_page_writes_it_in_place() {
    let mut world = World::new(64, 0);
    let address = world.private(0, 1);
    world.store(0, address, 1).unwrap();
    let page = world.page_at(0, address);
    let child = world.fork(0);
    world.store(child, address, 2).unwrap();
    assert_ne!(world.page_at(child, address), page);
    world.store(0, address, 3).unwrap();
    assert_eq!(world.page_at(0, address), page);

    let child = world.fork(0);
    world.exit(child);
    world.store(0, address, 4).unwrap();
    assert_eq!(world.page_at(0, address), page);
    world.finish();
}

#[test]
fn many_generations_keep_their_own() {
    let mut world = World::new(200, 0);
    let address = world.private(0, 4);
    for generation in 0..20 {
        world.store(generation, address + generation as u64 % 4, generation as u8 + 1).unwrap();
        let child = world.fork(generation);
        assert_eq!(child, generation + 1);
    }
    for generation in 0..20_u8 {
        for offset in 0..4 {
            let last = (0..=generation).rev().find(|earlier| earlier % 4 == offset);
            let expected = last.map_or(0, |earlier| earlier + 1);
            let found = world.load(generation.into(), address + u64::from(offset));
            assert_eq!(found, Ok(expected), "generation {generation}, byte {offset}");
        }
    }
    world.audit();
    world.finish();
}

#[test]
fn shared_memory_stays_shared() {
    let mut world = World::new(64, 0);
    let address = world.map(0, Place::Anywhere, 2, RW, Mapping::Shared).unwrap();
    world.store(0, address, 1).unwrap();
    let child = world.fork(0);
    assert_eq!(world.entry(0, address).unwrap().1, Protection::WRITE);
    world.store(child, address, 2).unwrap();
    // Nobody had touched this one.
    world.store(child, address + PAGE_BYTES, 3).unwrap();
    assert_eq!(world.load(0, address), Ok(2));
    assert_eq!(world.load(0, address + PAGE_BYTES), Ok(3));
    world.audit();
    world.exit(0);
    assert_eq!(world.load(0, address), Ok(2));
    world.finish();
}

#[test]
fn fork_is_a_batch_for_the_parent_and_a_little_for_the_child() {
    let mut world = World::new(700, 0);
    let address = world.private(0, 304);
    (0..304).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
    let (changes, batches) = world.platform.changes();
    // What is around the next instruction: as many as a fault maps.
    let child = world.fork_at(0, address + 32 * PAGE_BYTES, 0);
    let (changes_after, batches_after) = world.platform.changes();
    assert_eq!((changes_after - changes, batches_after - batches), (304 + 16, 2));
    let mapped = (0..304).filter(|page| world.entry(child, address + page * PAGE_BYTES).is_some());
    assert_eq!(mapped.count(), 16);
    // What is read-only already is not changed again.
    world.fork(0);
    assert_eq!(world.platform.changes(), (changes_after, batches_after));
    world.audit();
    world.finish();
}

#[test]
fn a_child_finds_its_pages_with_those_around_them() {
    let mut world = World::new(64, 0);
    // Around a page are those that follow a border of sixteen.
    let pages = world.private(0, 47);
    let first = pages.next_multiple_of(16 * PAGE_BYTES);
    let address = |page: u8| first + u64::from(page) * PAGE_BYTES;
    (0..20).for_each(|page| world.store(0, address(page), page).unwrap());
    let child = world.fork(0);
    let is_mapped = |world: &mut World, page: u8| world.entry(child, address(page)).is_some();
    assert!((0..20).all(|page| !is_mapped(&mut world, page)));
    let faults = world.spaces[child].usage().faults;
    assert_eq!(world.load(child, address(5)), Ok(5));
    assert!((0..20).all(|page| is_mapped(&mut world, page) == (page < 16)));
    (0..16).for_each(|page| assert_eq!(world.load(child, address(page)), Ok(page)));
    assert_eq!(world.spaces[child].usage().faults, faults + 1);
    // To write is to copy, mapped or not.
    for page in [6, 18] {
        world.store(child, address(page), 100).unwrap();
        assert_eq!(world.load(0, address(page)), Ok(page));
    }
    assert!(!is_mapped(&mut world, 19));
    // Who is left alone with its pages has them to write, hidden or not.
    world.exit(0);
    world.store(child - 1, address(19), 7).unwrap();
    world.audit();
    world.finish();
}

#[test]
fn the_page_of_the_stack_is_copied_at_once() {
    let mut world = World::new(64, 0);
    let address = world.private(0, 2);
    (0..2).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
    let page = world.page_at(0, address);
    let child = world.fork_at(0, 0, address + 100);
    // Each writes its own without a fault; the other page is shared.
    assert_eq!(world.page_at(0, address), page);
    assert_ne!(world.page_at(child, address), page);
    for who in [0, child] {
        assert_eq!(world.entry(who, address).unwrap().1, Protection::WRITE);
        assert_eq!(world.load(who, address), Ok(1));
    }
    world.store(child, address, 2).unwrap();
    assert_eq!(world.load(0, address), Ok(1));
    let other = address + PAGE_BYTES;
    assert_eq!(world.load(child, other), Ok(1));
    assert_eq!(world.page_at(child, other), world.page_at(0, other));
    world.audit();
    world.finish();
}

#[test]
fn a_fork_without_memory_leaves_no_child_and_the_parent_whole() {
    for pages in 16..22 {
        let mut world = World::new(pages, 0);
        let address = world.private(0, 8);
        (0..8).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
        let before = world.memory.info();
        world.inflate(before.free - 2);
        let (spaces, mut parts) = world.parts();
        assert!(spaces[0].fork(&mut parts, address, 0).is_err());
        world.deflate();
        let after = world.memory.info();
        assert_eq!((after.free, after.tables, after.leaves), (before.free, before.tables, 1));
        world.audit();
        (0..8).for_each(|page| world.store(0, address + page * PAGE_BYTES, 2).unwrap());
        world.finish();
    }
    // Nor without room in the kernel's maps.
    let mut world =
        World::with(64, 0, Settings { leaves: 1, around: 1, ahead: 1, ..Settings::default() });
    let address = world.private(0, 1);
    world.store(0, address, 1).unwrap();
    let (spaces, mut parts) = world.parts();
    assert!(spaces[0].fork(&mut parts, address, 0).is_err());
    world.audit();
    world.finish();
}

#[test]
fn rights_that_come_back_do_not_make_shared_pages_writable() {
    let mut world = World::new(64, 0);
    let address = world.private(0, 1);
    world.store(0, address, 1).unwrap();
    world.protect(0, address, 1, Rights::READ).unwrap();
    let child = world.fork(0);
    world.protect(0, address, 1, RW).unwrap();
    world.protect(child, address, 1, RW).unwrap();
    assert_eq!(world.load(child, address), Ok(1));
    assert_eq!(world.entry(child, address).unwrap().1, Protection::empty());
    world.store(child, address, 2).unwrap();
    assert_eq!(world.load(0, address), Ok(1));

    // Nor do those that were hidden meanwhile.
    world.protect(0, address, 1, Rights::empty()).unwrap();
    assert_eq!(world.entry(0, address), None);
    let hidden = world.fork(0);
    world.protect(hidden, address, 1, RW).unwrap();
    world.store(hidden, address, 5).unwrap();
    world.protect(0, address, 1, RW).unwrap();
    assert_eq!(world.fault(0, address, Access::Read), Ok(()));
    assert_eq!(world.load(0, address), Ok(1));
    world.audit();
    world.finish();
}
