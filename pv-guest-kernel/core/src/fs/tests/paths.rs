//! Walking paths: `.` and `..`, symbolic links, limits, slashes, permissions.

use super::*;

fn world() -> World {
    let mut world = World::new();
    world.mkdir("/a").unwrap();
    world.mkdir("/a/b").unwrap();
    world.put("/a/f", b"content");
    world
}

#[test]
fn dots_and_slashes() {
    let world = world();
    let f = world.find("/a/f").unwrap();
    for path in ["a/f", "//a//f", "/a/./f", "/a/b/../f", "/../../a/f", "./a/b/.././f"] {
        assert_eq!(world.find(path), Ok(f), "{path}");
    }
    for path in ["/", "//", ".", "..", "/..", "/a/..", "a/../"] {
        assert_eq!(world.find(path), Ok(world.fs.root()), "{path}");
    }
    assert_eq!(world.find(""), Err(Errno::ENOENT));
    assert_eq!(world.find("/a/f/"), Err(Errno::ENOTDIR));
    assert_eq!(world.find("/a/f/."), Err(Errno::ENOTDIR));
    assert_eq!(world.find("/a/f/.."), Err(Errno::ENOTDIR));
    assert_eq!(world.find("/a/none/.."), Err(Errno::ENOENT));
    assert_eq!(world.find("/a/none"), Err(Errno::ENOENT));
}

#[test]
fn a_relative_path_begins_where_it_is_said() {
    let world = world();
    let start = world.find("/a/b").unwrap();
    let find = |path: &str| {
        world.fs.find(caller!(world), At { start, path: path.as_bytes() }, Follow::Yes)
    };
    assert_eq!(find("../f"), world.find("/a/f"));
    assert_eq!(find("."), Ok(start));
    assert_eq!(find("/a"), world.find("/a"));
    let start = world.find("/a/f").unwrap();
    let at = At { start, path: b"x" };
    assert_eq!(world.fs.find(caller!(world), at, Follow::Yes), Err(Errno::ENOTDIR));
}

#[test]
fn symbolic_links_are_followed_as_asked() {
    let mut world = world();
    world.symlink("a/f", "/relative").unwrap();
    world.symlink("/a", "/directory").unwrap();
    world.symlink("nowhere", "/dangling").unwrap();
    world.symlink("/", "/a/root").unwrap();
    let f = world.find("/a/f");
    assert_eq!(world.find("/relative"), f);
    assert_eq!(world.find("/directory/f"), f);
    assert_eq!(world.find("/a/root/a/root/relative"), f);
    assert_eq!(world.find("/a/root"), Ok(world.fs.root()));
    assert_eq!(world.find("/dangling"), Err(Errno::ENOENT));
    assert_eq!(world.find("/relative/"), Err(Errno::ENOTDIR));
    let symlink = FileType::Symlink.mode_bits() | 0o777;
    assert_eq!(world.stat("/directory").unwrap().mode, symlink);
    // A slash behind it means what the link leads to.
    assert_eq!(world.stat("/directory/").unwrap().ino, world.stat("/a").unwrap().ino);
    assert_eq!(world.readlink("/directory"), Ok(b"/a".to_vec()));
    assert_eq!(world.readlink("/directory/"), Err(Errno::EINVAL));
    assert_eq!(world.readlink("/a/f"), Err(Errno::EINVAL));
}

#[test]
fn forty_links_and_no_more() {
    let mut world = world();
    world.symlink("a", "/l0").unwrap();
    for number in 1..=40 {
        world.symlink(&format!("l{}", number - 1), &format!("/l{number}")).unwrap();
    }
    assert_eq!(world.find("/l39"), world.find("/a"));
    assert_eq!(world.find("/l40"), Err(Errno::ELOOP));
    assert_eq!(world.find("/l39/f"), world.find("/a/f"));
    assert_eq!(world.find("/l38/../l0/f"), world.find("/a/f"));
    assert_eq!(world.find("/l38/../l1/f"), Err(Errno::ELOOP));
    world.symlink("self", "/self").unwrap();
    assert_eq!(world.find("/self"), Err(Errno::ELOOP));
    // A link that grows the path as it is followed ends as well.
    world.symlink("grow/grow", "/grow").unwrap();
    assert_eq!(world.find("/grow"), Err(Errno::ELOOP));
}

#[test]
fn names_and_paths_are_limited() {
    let mut world = world();
    let longest = "n".repeat(NAME_MAX);
    assert_eq!(world.mkdir(&longest), Ok(()));
    assert_eq!(world.find(&longest).map(|_| ()), Ok(()));
    assert_eq!(world.mkdir(&format!("{longest}n")), Err(Errno::ENAMETOOLONG));
    assert_eq!(world.find(&format!("/a/{longest}n/x")), Err(Errno::ENAMETOOLONG));
    let longest = format!("{}a", "/".repeat(PATH_MAX - 2));
    assert_eq!(longest.len(), PATH_MAX - 1);
    assert_eq!(world.find(&longest), world.find("/a"));
    assert_eq!(world.find(&format!("/{longest}")), Err(Errno::ENAMETOOLONG));
    assert_eq!(world.symlink(&"t".repeat(PATH_MAX), "/s"), Err(Errno::ENAMETOOLONG));
    assert_eq!(world.symlink(&"t".repeat(PATH_MAX - 1), "/s"), Ok(()));
    assert_eq!(world.find("/s"), Err(Errno::ENAMETOOLONG));
    assert_eq!(world.symlink("", "/empty"), Err(Errno::ENOENT));
}

#[test]
fn others_need_permission_to_search() {
    let mut world = world();
    let a = world.find("/a").unwrap();
    world.fs.set_mode(caller!(world), a, 0o700).unwrap();
    world.uid = 1;
    assert_eq!(world.find("/a/f"), Err(Errno::EACCES));
    assert_eq!(world.find("/a/none"), Err(Errno::EACCES));
    assert_eq!(world.find("/a"), Ok(a));
    assert_eq!(world.mkdir("/x"), Err(Errno::EACCES));
    assert_eq!(world.unlink("/a/f"), Err(Errno::EACCES));
}

#[test]
fn a_node_has_a_path_again() {
    let mut world = world();
    let path = |world: &World, path| world.fs.path_of(world.find(path).unwrap());
    assert_eq!(path(&world, "/"), Ok(b"/".to_vec()));
    assert_eq!(path(&world, "/a/b"), Ok(b"/a/b".to_vec()));
    assert_eq!(path(&world, "a/./f"), Ok(b"/a/f".to_vec()));
    let (b, f) = (world.find("/a/b").unwrap(), world.find("/a/f").unwrap());
    world.fs.hold(b);
    world.fs.hold(f);
    world.rename("/a/b", "/c").unwrap();
    world.rename("/a/f", "/c/g").unwrap();
    assert_eq!(world.fs.path_of(b), Ok(b"/c".to_vec()));
    assert_eq!(world.fs.path_of(f), Ok(b"/c/g".to_vec()));
    world.unlink("/c/g").unwrap();
    world.rmdir("/c").unwrap();
    assert_eq!(world.fs.path_of(b), Err(Errno::ENOENT));
    assert_eq!(world.fs.path_of(f), Err(Errno::ENOENT));
    world.fs.release(b, &mut world.pages);
    world.fs.release(f, &mut world.pages);
    world.rmdir("/a").unwrap();
    world.assert_empty();
}

#[test]
fn the_guess_at_a_path_is_checked() {
    let mut world = world();
    let f = world.find("/a/f").unwrap();
    world.link("/a/f", "/other").unwrap();
    world.unlink("/a/f").unwrap();
    world.rmdir("/a/b").unwrap();
    // The directory that had the name goes, and another file gets its number.
    world.rmdir("/a").unwrap();
    world.put("/x", b"");
    world.put("/y", b"");
    assert_eq!(world.fs.path_of(f), Err(Errno::ENOENT));
}
