//! Names.

use super::*;

#[test]
fn names_are_made_and_taken_away() {
    let mut world = World::new();
    let [d, f, g, l, s] = ["/d", "/d/f", "/d/g", "/d/l", "/d/s"].map(|path| world.string(path));
    world.ok(Call::Mkdir, &[d, 0o777]);
    assert_eq!(world.errno(Call::Mkdir, &[d, 0o777]), Errno::EEXIST);
    world.file("/d/f", b"text");
    world.ok(Call::Link, &[f, l]);
    world.ok(Call::Symlink, &[f, s]);
    world.ok(Call::Rename, &[f, g]);
    assert_eq!(world.content("/d/l"), b"text");
    assert_eq!(world.errno(Call::Rename, &[f, g]), Errno::ENOENT);
    assert_eq!(world.errno(Call::Renameat2, &[CWD, g, CWD, l, 1]), Errno::EEXIST);
    assert_eq!(world.errno(Call::Renameat2, &[CWD, g, CWD, l, 2]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Rmdir, &[d]), Errno::ENOTEMPTY);
    assert_eq!(world.errno(Call::Unlink, &[d]), Errno::EISDIR);
    let at = world.space(16);
    assert_eq!(world.ok(Call::Readlink, &[s, at, 16]), 4);
    assert_eq!(world.load(at, 4), b"/d/f");
    assert_eq!(world.ok(Call::Readlink, &[s, at, 2]), 2);
    assert_eq!(world.errno(Call::Readlink, &[s, at, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Readlink, &[g, at, 9]), Errno::EINVAL);
    for path in [g, l, s] {
        world.ok(Call::Unlink, &[path]);
    }
    assert_eq!(world.errno(Call::Unlinkat, &[CWD, d, 0x100]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Unlinkat, &[CWD, d, 0x200]), 0);
    world.finish();
}

#[test]
fn links_are_followed_only_when_asked() {
    let mut world = World::new();
    let [s, a, b] = ["/s", "/a", "/b"].map(|path| world.string(path));
    world.file("/f", b"text");
    let target = world.string("f");
    world.ok(Call::Symlinkat, &[target, CWD, s]);
    world.ok(Call::Linkat, &[CWD, s, CWD, a, 0]);
    world.ok(Call::Linkat, &[CWD, s, CWD, b, 0x400]);
    let at = world.space(16);
    assert_eq!(world.ok(Call::Readlink, &[a, at, 16]), 1);
    assert_eq!(world.errno(Call::Readlink, &[b, at, 16]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Linkat, &[CWD, s, CWD, b, 0x800]), Errno::EINVAL);
    world.finish();
}

#[test]
fn special_files_are_made_by_who_may() {
    let mut world = World::new();
    let [a, b, c, d] = ["/a", "/b", "/c", "/d"].map(|path| world.string(path));
    world.ok(Call::Mknod, &[a, 0o010_644, 0]);
    world.ok(Call::Mknod, &[b, 0o020_644, 0x103]);
    world.ok(Call::Mknodat, &[CWD, c, 0o644, 0]);
    assert_eq!(world.errno(Call::Mknod, &[d, 0o060_644, 0x103]), Errno::EPERM);
    assert_eq!(world.errno(Call::Mknod, &[d, 0o140_644, 0]), Errno::EPERM);
    assert_eq!(world.errno(Call::Mknod, &[d, 0o030_644, 0]), Errno::EINVAL);
    // The device is the one of that number: null.
    let fd = world.open("/b", 2);
    assert_eq!(world.write(fd, b"x"), Ok(1));
    world.kernel.processes.get_mut(INIT).unwrap().ids.uid = 5;
    assert_eq!(world.errno(Call::Mknod, &[d, 0o020_644, 0x103]), Errno::EACCES);
    world.finish();
}

#[test]
fn the_working_directory_is_changed_and_told() {
    let mut world = World::new();
    let (dir, file, at) = (world.string("/dir"), world.string("/dir/f"), world.space(64));
    world.ok(Call::Mkdir, &[dir, 0o755]);
    world.file("/dir/f", b"");
    assert_eq!(world.ok(Call::Getcwd, &[at, 64]), 2);
    world.ok(Call::Chdir, &[dir]);
    assert_eq!(world.ok(Call::Getcwd, &[at, 5]), 5);
    assert_eq!(world.load(at, 5), b"/dir\0");
    assert_eq!(world.errno(Call::Getcwd, &[at, 4]), Errno::ERANGE);
    assert_eq!(world.errno(Call::Chdir, &[file]), Errno::ENOTDIR);
    let root = world.open("/", 0);
    let file = world.open("f", 0);
    assert_eq!(world.errno(Call::Fchdir, &[file]), Errno::ENOTDIR);
    world.ok(Call::Fchdir, &[root]);
    assert_eq!(world.ok(Call::Getcwd, &[at, 64]), 2);
    world.ok(Call::Chdir, &[dir]);
    let dir = world.string("../dir");
    let inner = world.string("/dir/f");
    world.ok(Call::Unlink, &[inner]);
    world.ok(Call::Rmdir, &[dir]);
    assert_eq!(world.errno(Call::Getcwd, &[at, 64]), Errno::ENOENT);
    assert_eq!(world.errno(Call::Chroot, &[dir]), Errno::ENOENT);
    let root = world.string("/");
    assert_eq!(world.errno(Call::Chroot, &[root]), Errno::EPERM);
    world.finish();
}

/// The names in entries of `getdents64`.
fn names(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    while let [_, ..] = bytes {
        let length = usize::from(u16::from_le_bytes([bytes[16], bytes[17]]));
        let (entry, rest) = bytes.split_at(length);
        let name = &entry[19..];
        let end = name.iter().position(|byte| *byte == 0).unwrap();
        names.push(name[..end].to_vec());
        bytes = rest;
    }
    names
}

#[test]
fn a_directory_is_listed_in_as_many_pieces_as_it_takes() {
    let mut world = World::new();
    let dir = world.string("/d");
    world.ok(Call::Mkdir, &[dir, 0o755]);
    let expected: Vec<_> = (0..50).map(|number| alloc::format!("name{number:02}")).collect();
    for name in &expected {
        world.file(&alloc::format!("/d/{name}"), b"");
    }
    let fd = world.open("/d", 0);
    let at = world.space(300);
    let mut found = Vec::new();
    loop {
        let count = world.ok(Call::Getdents64, &[fd, at, 300]);
        if count == 0 {
            break;
        }
        found.extend(names(&world.load(at, count as usize)));
    }
    found.sort();
    let mut all: Vec<_> = expected.iter().map(|name| name.as_bytes().to_vec()).collect();
    all.extend([b".".to_vec(), b"..".to_vec()]);
    all.sort();
    assert_eq!(found, all);
    world.ok(Call::Lseek, &[fd, 0, 0]);
    assert_eq!(world.errno(Call::Getdents64, &[fd, at, 23]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Getdents64, &[fd, READ_ONLY, 300]), Errno::EFAULT);
    // What fits into the memory that there is, is listed.
    let edge = BUFFER + ROOM - 50;
    assert_eq!(world.ok(Call::Getdents64, &[fd, edge, 300]), 48);
    assert!(world.ok(Call::Getdents, &[fd, at, 300]) > 200);
    let file = world.open("/d/name00", 0);
    assert_eq!(world.errno(Call::Getdents64, &[file, at, 300]), Errno::ENOTDIR);
    world.finish();
}

#[test]
fn what_is_mounted_stays_so() {
    let mut world = World::new();
    let [none, proc, root, tmp] = ["proc", "/proc", "/", "/tmp"].map(|path| world.string(path));
    let [kind, tmpfs] = ["proc", "tmpfs"].map(|kind| world.string(kind));
    world.ok(Call::Mkdir, &[tmp, 0o755]);
    assert_eq!(world.ok(Call::Mount, &[none, proc, kind, 0, 0]), 0);
    assert_eq!(world.ok(Call::Mount, &[none, root, 0, 32, 0]), 0);
    assert_eq!(world.errno(Call::Mount, &[none, tmp, 0, 32, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Mount, &[none, tmp, kind, 0, 0]), Errno::EPERM);
    assert_eq!(world.errno(Call::Mount, &[none, tmp, tmpfs, 0, 0]), Errno::EPERM);
    assert_eq!(world.errno(Call::Mount, &[none, tmp, none + 1, 0, 0]), Errno::ENODEV);
    assert_eq!(world.errno(Call::Umount2, &[proc, 0]), Errno::EBUSY);
    assert_eq!(world.errno(Call::Umount2, &[tmp, 0]), Errno::EINVAL);
    world.kernel.processes.get_mut(INIT).unwrap().ids.uid = 5;
    assert_eq!(world.errno(Call::Mount, &[none, proc, kind, 0, 0]), Errno::EPERM);
    world.finish();
}
