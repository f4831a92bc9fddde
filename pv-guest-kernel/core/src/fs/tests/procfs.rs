//! `/proc`: names, listing, snapshots, links to what need not have a name.

use super::*;

fn world() -> World {
    let mut world = World::new();
    world.fs.set_up().unwrap();
    world.table.current = 7;
    for pid in [1, 7, 300] {
        world.table.all.insert(Pid(pid), Descriptors::default());
    }
    world
}

#[test]
fn processes_are_listed_behind_the_files() {
    let mut world = world();
    let names = world.names("/proc");
    assert_eq!(names[..3], [".", "..", "self"]);
    assert!(names.iter().any(|name| name == "meminfo"));
    assert_eq!(names[names.len() - 3..], ["1", "7", "300"]);
    let of_process = world.names("/proc/300");
    for name in ["stat", "status", "maps", "cmdline", "exe", "fd"] {
        assert!(of_process.iter().any(|other| other == name), "{name}");
    }
    for name in names.iter().filter(|name| *name != "..") {
        let path = format!("/proc/{name}");
        assert_eq!(world.stat(&path).unwrap().device, 2, "{name}");
        let id = world.open("/proc", OpenFlags::empty());
        let mut listed = None;
        let each = &mut |entry: Entry<'_>| {
            if entry.name == name.as_bytes() {
                listed = Some(entry.ino);
            }
            true
        };
        world.fs.list(id, &world.table, each).unwrap();
        assert_eq!(listed, Some(world.stat(&path).unwrap().ino), "{name}");
        world.close(id);
    }
}

#[test]
fn a_process_that_ends_while_listing_harms_nothing() {
    let mut world = world();
    let id = world.open("/proc", OpenFlags::empty());
    let mut last = Vec::new();
    let each = &mut |entry: Entry<'_>| {
        last = entry.name.to_vec();
        entry.name != b"7"
    };
    world.fs.list(id, &world.table, each).unwrap();
    assert_eq!(last, b"7");
    world.table.all.remove(&Pid(7));
    let mut rest = Vec::new();
    let each = &mut |entry: Entry<'_>| {
        rest.push(entry.name.to_vec());
        true
    };
    world.fs.list(id, &world.table, each).unwrap();
    assert_eq!(rest, [b"300"]);
}

#[test]
fn files_keep_what_they_said() {
    let mut world = world();
    assert_eq!(world.content("/proc/meminfo"), Ok(b"Cached: 0 kB\n".to_vec()));
    let id = world.open("/proc/meminfo", OpenFlags::empty());
    assert_eq!(world.fs.usage().snapshot_bytes, 13);
    world.put("/f", b"x");
    assert_eq!(world.read(id, 7), Ok(b"Cached:".to_vec()));
    assert_eq!(world.read(id, 99), Ok(b" 0 kB\n".to_vec()));
    assert_eq!(world.read(id, 99), Ok(vec![]));
    assert_eq!(world.fs.seek(id, 8, Seek::Start), Ok(8));
    assert_eq!(world.read(id, 1), Ok(b"0".to_vec()));
    world.close(id);
    assert_eq!(world.fs.usage().snapshot_bytes, 0);
    assert_eq!(world.content("/proc/meminfo"), Ok(b"Cached: 4 kB\n".to_vec()));
    assert_eq!(world.content("/proc/300/stat"), Ok(b"300 (x) R\n".to_vec()));
    assert_eq!(world.content("/proc/self/stat"), Ok(b"7 (x) R\n".to_vec()));
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut world = world();
    for path in [
        "/proc/2",
        "/proc/007",
        "/proc/+7",
        "/proc/x",
        "/proc/7/x",
        "/proc/7/7",
        "/proc/99999999999",
        "/proc/7/fd/0",
        "/proc/7/fd/x",
        "/proc/2/stat",
        "/proc/7/exe",
    ] {
        assert_eq!(world.find(path), Err(Errno::ENOENT), "{path}");
    }
    assert_eq!(world.find("/proc/7/stat/x"), Err(Errno::ENOTDIR));
    assert_eq!(world.find("/proc/7/.."), world.find("/proc"));
    assert_eq!(world.find("/proc/.."), Ok(world.fs.root()));
    assert_eq!(world.find("/proc/7/fd/../../1/./stat"), world.find("/proc/1/stat"));
    // A working directory of a process that ended.
    let start = world.find("/proc/300").unwrap();
    world.table.all.remove(&Pid(300));
    let at = At { start, path: b"stat" };
    assert_eq!(world.fs.find(caller!(world), at, Follow::Yes), Err(Errno::ENOENT));
    let opened = world.fs.open(
        caller!(world),
        At { start, path: b"." },
        OpenFlags::empty(),
        0,
        &mut world.pages,
    );
    let id = opened.unwrap().description;
    let mut names = 0;
    world
        .fs
        .list(id, &world.table, &mut |_| {
            names += 1;
            true
        })
        .unwrap();
    assert_eq!(names, 2);
}

#[test]
fn it_cannot_be_changed() {
    let mut world = world();
    world.put("/f", b"");
    assert_eq!(world.try_open("/proc/meminfo", OpenFlags::WRONLY), Err(Errno::EACCES));
    assert_eq!(world.try_open("/proc/new", OpenFlags::CREAT), Err(Errno::ENOENT));
    assert_eq!(world.mkdir("/proc/new"), Err(Errno::ENOENT));
    assert_eq!(world.unlink("/proc/stat"), Err(Errno::EPERM));
    assert_eq!(world.unlink("/proc/7"), Err(Errno::EISDIR));
    assert_eq!(world.rmdir("/proc/7"), Err(Errno::EPERM));
    assert_eq!(world.rmdir("/proc"), Err(Errno::EBUSY));
    assert_eq!(world.rename("/proc", "/x"), Err(Errno::EBUSY));
    assert_eq!(world.rename("/dev", "/proc"), Err(Errno::EBUSY));
    assert_eq!(world.rename("/f", "/proc/f"), Err(Errno::EXDEV));
    assert_eq!(world.rename("/proc/stat", "/f"), Err(Errno::EXDEV));
    assert_eq!(world.rename("/proc/stat", "/proc/x"), Err(Errno::EPERM));
    assert_eq!(world.link("/proc/stat", "/x"), Err(Errno::EXDEV));
    assert_eq!(world.set_size("/proc/stat", 0), Err(Errno::EACCES));
    let stat = world.find("/proc/stat").unwrap();
    assert_eq!(world.fs.set_mode(caller!(world), stat, 0), Err(Errno::EPERM));
    assert_eq!(world.fs.permit(caller!(world), stat, Permission::WRITE), Err(Errno::EACCES));
}

#[test]
fn links_lead_to_the_files_themselves() {
    let mut world = world();
    world.put("/f", b"content");
    let f = world.open("/f", OpenFlags::empty());
    let (read, write) = world.fs.pipe(caller!(world), OpenFlags::empty()).unwrap();
    let fds = world.table.all.get_mut(&Pid(7)).unwrap();
    for id in [f, read, write] {
        fds.insert(id, false).unwrap();
    }
    world.table.exe = Some(world.fs.node_of(f));
    assert_eq!(world.names("/proc/self/fd"), [".", "..", "0", "1", "2"]);
    assert_eq!(world.readlink("/proc/self"), Ok(b"7".to_vec()));
    assert_eq!(world.readlink("/proc/self/fd/0"), Ok(b"/f".to_vec()));
    assert_eq!(world.readlink("/proc/7/exe"), Ok(b"/f".to_vec()));
    let pipe = format!("pipe:[{}]", world.fs.node_of(read).number());
    assert_eq!(world.readlink("/proc/7/fd/1"), Ok(pipe.into_bytes()));
    assert_eq!(world.content("/dev/stdin"), Ok(b"content".to_vec()));
    assert_eq!(world.find("/proc/self/fd/0/"), Err(Errno::ENOTDIR));
    // Without a name it can still be opened so, and a new description has its own place.
    world.unlink("/f").unwrap();
    assert_eq!(world.content("/proc/self/exe"), Ok(b"content".to_vec()));
    assert_eq!(world.readlink("/dev/fd/0"), Ok(b"(deleted)".to_vec()));
    let from = at(&world.fs, "/proc/self/fd/0");
    let to = at(&world.fs, "/again");
    let linked = world.fs.link(caller!(world), from, Follow::Yes, to);
    assert_eq!(linked, Err(Errno::ENOENT));
    // The other end of a pipe, by the link.
    let writer = world.open("/proc/7/fd/1", OpenFlags::WRONLY);
    assert_eq!(world.write(writer, b"hi"), Ok(2));
    assert_eq!(world.read(read, 9), Ok(b"hi".to_vec()));
    world.close(writer);
    let mut fds = world.table.all.remove(&Pid(7)).unwrap();
    fds.close_all(&mut world.fs, &mut world.pages);
    assert_eq!((world.pages.taken(), world.fs.usage().open_files), (0, 0));
}

#[test]
fn a_pipe_is_opened_again_without_its_other_end() {
    // A shell's here-document is a pipe whose writer has gone, and a program opens it by name.
    let mut world = world();
    let (read, write) = world.fs.pipe(caller!(world), OpenFlags::empty()).unwrap();
    world.table.all.get_mut(&Pid(7)).unwrap().insert(read, false).unwrap();
    assert_eq!(world.write(write, b"here"), Ok(4));
    world.close(write);
    let from = at(&world.fs, "/dev/fd/0");
    let flags = OpenFlags::empty();
    let opened = world.fs.open(caller!(world), from, flags, 0, &mut world.pages).unwrap();
    assert_eq!(opened.wait, None);
    assert_eq!(world.read(opened.description, 9), Ok(b"here".to_vec()));
    assert_eq!(world.read(opened.description, 9), Ok(vec![]));
    world.close(opened.description);
    let mut fds = world.table.all.remove(&Pid(7)).unwrap();
    fds.close_all(&mut world.fs, &mut world.pages);
    assert_eq!((world.pages.taken(), world.fs.usage().open_files), (0, 0));
}

#[test]
fn owners_and_paths() {
    let mut world = world();
    let stat = world.stat("/proc/300").unwrap();
    assert_eq!((stat.uid, stat.gid, stat.mode), (1300, 100, 0o40_555));
    assert_eq!(world.stat("/proc/stat").unwrap().uid, 0);
    let path = |path| world.fs.path_of(world.find(path).unwrap());
    assert_eq!(path("/proc"), Ok(b"/proc".to_vec()));
    assert_eq!(path("/proc/self/fd"), Ok(b"/proc/7/fd".to_vec()));
    assert_eq!(path("/proc/self/stat"), Ok(b"/proc/7/stat".to_vec()));
    assert_eq!(world.fs.statfs(world.find("/proc").unwrap()).magic, 0x9fa0);
    let again = world.fs.set_up();
    assert_eq!(again, Ok(()));
    world.table.all.clear();
    assert_eq!(world.names("/proc").len(), 3 + SystemFile::ALL.len());
}
