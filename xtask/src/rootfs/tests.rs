//! Tests of the archive: what the guest kernel finds in it.

use super::*;

/// A program with a list of applets, longer than a page.
fn busybox() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..10_000u32).map(|byte| (byte % 251) as u8 | 1).collect();
    bytes.extend(b"[\0[[\0busybox\0cat\0sh\0\0");
    bytes
}

fn tree() -> Tree {
    let folder = workspace::root().join("pv-guest-kernel/rootfs");
    let programs = vec![("hello".to_owned(), b"a program".to_vec())];
    Tree::new(&folder, busybox(), programs).expect("a tree")
}

#[test]
fn the_guest_kernel_unpacks_it() {
    let tree = tree();
    let archive = tree.archive().expect("an archive");
    let mut found = Unpacked::new(&archive).expect("it is unpacked");
    for path in ["/bin/busybox", "/bin/sh", "/bin/[[", "/sbin/cat", "/usr/bin/sh", "/usr/sbin/["] {
        assert_eq!(found.content(path).expect(path), busybox(), "{path}");
        assert_eq!(found.stat(path).expect(path).mode, 0o100_755, "{path}");
    }
    assert_eq!(found.content("/test/hello").expect("a program"), b"a program");
    let init = read(&workspace::root().join("pv-guest-kernel/rootfs/init")).expect("it is there");
    assert_eq!(found.content("/init").expect("a script"), init);
    for (path, mode) in [
        ("/init", 0o100_755),
        ("/etc/passwd", 0o100_644),
        ("/tmp", 0o041_777),
        ("/root", 0o040_700),
        ("/test/data", 0o040_755),
        ("/dev/null", 0o020_666),
    ] {
        let stat = found.stat(path).expect(path);
        assert_eq!((stat.mode, stat.uid, stat.gid), (mode, 0, 0), "{path}");
    }
    assert_eq!(found.stat("/etc/passwd").expect("a file").mtime.seconds, i64::from(TIME));
}

#[test]
fn the_same_makes_the_same() {
    let archive = tree().archive().expect("an archive");
    assert_eq!(archive, tree().archive().expect("an archive"));
    // A copy of the tree has other times, and may have other permissions.
    let copy = tempfile::tempdir().expect("a folder");
    let script = copy.path().join("init");
    let of = |mode| {
        std::fs::write(&script, b"#!/bin/sh\n").expect("written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&script, mode).expect("changed");
        let tree = Tree::new(copy.path(), busybox(), Vec::new()).expect("a tree");
        tree.archive().expect("an archive")
    };
    assert_eq!(of(0o700), of(0o755));
    assert_ne!(of(0o644), of(0o755));
}

#[test]
fn what_the_kernel_would_refuse_is_refused() {
    let archive = tree().archive().expect("an archive");
    let error = Unpacked::new(&archive[..archive.len() / 2]).err().expect("it is cut off");
    assert!(error.to_string().contains("the guest kernel refuses it: cpio archive"), "{error}");
    let mut twice = tree();
    assert!(twice.add("bin/sh", Entry::Directory(0o755)).is_err());
}
