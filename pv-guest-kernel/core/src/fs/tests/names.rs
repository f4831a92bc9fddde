//! Calls that make and take names, by what they refuse and what is left.

use super::*;

fn world() -> World {
    let mut world = World::new();
    world.mkdir("/d").unwrap();
    world.mkdir("/d/e").unwrap();
    world.put("/f", b"f");
    world
}

#[test]
fn directories_count_what_names_them() {
    let mut world = world();
    let links = |world: &World, path| world.stat(path).unwrap().links;
    assert_eq!((links(&world, "/"), links(&world, "/d"), links(&world, "/d/e")), (3, 3, 2));
    world.rename("/d/e", "/e").unwrap();
    assert_eq!((links(&world, "/"), links(&world, "/d"), links(&world, "/e")), (4, 2, 2));
    world.rename("/d", "/e").unwrap();
    assert_eq!((links(&world, "/"), links(&world, "/e")), (3, 2));
    world.rmdir("/e").unwrap();
    assert_eq!(links(&world, "/"), 2);
    world.unlink("/f").unwrap();
    world.assert_empty();
}

#[test]
fn making_refuses_what_is_there() {
    let mut world = world();
    for path in ["/d", "/f", "/", ".", "/d/..", "/d/"] {
        assert_eq!(world.mkdir(path), Err(Errno::EEXIST), "{path}");
    }
    assert_eq!(world.mkdir("/none/x"), Err(Errno::ENOENT));
    assert_eq!(world.mkdir("/f/x"), Err(Errno::ENOTDIR));
    assert_eq!(world.mkdir("/d/new/"), Ok(()));
    world.symlink("nowhere", "/s").unwrap();
    assert_eq!(world.mkdir("/s"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("/s/"), Err(Errno::EEXIST));
    assert_eq!(world.symlink("x", "/f"), Err(Errno::EEXIST));
    assert_eq!(world.symlink("x", "/new/"), Err(Errno::ENOENT));
    assert_eq!(world.mkfifo("/d"), Err(Errno::EEXIST));
    assert_eq!(world.mkfifo("/new/"), Err(Errno::ENOENT));
}

#[test]
fn removing_wants_the_right_kind() {
    let mut world = world();
    assert_eq!(world.unlink("/d"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("/"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("/f/"), Err(Errno::ENOTDIR));
    assert_eq!(world.unlink("/none"), Err(Errno::ENOENT));
    assert_eq!(world.rmdir("/f"), Err(Errno::ENOTDIR));
    assert_eq!(world.rmdir("/d"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/"), Err(Errno::EBUSY));
    assert_eq!(world.rmdir("/d/e/."), Err(Errno::EINVAL));
    assert_eq!(world.rmdir("/d/e/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/none"), Err(Errno::ENOENT));
    // A link is not what it leads to.
    world.symlink("d/e", "/s").unwrap();
    assert_eq!(world.rmdir("/s"), Err(Errno::ENOTDIR));
    assert_eq!(world.unlink("/s/"), Err(Errno::ENOTDIR));
    assert_eq!(world.unlink("/s"), Ok(()));
    assert_eq!(world.rmdir("/d/e/"), Ok(()));
}

#[test]
fn an_unlinked_file_lives_until_the_last_close() {
    let mut world = world();
    let id = world.open("/f", OpenFlags::RDWR);
    world.unlink("/f").unwrap();
    assert_eq!(world.find("/f"), Err(Errno::ENOENT));
    assert_eq!(world.fs.stat(caller!(world), world.fs.node_of(id)).links, 0);
    assert_eq!(world.write(id, &[7; 9000]), Ok(9000));
    assert_eq!(world.fs.seek(id, 8999, Seek::Start), Ok(8999));
    assert_eq!(world.read(id, 9), Ok(vec![7]));
    assert_eq!(world.pages.taken(), 3);
    world.fs.share(id);
    world.close(id);
    assert_eq!(world.pages.taken(), 3);
    world.close(id);
    assert_eq!(world.pages.taken(), 0);
}

#[test]
fn a_removed_directory_is_a_place_of_no_new_names() {
    let mut world = world();
    let e = world.find("/d/e").unwrap();
    world.fs.hold(e);
    world.rmdir("/d/e").unwrap();
    world.rmdir("/d").unwrap();
    let in_e = |path: &'static str| At { start: e, path: path.as_bytes() };
    let caller = caller!(world);
    assert_eq!(world.fs.mkdir(caller, in_e("x"), 0o755), Err(Errno::ENOENT));
    assert_eq!(world.fs.symlink(caller, b"t", in_e("x")), Err(Errno::ENOENT));
    let moved = world.fs.rename(
        caller,
        at(&world.fs, "/f"),
        in_e("x"),
        RenameFlags::empty(),
        &mut world.pages,
    );
    assert_eq!(moved, Err(Errno::ENOENT));
    // Its parent is gone as well, and yet the way up still ends at the root.
    let root = Ok(world.fs.root());
    assert_eq!(world.fs.find(caller, in_e("../.."), Follow::Yes), root);
    world.fs.release(e, &mut world.pages);
    world.unlink("/f").unwrap();
    world.assert_empty();
}

#[test]
fn hard_links_are_one_file() {
    let mut world = world();
    world.link("/f", "/d/g").unwrap();
    assert_eq!(world.stat("/d/g").unwrap().links, 2);
    world.put("/d/g", b"changed");
    assert_eq!(world.content("/f"), Ok(b"changed".to_vec()));
    world.unlink("/f").unwrap();
    assert_eq!(world.content("/d/g"), Ok(b"changed".to_vec()));
    assert_eq!(world.stat("/d/g").unwrap().links, 1);
    assert_eq!(world.link("/d", "/x"), Err(Errno::EPERM));
    assert_eq!(world.link("/d", "/d/g"), Err(Errno::EEXIST));
    assert_eq!(world.link("/d/g", "/x/"), Err(Errno::ENOENT));
    // The link itself, or what it leads to.
    world.symlink("d/g", "/s").unwrap();
    world.link("/s", "/t").unwrap();
    assert_eq!(world.readlink("/t"), Ok(b"d/g".to_vec()));
    let caller = caller!(world);
    let (from, to) = (at(&world.fs, "/s"), at(&world.fs, "/u"));
    assert_eq!(world.fs.link(caller, from, Follow::Yes, to), Ok(()));
    assert_eq!(world.stat("/u").unwrap().links, 2);
}

#[test]
fn renaming_replaces_what_fits() {
    let mut world = world();
    world.put("/g", b"g");
    world.rename("/f", "/g").unwrap();
    assert_eq!(world.content("/g"), Ok(b"f".to_vec()));
    assert_eq!(world.rename("/g", "/d"), Err(Errno::EISDIR));
    assert_eq!(world.rename("/d", "/g"), Err(Errno::ENOTDIR));
    world.mkdir("/full").unwrap();
    world.put("/full/x", b"");
    assert_eq!(world.rename("/d", "/full"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rename("/full", "/d/e"), Ok(()));
    assert_eq!(world.names("/d/e"), [".", "..", "x"]);
    // The names of one file: nothing happens.
    world.link("/g", "/h").unwrap();
    assert_eq!(world.rename("/g", "/h"), Ok(()));
    assert_eq!(world.stat("/g").unwrap().links, 2);
    assert_eq!(world.rename("/g", "/g"), Ok(()));
    assert_eq!(world.rename("/d", "/d"), Err(Errno::EINVAL).or(Ok(())));
}

#[test]
fn renaming_refuses_loops_and_places() {
    let mut world = world();
    assert_eq!(world.rename("/d", "/d/e/x"), Err(Errno::EINVAL));
    assert_eq!(world.rename("/d", "/d/x"), Err(Errno::EINVAL));
    assert_eq!(world.rename("/d/e", "/d"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rename("/d/.", "/x"), Err(Errno::EBUSY));
    assert_eq!(world.rename("/f", "/d/.."), Err(Errno::EBUSY));
    assert_eq!(world.rename("/f", "/x/"), Err(Errno::ENOTDIR));
    assert_eq!(world.rename("/f/", "/x"), Err(Errno::ENOTDIR));
    assert_eq!(world.rename("/none", "/x"), Err(Errno::ENOENT));
    assert_eq!(world.rename("/d/", "/x/"), Ok(()));
    let keep = RenameFlags::NOREPLACE;
    assert_eq!(world.rename_with("/x", "/f", keep), Err(Errno::EEXIST));
    assert_eq!(world.rename_with("/x", "/y", keep), Ok(()));
    // The link is renamed, not what it leads to.
    world.symlink("f", "/s").unwrap();
    world.rename("/s", "/t").unwrap();
    assert_eq!(world.readlink("/t"), Ok(b"f".to_vec()));
    assert_eq!(world.rename("/y", "/t/"), Err(Errno::ENOTDIR));
}

#[test]
fn a_file_that_is_replaced_while_open_lives_on() {
    let mut world = world();
    world.put("/g", b"old");
    let id = world.open("/g", OpenFlags::empty());
    world.rename("/f", "/g").unwrap();
    assert_eq!(world.read(id, 9), Ok(b"old".to_vec()));
    world.close(id);
    world.clean("/");
    world.assert_empty();
}

#[test]
fn a_full_file_system_can_be_renamed_in() {
    let mut world = world();
    let used = world.fs.usage().name_bytes;
    world.fs.space.limits.name_bytes = used;
    assert_eq!(world.rename("/f", "/g"), Ok(()));
    assert_eq!(world.rename("/g", "/longer"), Err(Errno::ENOSPC));
    assert_eq!(world.content("/g"), Ok(b"f".to_vec()));
    assert_eq!(world.rename("/d/e", "/d/x"), Ok(()));
    assert_eq!(world.fs.usage().name_bytes, used);
}
