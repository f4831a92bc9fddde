//! What leaves memory when it is short, and how it comes back.

use crate::world::{PAGE_BYTES, RW, World};
use kernel_core::{
    Access, Protection,
    memory::{Fault, FileId, Mapping, Place, Rights},
};

/// Private pages of a process, each with its number + 1 in the first byte.
fn filled(world: &mut World, who: usize, count: u64) -> u64 {
    let address = world.private(who, count);
    for page in 0..count {
        world.store(who, address + page * PAGE_BYTES, page as u8 + 1).unwrap();
    }
    address
}

/// Reads so many pages.
fn touch(world: &mut World, address: u64, count: u64) {
    for page in 0..count {
        world.load(0, address + page * PAGE_BYTES).unwrap();
    }
}

#[test]
fn pages_go_to_the_swap_area_and_come_back() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 10);
    assert_eq!(world.reclaim(10), 10);
    let usage = world.spaces[0].usage();
    assert_eq!((usage.anonymous, usage.swapped), (0, 10));
    let info = world.memory.info();
    assert_eq!((info.swap_total, info.swap_free, info.swap_cached), (32, 22, 0));
    assert_eq!(world.memory.swap.counts().written, 10);
    world.audit();
    for page in 0..10 {
        assert_eq!(world.load(0, address + page * PAGE_BYTES), Ok(page as u8 + 1));
    }
    assert_eq!(world.memory.swap.counts().read, 10);
    assert_eq!(world.memory.info().swap_cached, 10);
    let usage = world.spaces[0].usage();
    assert_eq!((usage.faults, usage.major_faults), (20, 10));
    world.audit();
    world.finish();
}

#[test]
fn what_was_not_written_since_is_dropped_without_writing() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 4);
    world.reclaim(4);
    touch(&mut world, address, 4);
    assert_eq!(world.entry(0, address).unwrap().1, Protection::empty());
    world.store(0, address, 99).unwrap();
    assert_eq!(world.memory.info().swap_cached, 3);
    assert_eq!(world.reclaim(4), 4);
    let counts = world.memory.swap.counts();
    assert_eq!((counts.written, counts.clean, counts.refaults), (5, 3, 4));
    assert_eq!(world.load(0, address), Ok(99));
    assert_eq!(world.load(0, address + PAGE_BYTES), Ok(2));
    world.finish();
}

#[test]
fn rights_that_come_back_do_not_make_a_clean_page_writable() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 1);
    world.reclaim(1);
    world.load(0, address).unwrap();
    world.protect(0, address, 1, Rights::READ).unwrap();
    world.protect(0, address, 1, RW).unwrap();
    world.audit();
    world.store(0, address, 9).unwrap();
    assert_eq!(world.reclaim(1), 1);
    assert_eq!(world.load(0, address), Ok(9));
    world.finish();
}

#[test]
fn pages_of_zeros_need_no_slot() {
    let mut world = World::new(64, 32);
    let address = world.private(0, 5);
    touch(&mut world, address, 5);
    assert_eq!(world.spaces[0].usage().anonymous, 5);
    assert_eq!(world.reclaim(5), 5);
    assert_eq!(world.memory.info().swap_free, 32);
    assert_eq!(world.memory.swap.counts().zero, 5);
    assert_eq!(world.load(0, address), Ok(0));

    // But over a file, zeros are content.
    world.add_file(3, &[Some(7)]);
    let file = Mapping::File { file: FileId(3), offset: 0, shared: false, writable: false };
    let mapped = world.map(0, Place::Anywhere, 1, RW, file).unwrap();
    for byte in 0..PAGE_BYTES {
        world.store(0, mapped + byte, 0).unwrap();
    }
    world.reclaim(9);
    assert_eq!(world.page_at(0, mapped), None);
    assert_eq!(world.load(0, mapped), Ok(0));
    world.finish();
}

#[test]
fn what_is_used_gets_a_second_chance() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 8);
    // All were used: the first round forgives all, the second takes the first two.
    assert_eq!(world.reclaim(2), 2);
    assert_eq!(world.page_at(0, address + PAGE_BYTES), None);
    for page in [2, 3, 5] {
        world.load(0, address + page * PAGE_BYTES).unwrap();
    }
    assert_eq!(world.reclaim(3), 3);
    let there: Vec<_> =
        (0..8).filter(|page| world.page_at(0, address + page * PAGE_BYTES).is_some()).collect();
    assert_eq!(there, [2, 3, 5]);
    world.finish();
}

#[test]
fn the_hand_goes_round_all_processes() {
    let mut world = World::new(64, 32);
    world.spawn();
    world.spawn();
    let addresses: Vec<_> = (0..3).map(|who| filled(&mut world, who, 4)).collect();
    assert_eq!(world.reclaim(6), 6);
    let left = |world: &World| -> Vec<_> {
        world.spaces.iter().map(|space| space.usage().anonymous).collect()
    };
    assert_eq!(left(&world), [0, 2, 4]);
    assert_eq!(world.reclaim(4), 4);
    assert_eq!(left(&world), [0, 0, 2]);
    // The one that the hand was in is gone, and so is nothing else.
    world.exit(2);
    assert_eq!(world.load(0, addresses[0]), Ok(1));
    assert_eq!(world.reclaim(9), 1);
    world.finish();
}

#[test]
fn a_slot_is_shared_by_those_who_shared_the_page() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 1);
    let child = world.fork(0);
    assert_eq!(world.reclaim(1), 1);
    assert_eq!(world.memory.info().swap_free, 31);
    assert_eq!(world.memory.swap.counts().written, 1);
    world.audit();
    // The first who comes reads it, the second shares it.
    assert_eq!(world.load(0, address), Ok(1));
    assert_eq!(world.load(child, address), Ok(1));
    assert_eq!(world.memory.swap.counts().read, 1);
    assert_eq!(world.page_at(0, address), world.page_at(child, address));
    world.store(child, address, 2).unwrap();
    assert_eq!(world.load(0, address), Ok(1));
    world.audit();
    world.exit(child);
    world.store(0, address, 3).unwrap();
    assert_eq!(world.memory.info().swap_free, 32);
    world.finish();
}

#[test]
fn what_one_writes_is_not_what_is_swapped_for_another() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 1);
    let child = world.fork(0);
    world.reclaim(1);
    // The parent has the page alone in memory, and the child's entry names the slot: the page
    // is the parent's, and the slot the child's.
    world.load(0, address).unwrap();
    let page = world.page_at(0, address);
    world.store(0, address, 9).unwrap();
    assert_eq!(world.page_at(0, address), page);
    world.audit();
    assert_eq!(world.load(child, address), Ok(1));
    assert_eq!(world.load(0, address), Ok(9));
    world.finish();
}

/// A fault that needs two pages and keeps the first when there is no second would wait for ever
/// for the one that it has itself.
#[test]
fn a_page_comes_back_for_writing_when_one_page_is_free() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 1);
    let child = world.fork(0);
    world.reclaim(1);
    let min = world.memory.frames.watermarks().min;
    world.inflate(world.memory.info().free - min - 1);
    assert_eq!(world.fault(0, address, Access::Write), Ok(()));
    world.store(0, address, 9).unwrap();
    world.audit();
    assert_eq!(world.fault(child, address, Access::Write), Err(Fault::NoMemory));
    assert_eq!(world.memory.info().free, min);
    world.audit();
    world.deflate();
    assert_eq!(world.load(child, address), Ok(1));
    world.finish();
}

#[test]
fn a_fork_of_swapped_pages_shares_their_slots() {
    let mut world = World::new(64, 32);
    let address = filled(&mut world, 0, 3);
    world.reclaim(3);
    let child = world.fork(0);
    world.audit();
    world.exit(0);
    assert_eq!(world.load(child - 1, address + PAGE_BYTES), Ok(2));
    world.finish();
}

#[test]
fn a_full_swap_area_keeps_the_rest_in_memory() {
    let mut world = World::new(64, 4);
    let address = filled(&mut world, 0, 10);
    assert_eq!(world.reclaim(10), 4);
    assert_eq!(world.reclaim(10), 0);
    assert_eq!(world.memory.info().swap_free, 0);
    // Slots that only pages in memory have are taken for others.
    touch(&mut world, address, 10);
    world.audit();
    assert_eq!(world.memory.info().swap_cached, 4);
    assert_eq!(world.reclaim(10), 4);
    world.audit();
    for page in 0..10 {
        assert_eq!(world.load(0, address + page * PAGE_BYTES), Ok(page as u8 + 1));
    }
    world.finish();
}

#[test]
fn without_a_swap_area_only_zeros_go() {
    let mut world = World::new(64, 0);
    let address = filled(&mut world, 0, 3);
    let zeros = world.private(0, 2);
    world.load(0, zeros).unwrap();
    assert_eq!(world.reclaim(9), 1);
    assert_eq!(world.load(0, address), Ok(1));
    world.finish();
}

#[test]
fn a_backing_that_fails_costs_the_page_and_nothing_else() {
    let mut world = World::new(64, 8);
    let address = filled(&mut world, 0, 2);
    world.backing_fails.set(true);
    assert_eq!(world.reclaim(2), 0);
    assert_eq!(world.load(0, address), Ok(1));
    world.backing_fails.set(false);
    assert_eq!(world.reclaim(2), 2);
    world.backing_fails.set(true);
    assert_eq!(world.fault(0, address, Access::Read), Err(Fault::Bus));
    world.audit();
    world.backing_fails.set(false);
    assert_eq!(world.load(0, address), Ok(1));
    world.finish();
}

#[test]
fn files_and_shared_memory_have_no_copy_and_stay() {
    let mut world = World::new(64, 8);
    world.add_file(3, &[Some(7), Some(8)]);
    let file = Mapping::File { file: FileId(3), offset: 0, shared: false, writable: false };
    let mapped = world.map(0, Place::Anywhere, 2, Rights::READ, file).unwrap();
    let shared = world.map(0, Place::Anywhere, 2, RW, Mapping::Shared).unwrap();
    world.load(0, mapped).unwrap();
    world.store(0, shared, 1).unwrap();
    assert_eq!(world.reclaim(9), 0);
    let info = world.memory.info();
    assert_eq!((info.cached, info.shared), (2, 1));
    world.finish();
}

#[test]
fn memory_larger_than_memory() {
    let mut world = World::new(32, 200);
    let address = world.private(0, 150);
    for round in 0..3_u64 {
        for page in 0..150 {
            let at = address + page * PAGE_BYTES;
            if round > 0 {
                assert_eq!(world.load(0, at), Ok((page * 3 + round - 1) as u8));
            }
            world.store(0, at, (page * 3 + round) as u8).unwrap();
        }
        world.audit();
    }
    assert!(world.memory.swap.counts().written > 300);
    world.finish();
}
