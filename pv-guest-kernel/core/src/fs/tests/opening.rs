//! Opening files: what each flag does and refuses.

use super::*;

const CREAT: OpenFlags = OpenFlags::CREAT;

fn world() -> World {
    let mut world = World::new();
    world.mkdir("/d").unwrap();
    world.put("/f", b"content");
    world.symlink("f", "/s").unwrap();
    world.symlink("new", "/dangling").unwrap();
    world
}

#[test]
fn creating() {
    let mut world = world();
    world.umask = 0o022;
    let write = CREAT | OpenFlags::WRONLY;
    assert_eq!(world.try_open("/new", OpenFlags::empty()), Err(Errno::ENOENT));
    // By a link that leads nowhere yet, where it leads; exclusively, not.
    assert_eq!(world.try_open("/dangling", write | OpenFlags::EXCL), Err(Errno::EEXIST));
    let at = at(&world.fs, "/dangling");
    let opened = world.fs.open(caller!(world), at, write, 0o666, &mut world.pages).unwrap();
    assert_eq!(world.stat("/new").unwrap().mode, FileType::File.mode_bits() | 0o644);
    world.close(opened.description);
    assert_eq!(world.try_open("/f", write | OpenFlags::EXCL), Err(Errno::EEXIST));
    assert_eq!(world.try_open("/d", CREAT), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/f/", CREAT), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/x/", CREAT), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/none/x/", CREAT), Err(Errno::ENOENT));
    assert_eq!(world.try_open("/.", CREAT), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/none/x", CREAT), Err(Errno::ENOENT));
    assert_eq!(world.try_open("/f/x", CREAT), Err(Errno::ENOTDIR));
}

#[test]
fn kinds_and_access() {
    let mut world = world();
    assert_eq!(world.try_open("/d", OpenFlags::WRONLY), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/d", OpenFlags::TRUNC), Err(Errno::EISDIR));
    assert_eq!(world.try_open("/f", OpenFlags::DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(world.try_open("/s", OpenFlags::DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(world.try_open("/s", OpenFlags::NOFOLLOW), Err(Errno::ELOOP));
    let both = OpenFlags::WRONLY | OpenFlags::RDWR;
    assert_eq!(world.try_open("/f", both), Err(Errno::EINVAL));
    assert_eq!(world.try_open("/d", OpenFlags::TMPFILE), Err(Errno::EOPNOTSUPP));
    let id = world.open("/d", OpenFlags::empty());
    assert_eq!(world.read(id, 1), Err(Errno::EISDIR.into()));
    assert_eq!(world.write(id, b"x"), Err(Errno::EBADF.into()));
    let id = world.open("/f", OpenFlags::WRONLY);
    assert_eq!(world.read(id, 1), Err(Errno::EBADF.into()));
    let id = world.open("/f", OpenFlags::empty());
    assert_eq!(world.write(id, b"x"), Err(Errno::EBADF.into()));
    let size = world.fs.set_size_of(id, 0, &mut world.pages);
    assert_eq!(size.unwrap_err(), Errno::EINVAL);
}

#[test]
fn a_place_alone_neither_reads_nor_writes() {
    let mut world = world();
    let id = world.open("/s", OpenFlags::PATH | OpenFlags::NOFOLLOW | OpenFlags::TRUNC);
    assert_eq!(world.fs.kind(world.fs.node_of(id)), FileType::Symlink);
    assert_eq!(world.read(id, 1), Err(Errno::EBADF.into()));
    assert_eq!(world.write(id, b"x"), Err(Errno::EBADF.into()));
    assert_eq!(world.fs.seek(id, 0, Seek::Start), Err(Errno::EBADF));
    assert_eq!(world.fs.mappable(id, false), Err(Errno::EBADF));
    let size = world.fs.set_size_of(id, 0, &mut world.pages);
    assert_eq!(size.unwrap_err(), Errno::EBADF);
    let directory = world.open("/d", OpenFlags::PATH);
    let listed = world.fs.list(directory, &world.table, &mut |_| true);
    assert_eq!(listed, Err(Errno::EBADF));
    // It opens neither end of a FIFO.
    world.mkfifo("/p").unwrap();
    let place = world.open("/p", OpenFlags::PATH);
    let writer = world.try_open("/p", OpenFlags::WRONLY | OpenFlags::NONBLOCK);
    assert_eq!(writer, Err(Errno::ENXIO));
    for id in [id, directory, place] {
        world.close(id);
    }
    world.clean("/");
    world.assert_empty();
}

#[test]
fn appending_writes_at_the_end_whatever_the_place() {
    let mut world = world();
    let one = world.open("/f", OpenFlags::WRONLY | OpenFlags::APPEND);
    let other = world.open("/f", OpenFlags::RDWR);
    assert_eq!(world.write(one, b"1"), Ok(1));
    assert_eq!(world.write(other, b"C"), Ok(1));
    assert_eq!(world.fs.write_at(one, 0, b"2", &mut world.pages), Ok(1));
    assert_eq!(world.write(one, b"3"), Ok(1));
    assert_eq!(world.fs.seek(one, 0, Seek::Current), Ok(10));
    assert_eq!(world.read(other, 99), Ok(b"ontent123".to_vec()));
    assert!(world.fs.flags(one).contains(OpenFlags::APPEND));
    world.fs.set_flags(one, OpenFlags::NONBLOCK | OpenFlags::RDWR);
    assert_eq!(world.fs.flags(one), OpenFlags::WRONLY | OpenFlags::NONBLOCK);
}

#[test]
fn permissions_of_others() {
    let mut world = world();
    let f = world.find("/f").unwrap();
    world.fs.set_owner(caller!(world), f, Some(7), Some(8)).unwrap();
    world.fs.set_mode(caller!(world), f, 0o640).unwrap();
    world.uid = 9;
    assert_eq!(world.try_open("/f", OpenFlags::empty()), Err(Errno::EACCES));
    world.uid = 7;
    assert!(world.try_open("/f", OpenFlags::RDWR).is_ok());
    assert_eq!(world.try_open("/new", CREAT), Err(Errno::EACCES));
    // What a new file may not is no matter for who makes it.
    world.uid = 0;
    let at = at(&world.fs, "/locked");
    let flags = CREAT | OpenFlags::WRONLY;
    assert!(world.fs.open(caller!(world), at, flags, 0, &mut world.pages).is_ok());
}

#[test]
fn programs_want_a_bit_that_says_so() {
    let mut world = world();
    let f = world.find("/f").unwrap();
    assert_eq!(world.fs.program(caller!(world), f), Err(Errno::EACCES));
    world.fs.set_mode(caller!(world), f, 0o701).unwrap();
    assert!(world.fs.program(caller!(world), f).is_ok());
    let d = world.find("/d").unwrap();
    assert_eq!(world.fs.program(caller!(world), d), Err(Errno::EACCES));
    world.uid = 5;
    assert!(world.fs.program(caller!(world), f).is_ok());
    world.uid = 0;
    world.fs.set_mode(caller!(world), f, 0o700).unwrap();
    world.uid = 5;
    assert_eq!(world.fs.program(caller!(world), f), Err(Errno::EACCES));
}

#[test]
fn what_can_be_mapped() {
    let mut world = world();
    world.fs.set_up().unwrap();
    let id = world.open("/f", OpenFlags::empty());
    assert!(matches!(world.fs.mappable(id, false), Ok(Mappable::File(_))));
    assert_eq!(world.fs.mappable(id, true), Err(Errno::EACCES));
    let id = world.open("/f", OpenFlags::WRONLY);
    assert_eq!(world.fs.mappable(id, false), Err(Errno::EACCES));
    let id = world.open("/f", OpenFlags::RDWR);
    assert!(matches!(world.fs.mappable(id, true), Ok(Mappable::File(_))));
    let id = world.open("/dev/zero", OpenFlags::RDWR);
    assert_eq!(world.fs.mappable(id, true), Ok(Mappable::Zeros));
    for path in ["/d", "/dev/null", "/proc/stat"] {
        let id = world.open(path, OpenFlags::empty());
        assert_eq!(world.fs.mappable(id, false), Err(Errno::ENODEV), "{path}");
    }
}

#[test]
fn files_are_always_ready() {
    let mut world = world();
    let id = world.open("/f", OpenFlags::empty());
    let Polled::File { events, waits } = world.fs.poll(id) else { panic!() };
    assert!(events.contains(PollEvents::IN | PollEvents::OUT));
    assert_eq!(waits, [None; 2]);
}
