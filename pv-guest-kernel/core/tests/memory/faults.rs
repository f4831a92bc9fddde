//! Page faults: what comes to be when a process touches its memory, and what does not.

use crate::world::{LIMITS, PAGE_BYTES, RW, World};
use kernel_core::{
    Access, Platform, Protection,
    memory::{
        Fault, FileId, Kind, Mapping, Place, Rights, Settings, SpaceError,
        oom::{Candidate, Ended, Short},
    },
};

fn file(file: u64, shared: bool) -> Mapping {
    Mapping::File { file: FileId(file), offset: 0, shared, writable: true }
}

#[test]
fn anonymous_memory_is_zeros_and_writable_at_the_first_touch() {
    let mut world = World::new(32, 0);
    let address = world.private(0, 2);
    assert_eq!(world.load(0, address + 9), Ok(0));
    let (page, protection) = world.entry(0, address).unwrap();
    assert_eq!(protection, Protection::WRITE);
    assert_eq!(world.memory.frames.kind(page), Kind::Anonymous);
    world.store(0, address, 7).unwrap();
    assert_eq!(world.page_at(0, address), Some(page));
    assert_eq!(world.spaces[0].usage().resident(), 1);
    world.finish();
}

#[test]
fn who_only_reads_shares_the_page_of_zeros_when_memory_is_short() {
    let mut world = World::new(32, 0);
    let address = world.private(0, 4);
    world.inflate(24);
    assert_eq!(world.load(0, address), Ok(0));
    assert_eq!(world.load(0, address + PAGE_BYTES), Ok(0));
    let (zero, protection) = world.entry(0, address).unwrap();
    assert_eq!(world.page_at(0, address + PAGE_BYTES), Some(zero));
    assert_eq!(protection, Protection::empty());
    assert_eq!(world.spaces[0].usage().resident(), 0);
    world.audit();
    world.store(0, address, 7).unwrap();
    assert_ne!(world.page_at(0, address), Some(zero));
    assert_eq!(world.load(0, address + 1), Ok(0));
    assert_eq!(world.load(0, address + PAGE_BYTES), Ok(0));
    world.finish();
}

#[test]
fn a_fault_outside_or_against_the_rights_is_told_apart() {
    let mut world = World::new(32, 0);
    let address = world.map(0, Place::Anywhere, 1, Rights::READ, Mapping::Private).unwrap();
    assert_eq!(world.fault(0, address, Access::Write), Err(Fault::NotAllowed));
    assert_eq!(world.fault(0, address, Access::Execute), Err(Fault::NotAllowed));
    assert_eq!(world.fault(0, address + PAGE_BYTES, Access::Read), Err(Fault::NotMapped));
    for hostile in [0, 1 << 47, u64::MAX, u64::MAX - 4095, 1 << 63] {
        assert_eq!(world.fault(0, hostile, Access::Read), Err(Fault::NotMapped));
    }
    world.protect(0, address, 1, Rights::empty()).unwrap();
    assert_eq!(world.fault(0, address, Access::Read), Err(Fault::NotAllowed));
    world.finish();
}

#[test]
fn a_private_file_is_the_files_page_until_it_is_written() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(5), Some(6)]);
    let address = world.map(0, Place::Anywhere, 2, RW, file(3, false)).unwrap();
    assert_eq!(world.load(0, address), Ok(5));
    let of_file = world.files.files[&3].pages[0].unwrap();
    assert_eq!(world.entry(0, address), Some((of_file, Protection::empty())));
    world.store(0, address, 9).unwrap();
    assert_ne!(world.page_at(0, address), Some(of_file));
    assert_eq!((world.load(0, address), world.load(0, address + 1)), (Ok(9), Ok(5)));
    let mut byte = [0];
    world.platform.read(of_file, 0, &mut byte);
    assert_eq!(byte, [5]);
    assert_eq!(world.store(0, address + PAGE_BYTES, 1), Ok(()));
    world.audit();
    world.finish();
}

#[test]
fn the_last_who_maps_a_file_that_is_gone_still_copies() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(5)]);
    let address = world.map(0, Place::Anywhere, 1, RW, file(3, false)).unwrap();
    world.load(0, address).unwrap();
    let of_file = world.files.files.get_mut(&3).unwrap().pages[0].take().unwrap();
    assert!(!world.memory.frames.give(of_file));
    world.store(0, address, 9).unwrap();
    assert_ne!(world.page_at(0, address), Some(of_file));
    assert_eq!(world.memory.frames.kind(of_file), Kind::Free);
    world.finish();
}

#[test]
fn a_shared_file_is_the_files_page_for_all() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(5), None]);
    world.spawn();
    let one = world.map(0, Place::Anywhere, 2, RW, file(3, true)).unwrap();
    let two = world.map(1, Place::Anywhere, 2, Rights::READ, file(3, true)).unwrap();
    world.store(0, one, 8).unwrap();
    assert_eq!(world.load(1, two), Ok(8));
    assert_eq!(world.store(1, two, 8), Err(Fault::NotAllowed));
    // A hole that is only read must show what is written to it later.
    assert_eq!(world.load(1, two + PAGE_BYTES), Ok(0));
    world.store(0, one + PAGE_BYTES, 4).unwrap();
    assert_eq!(world.load(1, two + PAGE_BYTES), Ok(4));
    world.audit();
    world.finish();
}

#[test]
fn a_hole_of_a_private_file_takes_no_page_of_the_file() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[None]);
    let address = world.map(0, Place::Anywhere, 1, RW, file(3, false)).unwrap();
    assert_eq!(world.load(0, address), Ok(0));
    world.store(0, address, 1).unwrap();
    assert_eq!(world.files.files[&3].pages, [None]);
    world.finish();
}

#[test]
fn behind_the_end_of_a_file_is_a_bus_error() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(1)]);
    let address = world.map(0, Place::Anywhere, 2, RW, file(3, false)).unwrap();
    assert_eq!(world.fault(0, address + PAGE_BYTES, Access::Read), Err(Fault::Bus));
    assert_eq!(world.fault(0, address + PAGE_BYTES, Access::Write), Err(Fault::Bus));
    world.finish();
}

#[test]
fn what_is_cut_off_a_file_is_mapped_no_more() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(1), Some(2), Some(3)]);
    let address = world.map(0, Place::Anywhere, 3, RW, file(3, false)).unwrap();
    world.load(0, address).unwrap();
    world.store(0, address + 2 * PAGE_BYTES, 1).unwrap();
    let gone = world.files.files.get_mut(&3).unwrap().pages.split_off(1);
    let (spaces, mut parts) = world.parts();
    spaces[0].cut_file(&mut parts, FileId(3), 1);
    for page in gone.into_iter().flatten() {
        assert!(world.memory.frames.give(page));
    }
    assert_eq!(world.load(0, address), Ok(1));
    assert_eq!(world.load(0, address + PAGE_BYTES), Err(Fault::Bus));
    assert_eq!(world.load(0, address + 2 * PAGE_BYTES), Err(Fault::Bus));
    world.finish();
}

#[test]
fn memory_that_is_filled_in_order_comes_a_few_pages_at_a_time() {
    let mut world =
        World::with(128, 0, Settings { leaves: 9, around: 16, ahead: 4, ..Settings::default() });
    let pages = world.private(0, 23);
    let first = pages.next_multiple_of(4 * PAGE_BYTES);
    let address = |page: u64| first + page * PAGE_BYTES;
    let faults = |world: &World| world.spaces[0].usage().faults;
    let before = faults(&world);
    // The first says nothing of the next; the second brings those up to the next border.
    world.store(0, address(0), 1).unwrap();
    assert_eq!(world.entry(0, address(1)), None);
    world.store(0, address(1), 1).unwrap();
    for page in 2..4 {
        assert!(world.entry(0, address(page)).is_some(), "page {page}");
    }
    assert_eq!(world.entry(0, address(4)), None);
    (2..12).for_each(|page| world.store(0, address(page), 1).unwrap());
    assert_eq!(faults(&world), before + 4);
    assert_eq!(world.spaces[0].usage().anonymous, 12);
    // From above nothing comes that was not touched, nor over what is there.
    world.store(0, address(18), 1).unwrap();
    world.store(0, address(17), 1).unwrap();
    world.store(0, address(16), 1).unwrap();
    assert_eq!(world.entry(0, address(15)), None);
    assert_eq!(world.spaces[0].usage().anonymous, 15);
    // Nor when pages are few.
    world.inflate(world.memory.info().free - 8);
    world.store(0, address(12), 1).unwrap();
    assert_eq!(world.entry(0, address(13)), None);
    assert_eq!(world.load(0, address(3)), Ok(1));
    world.audit();
    world.deflate();
    world.finish();
}

#[test]
fn one_fault_maps_the_pages_around_it_that_the_file_has() {
    let mut world =
        World::with(64, 0, Settings { leaves: 9, around: 4, ahead: 1, ..Settings::default() });
    let mut pages = vec![Some(1); 16];
    pages[6] = None;
    world.add_file(3, &pages);
    let base = 512 * PAGE_BYTES;
    world.map(0, Place::Fixed(base), 16, Rights::READ, file(3, false)).unwrap();
    let (_, before) = world.platform.changes();
    world.fault(0, base + 5 * PAGE_BYTES, Access::Read).unwrap();
    assert_eq!(world.platform.changes().1, before + 1);
    let mapped: Vec<_> =
        (0..16).filter(|page| world.page_at(0, base + page * PAGE_BYTES).is_some()).collect();
    assert_eq!(mapped, [4, 5, 7]);
    assert_eq!(world.spaces[0].usage().file, 3);
    world.audit();
    world.finish();
}

#[test]
fn a_stack_grows_to_its_limit_and_leaves_the_gap() {
    let mut world = World::new(64, 0);
    let top = 2000 * PAGE_BYTES;
    let start = top - 2 * PAGE_BYTES;
    world.map(0, Place::Fixed(start), 2, RW, Mapping::Stack).unwrap();
    world.store(0, start - 3 * PAGE_BYTES, 1).unwrap();
    assert_eq!(world.spaces[0].areas()[0].pages.len(), 5);
    assert_eq!(world.load(0, start - PAGE_BYTES), Ok(0));
    let limit = top - LIMITS.stack * PAGE_BYTES;
    assert_eq!(world.load(0, limit - 1), Err(Fault::NotMapped));
    assert_eq!(world.load(0, limit), Ok(0));
    world.audit();
    world.finish();

    let mut world = World::new(64, 0);
    world.map(0, Place::Fixed(start), 2, RW, Mapping::Stack).unwrap();
    let below = start - 6 * PAGE_BYTES;
    world.map(0, Place::Fixed(below), 1, RW, Mapping::Private).unwrap();
    assert_eq!(world.load(0, start - PAGE_BYTES), Ok(0));
    assert_eq!(world.load(0, start - 2 * PAGE_BYTES), Err(Fault::NotMapped));
    world.finish();
}

#[test]
fn memory_that_is_out_changes_nothing() {
    let mut world = World::new(16, 0);
    let address = world.private(0, 64);
    let mut stored = 0;
    while world.store(0, address + stored * PAGE_BYTES, 1).is_ok() {
        stored += 1;
    }
    assert!((5..16).contains(&stored), "{stored}");
    let usage = world.spaces[0].usage();
    assert_eq!(usage.anonymous, stored);
    let next = address + stored * PAGE_BYTES;
    assert_eq!(world.fault(0, next, Access::Write), Err(Fault::NoMemory));
    assert_eq!(world.spaces[0].usage(), usage);
    world.audit();
    world.finish();
}

#[test]
fn a_process_cannot_have_the_kernels_heap_for_its_maps() {
    let mut world =
        World::with(256, 0, Settings { leaves: 2, around: 1, ahead: 1, ..Settings::default() });
    let limits = kernel_core::memory::Limits { pages: 1 << 20, ..LIMITS };
    world.spaces[0].set_limits(limits);
    for region in 0..3 {
        let at = Place::Fixed((512 * region + 64) * PAGE_BYTES);
        world.map(0, at, 1, RW, Mapping::Private).unwrap();
    }
    let address = |region: u64| (512 * region + 64) * PAGE_BYTES;
    world.store(0, address(0), 1).unwrap();
    world.store(0, address(2), 1).unwrap();
    assert_eq!(world.fault(0, address(1), Access::Write), Err(Fault::NoMemory));
    // To swap its pages would not help, so none is.
    assert_eq!(world.reclaim(1), 0);
    let who = Candidate { process: 2, usage: world.spaces[0].usage() };
    assert_eq!(Ended::new(&world.memory, who, b"").why, Short::Leaves);
    world.unmap(0, address(2), 1);
    assert_eq!(world.fault(0, address(1), Access::Write), Ok(()));
    world.finish();
}

#[test]
fn a_file_that_is_not_open_for_writing_is_not_written() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(1)]);
    let mapping = Mapping::File { file: FileId(3), offset: 0, shared: true, writable: false };
    let refused = world.map(0, Place::Anywhere, 1, RW, mapping);
    assert_eq!(refused, Err(SpaceError::NotAllowed));
    let address = world.map(0, Place::Anywhere, 1, Rights::READ, mapping).unwrap();
    assert_eq!(world.protect(0, address, 1, RW), Err(SpaceError::NotAllowed));
    assert_eq!(world.files.files[&3].kept, 1);
    world.finish();
}
