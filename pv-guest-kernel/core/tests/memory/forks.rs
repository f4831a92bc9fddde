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
fn fork_is_a_batch_for_the_parent_and_one_for_the_child() {
    let mut world = World::new(700, 0);
    let address = world.private(0, 300);
    (0..300).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
    let (changes, batches) = world.platform.changes();
    world.fork(0);
    let (changes_after, batches_after) = world.platform.changes();
    assert_eq!((changes_after - changes, batches_after - batches), (600, 2));
    // What is read-only already is not changed again.
    world.fork(0);
    let (changes_then, batches_then) = world.platform.changes();
    assert_eq!((changes_then - changes_after, batches_then - batches_after), (300, 1));
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
        assert!(spaces[0].fork(&mut parts).is_err());
        world.deflate();
        let after = world.memory.info();
        assert_eq!((after.free, after.tables, after.leaves), (before.free, before.tables, 1));
        world.audit();
        (0..8).for_each(|page| world.store(0, address + page * PAGE_BYTES, 2).unwrap());
        world.finish();
    }
    // Nor without room in the kernel's maps.
    let mut world = World::with(64, 0, Settings { leaves: 1, around: 1, ..Settings::default() });
    let address = world.private(0, 1);
    world.store(0, address, 1).unwrap();
    let (spaces, mut parts) = world.parts();
    assert!(spaces[0].fork(&mut parts).is_err());
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
