//! Listing directories while they change.

use super::*;
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    string::{String, ToString},
};

/// Takes up to `count` entries from a listing.
fn take(world: &mut World, id: DescriptionId, count: usize) -> Vec<(String, u64)> {
    let mut taken = Vec::new();
    let listed = world.fs.list(id, &world.table, &mut |entry| {
        if taken.len() == count {
            return false;
        }
        taken.push((String::from_utf8(entry.name.to_vec()).unwrap(), entry.next));
        true
    });
    assert_eq!(listed, Ok(()));
    taken
}

#[test]
fn entries_say_what_they_are() {
    let mut world = World::new();
    world.fs.set_up().unwrap();
    world.put("/f", b"");
    world.symlink("f", "/s").unwrap();
    world.mkfifo("/p").unwrap();
    let id = world.open("/", OpenFlags::empty());
    let mut kinds = BTreeMap::new();
    let each = &mut |entry: Entry<'_>| {
        kinds.insert(entry.name.to_vec(), (entry.kind.entry_type(), entry.ino));
        true
    };
    world.fs.list(id, &world.table, each).unwrap();
    let kind = |name: &str| kinds[name.as_bytes()].0;
    assert_eq!((kind("f"), kind("s"), kind("p"), kind("dev"), kind("proc")), (8, 10, 1, 4, 4));
    assert_eq!((kind("."), kind("..")), (4, 4));
    for name in ["f", "s", "p", "dev", "proc", "."] {
        assert_eq!(kinds[name.as_bytes()].1, world.stat(&format!("/{name}")).unwrap().ino);
    }
    let file = world.open("/f", OpenFlags::empty());
    assert_eq!(world.fs.list(file, &world.table, &mut |_| true), Err(Errno::ENOTDIR));
}

#[test]
fn a_listing_goes_on_where_it_was_or_is_told() {
    let mut world = World::new();
    for name in ["/a", "/b", "/c"] {
        world.put(name, b"");
    }
    let id = world.open("/", OpenFlags::empty());
    assert_eq!(take(&mut world, id, 0), []);
    let first = take(&mut world, id, 3);
    assert_eq!(first.iter().map(|entry| &*entry.0).collect::<Vec<_>>(), [".", "..", "a"]);
    assert_eq!(take(&mut world, id, 1)[0].0, "b");
    world.fs.seek(id, first[1].1 as i64, Seek::Start).unwrap();
    assert_eq!(take(&mut world, id, 1)[0].0, "a");
    assert_eq!(take(&mut world, id, 9).len(), 2);
    assert_eq!(take(&mut world, id, 9), []);
    world.fs.seek(id, 0, Seek::Start).unwrap();
    assert_eq!(take(&mut world, id, 9).len(), 5);
    world.fs.seek(id, i64::MAX, Seek::Start).unwrap();
    assert_eq!(take(&mut world, id, 9), []);
    assert_eq!(world.fs.seek(id, 0, Seek::End), Err(Errno::EINVAL));
}

#[test]
fn removing_all_while_listing_misses_none() {
    let mut world = World::new();
    world.mkdir("/d").unwrap();
    for number in 0..100 {
        world.put(&format!("/d/{number}"), b"");
    }
    let id = world.open("/d", OpenFlags::empty());
    let mut seen = 0;
    loop {
        let entries = take(&mut world, id, 7);
        if entries.is_empty() {
            break;
        }
        for (name, _) in entries.iter().filter(|entry| !entry.0.starts_with('.')) {
            assert_eq!(world.unlink(&format!("/d/{name}")), Ok(()));
            seen += 1;
        }
    }
    assert_eq!(seen, 100);
    assert_eq!(world.rmdir("/d"), Ok(()));
    assert_eq!(world.fs.list(id, &world.table, &mut |_| true), Err(Errno::ENOENT));
}

proptest! {
    /// What is there from the beginning of a listing to its end is listed exactly once; what was
    /// never there, not at all.
    #[test]
    fn a_listing_is_stable_under_change(
        steps in proptest::collection::vec((0..4u8, 0..30u8, 0..30u8, 0..5usize), 1..60),
    ) {
        let mut world = World::new();
        let path = |number: u8| format!("/n{number}");
        for number in 0..15 {
            world.put(&path(number), b"");
        }
        let there = |world: &mut World| -> BTreeSet<String> {
            world.names("/").into_iter().collect()
        };
        let mut throughout = there(&mut world);
        let mut ever = throughout.clone();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let id = world.open("/", OpenFlags::empty());
        for (what, one, other, count) in steps {
            match what {
                0 => world.unlink(&path(one)).unwrap_or(()),
                1 => {
                    let id = world.open(&path(one), CREATE);
                    world.close(id);
                }
                // A renamed entry is a new one: it may be seen under both names, but not twice
                // under one.
                _ => {
                    if one != other && world.rename(&path(one), &path(other)).is_ok() {
                        throughout.remove(&path(other)[1..]);
                    }
                }
            }
            let now = there(&mut world);
            throughout = throughout.intersection(&now).cloned().collect();
            ever.extend(now);
            for (name, _) in take(&mut world, id, count) {
                *seen.entry(name).or_default() += 1;
            }
        }
        for (name, _) in take(&mut world, id, usize::MAX) {
            *seen.entry(name).or_default() += 1;
        }
        for name in &throughout {
            prop_assert_eq!(seen.get(name), Some(&1), "{}", name);
        }
        prop_assert!(seen.keys().all(|name| ever.contains(&name.to_string())));
    }
}

const CREATE: OpenFlags = OpenFlags::CREAT.union(OpenFlags::WRONLY);
