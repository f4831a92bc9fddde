//! `mmap`, `munmap`, `mprotect`, `brk`: what they make and refuse.

use crate::world::{LAYOUT, LIMITS, PAGE_BYTES, RW, World};
use kernel_core::memory::{
    Fault, FileId, Kind, Limits, Mapping, Place, Rights, Settings, SpaceError,
};

#[test]
fn mappings_go_from_the_top_down_into_gaps() {
    let mut world = World::new(32, 0);
    let one = world.private(0, 2);
    assert_eq!(one, LAYOUT.mmap_top - 2 * PAGE_BYTES);
    let two = world.private(0, 3);
    assert_eq!(two, one - 3 * PAGE_BYTES);
    world.unmap(0, one, 2);
    assert_eq!(world.private(0, 1), LAYOUT.mmap_top - PAGE_BYTES);
    assert_eq!(world.private(0, 2), two - 2 * PAGE_BYTES);
    world.finish();
}

#[test]
fn hints_fixed_and_free_places() {
    let mut world = World::new(32, 0);
    let at = 100 * PAGE_BYTES;
    let map = |world: &mut World, place| world.map(0, place, 2, RW, Mapping::Private);
    assert_eq!(map(&mut world, Place::Near(at)), Ok(at));
    assert_ne!(map(&mut world, Place::Near(at)), Ok(at));
    assert_eq!(map(&mut world, Place::Free(at + PAGE_BYTES)), Err(SpaceError::Exists));
    world.store(0, at + PAGE_BYTES, 1).unwrap();
    assert_eq!(map(&mut world, Place::Fixed(at + PAGE_BYTES)), Ok(at + PAGE_BYTES));
    assert_eq!(world.load(0, at + PAGE_BYTES), Ok(0));
    world.audit();
    world.finish();
}

#[test]
fn hostile_ranges_are_refused() {
    let mut world = World::new(32, 0);
    let (spaces, mut parts) = world.parts();
    let space = &mut spaces[0];
    let mut map = |place, length| space.map(&mut parts, place, length, RW, Mapping::Private);
    assert_eq!(map(Place::Anywhere, 0), Err(SpaceError::BadRange));
    assert_eq!(map(Place::Anywhere, u64::MAX), Err(SpaceError::NoRoom));
    assert_eq!(map(Place::Anywhere, LAYOUT.end), Err(SpaceError::NoRoom));
    assert_eq!(map(Place::Fixed(1), 4096), Err(SpaceError::BadRange));
    assert_eq!(map(Place::Fixed(0), 4096), Err(SpaceError::NoRoom));
    assert_eq!(map(Place::Fixed(LAYOUT.end), 4096), Err(SpaceError::NoRoom));
    assert_eq!(map(Place::Fixed(u64::MAX - 4095), 4096), Err(SpaceError::NoRoom));
    assert_eq!(map(Place::Fixed(LAYOUT.end - 4096), 4097), Err(SpaceError::NoRoom));
    for (address, length) in
        [(1, 4096), (0, 0), (4096, u64::MAX), (LAYOUT.end, 4096), (!4095, 4096)]
    {
        assert_eq!(space.unmap(&mut parts, address, length), Err(SpaceError::BadRange));
        let result = space.protect(&mut parts, address, length, RW);
        assert_eq!(result, Err(SpaceError::BadRange));
        assert_eq!(space.discard(&mut parts, address, length), Err(SpaceError::BadRange));
    }
    let offsets = [1, u64::MAX, !4095, i64::MAX as u64 & !4095];
    for offset in offsets {
        let file = Mapping::File { file: FileId(0), offset, shared: false, writable: true };
        let result = space.map(&mut parts, Place::Anywhere, 8192, RW, file);
        assert_eq!(result, Err(SpaceError::BadRange));
    }
    world.finish();
}

#[test]
fn areas_and_pages_are_limited() {
    let mut world = World::new(32, 0);
    world.spaces[0].set_limits(Limits { areas: 3, pages: 12, ..LIMITS });
    let address = world.private(0, 10);
    let refused = world.map(0, Place::Anywhere, 3, RW, Mapping::Private);
    assert_eq!(refused, Err(SpaceError::OverLimit));
    // What takes the place of something counts only itself.
    let again = world.map(0, Place::Fixed(address), 12, Rights::READ, Mapping::Private);
    assert_eq!(again, Ok(address));
    world.protect(0, address + 4 * PAGE_BYTES, 1, RW.union(Rights::EXECUTE)).unwrap();
    assert_eq!(world.spaces[0].areas().len(), 3);
    let refused = world.protect(0, address, 1, Rights::EXECUTE);
    assert_eq!(refused, Err(SpaceError::OverLimit));
    let (spaces, mut parts) = world.parts();
    let refused = spaces[0].unmap(&mut parts, address + PAGE_BYTES, PAGE_BYTES);
    assert_eq!(refused, Err(SpaceError::OverLimit));
    assert_eq!(spaces[0].unmap(&mut parts, address, PAGE_BYTES), Ok(()));
    world.audit();
    world.finish();
}

#[test]
fn rights_change_up_to_a_hole() {
    let mut world = World::new(32, 0);
    let address = world.private(0, 8);
    let (spaces, mut parts) = world.parts();
    spaces[0].unmap(&mut parts, address + 4 * PAGE_BYTES, PAGE_BYTES).unwrap();
    let refused = world.protect(0, address + 2 * PAGE_BYTES, 6, Rights::READ);
    assert_eq!(refused, Err(SpaceError::NotMapped));
    let rights: Vec<_> =
        world.spaces[0].areas().iter().map(|area| (area.pages.len(), area.rights)).collect();
    assert_eq!(rights, [(2, RW), (2, Rights::READ), (3, RW)]);
    let refused = world.protect(0, address + 4 * PAGE_BYTES, 4, Rights::READ);
    assert_eq!(refused, Err(SpaceError::NotMapped));
    assert_eq!(world.spaces[0].areas().len(), 3);
    world.finish();
}

#[test]
fn areas_are_limited_in_all_and_one_space_has_a_quarter() {
    let mut world = World::with(64, 0, Settings { areas: 8, ..Settings::default() });
    // The world has one space; four more, each with two areas that cannot be one.
    (0..4).for_each(|_| world.spawn());
    for who in 0..4 {
        world.map(who, Place::Anywhere, 1, RW, Mapping::Private).unwrap();
        let next = world.map(who, Place::Anywhere, 1, Rights::READ, Mapping::Private).unwrap();
        let third = world.map(who, Place::Anywhere, 1, Rights::all(), Mapping::Private);
        assert_eq!(third, Err(SpaceError::OverLimit), "a third area of space {who}");
        // One in place of another is none more.
        world.map(who, Place::Fixed(next), 1, Rights::EXECUTE, Mapping::Private).unwrap();
    }
    let refused = world.map(4, Place::Anywhere, 1, RW, Mapping::Private);
    assert_eq!(refused, Err(SpaceError::OverLimit), "a ninth area");
    world.exit(0);
    world.map(3, Place::Anywhere, 1, RW, Mapping::Private).unwrap();
    world.audit();
    world.finish();
}

#[test]
fn page_tables_are_limited_and_come_back() {
    let mut world = World::with(64, 0, Settings { tables: 4, ..Settings::default() });
    // A root, two tables for the first page, and one more for each 2 MiB after that.
    let places: Vec<_> = (0..4).map(|part| LAYOUT.lowest + part * 512 * PAGE_BYTES).collect();
    for place in &places {
        world.map(0, Place::Fixed(*place), 1, RW, Mapping::Private).unwrap();
    }
    let served: Vec<_> = places.iter().map(|place| world.store(0, *place, 1)).collect();
    let refused = served.iter().position(Result::is_err).expect("tables have an end");
    assert_eq!(served[refused], Err(Fault::NoMemory));
    assert!(world.memory.frames.tables_are_out() && world.memory.frames.count(Kind::Free) > 40);
    assert_eq!(world.reclaim(8), 0, "pages are not what is short");
    world.exit(0);
    world.spawn();
    world.audit();
    world.finish();
}

#[test]
fn what_is_unmapped_comes_back_at_once() {
    let mut world = World::new(64, 0);
    let address = world.private(0, 20);
    let free = world.memory.info().free;
    (0..20).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
    world.unmap(0, address + 5 * PAGE_BYTES, 10);
    let tables = world.spaces[0].usage().tables;
    assert_eq!(world.memory.info().free, free - 10 - (tables - 1));
    assert_eq!(world.load(0, address + 5 * PAGE_BYTES), Err(Fault::NotMapped));
    assert_eq!(world.load(0, address + 4 * PAGE_BYTES), Ok(1));
    assert_eq!(world.load(0, address + 15 * PAGE_BYTES), Ok(1));
    assert_eq!(world.spaces[0].usage().mapped, 10);
    assert_eq!(world.spaces[0].usage().peak_resident, 20);
    world.audit();
    world.finish();
}

#[test]
fn large_ranges_go_in_large_batches() {
    let mut world = World::new(1300, 0);
    let address = world.private(0, 900);
    (0..900).for_each(|page| world.store(0, address + page * PAGE_BYTES, 1).unwrap());
    let (changes, batches) = world.platform.changes();
    world.protect(0, address, 900, Rights::READ).unwrap();
    let (changed, changed_batches) = world.platform.changes();
    assert_eq!((changed - changes, changed_batches - batches), (900, 2));
    world.audit();
    world.unmap(0, address, 900);
    let (unmapped, unmapped_batches) = world.platform.changes();
    assert_eq!((unmapped - changed, unmapped_batches - changed_batches), (900, 2));
    world.finish();
}

#[test]
fn the_heap_grows_shrinks_and_stops_at_what_is_in_its_way() {
    let mut world = World::new(32, 0);
    let start = 100 * PAGE_BYTES + 123;
    world.spaces[0].start_heap(start);
    world.map(0, Place::Fixed(105 * PAGE_BYTES), 1, RW, Mapping::Shared).unwrap();
    let (spaces, mut parts) = world.parts();
    let mut set = |end| spaces[0].set_heap_end(&mut parts, end);
    assert_eq!(set(0), start);
    assert_eq!(set(start + 1000), start + 1000);
    assert_eq!(set(start + 9000), start + 9000);
    assert_eq!(set(106 * PAGE_BYTES), start + 9000);
    assert_eq!(set(u64::MAX), start + 9000);
    assert_eq!(set(105 * PAGE_BYTES), 105 * PAGE_BYTES);
    world.store(0, 104 * PAGE_BYTES, 1).unwrap();
    assert_eq!(world.load(0, start), Err(Fault::NotMapped));
    let (spaces, mut parts) = world.parts();
    assert_eq!(spaces[0].set_heap_end(&mut parts, start), start);
    assert_eq!(world.load(0, 104 * PAGE_BYTES), Err(Fault::NotMapped));
    world.audit();
    world.finish();
}

#[test]
fn what_is_discarded_is_as_new() {
    let mut world = World::new(32, 0);
    world.add_file(3, &[Some(5)]);
    let address = world.private(0, 2);
    let file = Mapping::File { file: FileId(3), offset: 0, shared: false, writable: false };
    let mapped = world.map(0, Place::Anywhere, 1, RW, file).unwrap();
    world.store(0, address, 1).unwrap();
    world.store(0, mapped, 2).unwrap();
    let (spaces, mut parts) = world.parts();
    spaces[0].discard(&mut parts, address, 2 * PAGE_BYTES).unwrap();
    spaces[0].discard(&mut parts, mapped, PAGE_BYTES).unwrap();
    assert_eq!(world.load(0, address), Ok(0));
    assert_eq!(world.load(0, mapped), Ok(5));
    let (spaces, mut parts) = world.parts();
    let result = spaces[0].discard(&mut parts, address, 99 * PAGE_BYTES);
    assert_eq!(result, Err(SpaceError::NotMapped));
    world.finish();
}
