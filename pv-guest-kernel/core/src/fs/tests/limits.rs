//! Every limit, taken to its end: an error, no harm, and everything comes back.

use super::*;

const CREATE: OpenFlags = OpenFlags::CREAT.union(OpenFlags::WRONLY);

#[test]
fn inodes_end() {
    let mut world = World::with(Limits { inodes: 10, ..Limits::default() }, 100);
    world.put("/kept", b"kept");
    let mut made = 0;
    let errno = loop {
        match world.mkdir(&format!("/d{made}")) {
            Ok(()) => made += 1,
            Err(errno) => break errno,
        }
    };
    assert_eq!((errno, made), (Errno::ENOSPC, 8));
    assert_eq!(world.try_open("/new", CREATE), Err(Errno::ENOSPC));
    assert_eq!(world.symlink("x", "/new"), Err(Errno::ENOSPC));
    assert_eq!(world.mkfifo("/new"), Err(Errno::ENOSPC));
    assert_eq!(world.find("/new"), Err(Errno::ENOENT));
    assert_eq!(world.content("/kept"), Ok(b"kept".to_vec()));
    // A pipe is no inode of the file system: a shell can still clean up with one.
    let (read, write) = world.fs.pipe(caller!(world), OpenFlags::empty()).unwrap();
    world.close(read);
    world.close(write);
    world.clean("/");
    world.assert_empty();
}

#[test]
fn pages_end() {
    let mut world = World::with(Limits { file_pages: 9, ..Limits::default() }, 1000);
    let id = world.open("/f", CREATE);
    let mut written = 0;
    let stop = loop {
        match world.write(id, &[1; 1000]) {
            Ok(done) => written += done,
            Err(stop) => break stop,
        }
    };
    assert_eq!((stop, written), (Errno::ENOSPC.into(), 9 * PAGE));
    world.close(id);
    // A hole takes nothing until it is filled.
    world.put("/g", b"");
    world.set_size("/g", 1 << 40).unwrap();
    let Ok(Node::Inode(g)) = world.find("/g") else { panic!() };
    assert_eq!(world.fs.page_of(g, 0, true, &mut world.pages), Err(Errno::ENOSPC));
    world.set_size("/f", 5).unwrap();
    assert!(world.fs.page_of(g, 0, true, &mut world.pages).is_ok());
    world.clean("/");
    world.assert_empty();
}

#[test]
fn names_end() {
    let limits = Limits { name_bytes: 10_000, ..Limits::default() };
    let mut world = World::with(limits, 1000);
    world.put("/f", b"x");
    // Else links to one file would fill the kernel's own memory.
    let mut links = 0;
    let errno = loop {
        match world.link("/f", &format!("/{links:05}{}", "n".repeat(195))) {
            Ok(()) => links += 1,
            Err(errno) => break errno,
        }
    };
    assert_eq!((errno, links), (Errno::ENOSPC, (10_000 - 193) / (192 + 200)));
    assert_eq!(world.symlink(&"t".repeat(4000), "/s"), Err(Errno::ENOSPC));
    assert_eq!(world.mkdir(&"d".repeat(200)), Err(Errno::ENOSPC));
    assert_eq!(world.fs.usage().inodes, 2);
    world.clean("/");
    world.symlink(&"t".repeat(4000), "/s").unwrap();
    assert_eq!(world.fs.usage().name_bytes, 192 + 1 + 4000);
    world.clean("/");
    world.assert_empty();
}

#[test]
fn memory_ends() {
    let mut world = World::with(Limits::default(), 5);
    let id = world.open("/f", CREATE);
    assert_eq!(world.write(id, &[1; 10 * PAGE]), Ok(5 * PAGE));
    assert_eq!(world.write(id, &[1]), Err(Errno::ENOMEM.into()));
    let (read, write) = world.fs.pipe(caller!(world), OpenFlags::empty()).unwrap();
    assert_eq!(world.write(write, b"x"), Err(Errno::ENOMEM.into()));
    world.unlink("/f").unwrap();
    world.close(id);
    assert_eq!(world.write(write, b"x"), Ok(1));
    world.close(read);
    world.close(write);
    world.assert_empty();
}

#[test]
fn open_files_end() {
    let mut world = World::with(Limits { open_files: 5, ..Limits::default() }, 10);
    world.put("/f", b"x");
    let mut open: Vec<_> = (0..4).map(|_| world.open("/f", OpenFlags::empty())).collect();
    assert_eq!(world.fs.pipe(caller!(world), OpenFlags::empty()), Err(Errno::ENFILE));
    open.push(world.open("/f", OpenFlags::empty()));
    assert_eq!(world.try_open("/f", OpenFlags::empty()), Err(Errno::ENFILE));
    // It fails before anything is made or thrown away.
    assert_eq!(world.try_open("/new", CREATE), Err(Errno::ENFILE));
    assert_eq!(world.try_open("/f", CREATE | OpenFlags::TRUNC), Err(Errno::ENFILE));
    assert_eq!(world.find("/new"), Err(Errno::ENOENT));
    for id in open {
        world.close(id);
    }
    assert_eq!(world.content("/f"), Ok(b"x".to_vec()));
    world.clean("/");
    world.assert_empty();
}

#[test]
fn snapshots_end() {
    let mut world = World::with(Limits { snapshot_bytes: 12_000, ..Limits::default() }, 10);
    world.fs.set_up().unwrap();
    world.table.all.insert(Pid(1), Descriptors::default());
    let one = world.open("/proc/1/maps", OpenFlags::empty());
    let other = world.open("/proc/1/maps", OpenFlags::empty());
    assert_eq!(world.try_open("/proc/1/maps", OpenFlags::empty()), Err(Errno::ENOMEM));
    assert_eq!(world.fs.usage().open_files, 2);
    world.close(one);
    let again = world.open("/proc/1/maps", OpenFlags::empty());
    world.close(again);
    world.close(other);
    assert_eq!(world.fs.usage().snapshot_bytes, 0);
}

#[test]
fn pipes_end_with_open_files_and_their_pages_are_bounded() {
    let limits = Limits { open_files: 40, pipe_pages: 40, ..Limits::default() };
    let mut world = World::with(limits, 10_000);
    let mut open = Vec::new();
    while let Ok((read, write)) = world.fs.pipe(caller!(world), OpenFlags::NONBLOCK) {
        while world.write(write, &[0; PIPE_ATOMIC]).is_ok() {}
        open.extend([read, write]);
    }
    assert_eq!(open.len(), 40);
    // Two of 64 KiB, and one page for each of the rest.
    assert_eq!(world.pages.taken(), 2 * 16 + 18);
    for id in open {
        world.close(id);
    }
    world.assert_empty();
}

#[test]
fn a_deep_tree_comes_back() {
    let mut world = World::new();
    let depth = 2000;
    let mut here = world.fs.root();
    for _ in 0..depth {
        let at = At { start: here, path: b"d" };
        world.fs.mkdir(caller!(world), at, 0o755).unwrap();
        here = world.fs.find(caller!(world), at, Follow::No).unwrap();
    }
    assert_eq!(world.fs.path_of(here).unwrap().len(), 2 * depth);
    // It goes from below; who stands at the bottom keeps what is above until he leaves.
    world.fs.hold(here);
    for _ in 0..depth {
        let parent = world.fs.find(caller!(world), At { start: here, path: b".." }, Follow::No);
        let at = At { start: parent.unwrap(), path: b"d" };
        let bottom = world.fs.find(caller!(world), at, Follow::No).unwrap();
        assert_eq!(world.fs.rmdir(caller!(world), at, &mut world.pages), Ok(()));
        here = world.fs.parent(bottom);
    }
    assert_eq!(world.fs.usage().inodes, depth as u32 + 1);
    let bottom = Node::Inode(Ino(depth as u32));
    world.fs.release(bottom, &mut world.pages);
    world.assert_empty();
}

#[test]
fn a_file_system_that_ends_gives_all_pages_back() {
    let mut world = World::new();
    world.fs.set_up().unwrap();
    world.put("/f", &[1; 9000]);
    world.put("/g", &[1; 9000]);
    world.open("/g", OpenFlags::empty());
    world.unlink("/g").unwrap();
    let (_, write) = world.fs.pipe(caller!(world), OpenFlags::empty()).unwrap();
    world.write(write, &[1; 9000]).unwrap();
    assert_eq!(world.pages.taken(), 9);
    world.fs.dispose(&mut world.pages);
    assert_eq!(world.pages.taken(), 0);
}
