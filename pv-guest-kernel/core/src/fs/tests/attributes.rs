//! Modes, owners, times, and what `statfs` says.

use super::*;

fn time(seconds: i64) -> Time {
    Time { seconds, nanoseconds: 5 }
}

#[test]
fn times_follow_what_happens() {
    let mut world = World::new();
    let mut now = 0;
    let mut tick = |world: &mut World| {
        now += 1;
        world.fs.set_clock(time(now));
        time(now)
    };
    let made = tick(&mut world);
    world.put("/f", b"abc");
    let stat = world.stat("/f").unwrap();
    assert_eq!((stat.atime, stat.mtime, stat.ctime), (made, made, made));
    let root = world.stat("/").unwrap();
    assert_eq!((root.mtime, root.ctime), (made, made));
    let read = tick(&mut world);
    world.content("/f").unwrap();
    let written = tick(&mut world);
    world.put("/f", b"d");
    let linked = tick(&mut world);
    world.link("/f", "/g").unwrap();
    let stat = world.stat("/f").unwrap();
    assert_eq!((stat.atime, stat.mtime, stat.ctime), (read, written, linked));
    assert_eq!(world.stat("/").unwrap().mtime, linked);
    let changed = tick(&mut world);
    let f = world.find("/f").unwrap();
    world.fs.set_mode(caller!(world), f, 0o600).unwrap();
    assert_eq!(world.stat("/g").unwrap().ctime, changed);
    let cut = tick(&mut world);
    world.set_size("/f", 0).unwrap();
    assert_eq!(world.stat("/f").unwrap().mtime, cut);
    assert_eq!(world.stat("/").unwrap().mtime, linked);
}

#[test]
fn times_can_be_set() {
    let mut world = World::new();
    world.put("/f", b"");
    let f = world.find("/f").unwrap();
    world.fs.set_clock(time(9));
    let set = |world: &mut World, atime, mtime| world.fs.set_times(caller!(world), f, atime, mtime);
    assert_eq!(set(&mut world, SetTime::To(time(-3)), SetTime::Keep), Ok(()));
    let stat = world.stat("/f").unwrap();
    assert_eq!((stat.atime, stat.mtime, stat.ctime), (time(-3), Time::default(), time(9)));
    assert_eq!(set(&mut world, SetTime::Keep, SetTime::Now), Ok(()));
    assert_eq!(world.stat("/f").unwrap().mtime, time(9));
    let wrong = SetTime::To(Time { seconds: 0, nanoseconds: 1_000_000_000 });
    assert_eq!(set(&mut world, wrong, SetTime::Keep), Err(Errno::EINVAL));
    world.uid = 1;
    assert_eq!(set(&mut world, SetTime::To(time(1)), SetTime::Now), Err(Errno::EPERM));
    assert_eq!(set(&mut world, SetTime::Now, SetTime::Now), Err(Errno::EACCES));
    world.uid = 0;
    world.fs.set_mode(caller!(world), f, 0o666).unwrap();
    world.uid = 1;
    assert_eq!(set(&mut world, SetTime::Now, SetTime::Now), Ok(()));
}

#[test]
fn modes_and_owners() {
    let mut world = World::new();
    world.umask = 0o027;
    world.mkdir("/d").unwrap();
    assert_eq!(world.stat("/d").unwrap().mode, FileType::Directory.mode_bits() | 0o750);
    world.put("/f", b"");
    let f = world.find("/f").unwrap();
    assert_eq!(world.fs.set_mode(caller!(world), f, 0o177_755), Ok(()));
    assert_eq!(world.stat("/f").unwrap().mode, FileType::File.mode_bits() | 0o7755);
    // A new owner does not inherit the right to be the old one.
    assert_eq!(world.fs.set_owner(caller!(world), f, Some(5), None), Ok(()));
    let stat = world.stat("/f").unwrap();
    assert_eq!((stat.uid, stat.gid, stat.mode & 0o7777), (5, 0, 0o1755));
    world.uid = 5;
    assert_eq!(world.fs.set_mode(caller!(world), f, 0o700), Ok(()));
    assert_eq!(world.fs.set_owner(caller!(world), f, Some(6), None), Err(Errno::EPERM));
    assert_eq!(world.fs.set_owner(caller!(world), f, Some(5), Some(0)), Ok(()));
    assert_eq!(world.fs.set_owner(caller!(world), f, None, Some(9)), Err(Errno::EPERM));
    world.uid = 6;
    assert_eq!(world.fs.set_mode(caller!(world), f, 0o777), Err(Errno::EPERM));
    assert_eq!(world.fs.set_owner(caller!(world), f, None, None), Err(Errno::EPERM));
    world.uid = 0;
    world.symlink("f", "/s").unwrap();
    let s = world.fs.find(caller!(world), world.at("/s"), Follow::No).unwrap();
    assert_eq!(world.fs.set_mode(caller!(world), s, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(world.fs.set_owner(caller!(world), s, Some(3), Some(3)), Ok(()));
    assert_eq!(world.stat("/s").unwrap().uid, 3);
}

#[test]
fn what_is_free_is_said() {
    let limits = Limits { file_pages: 100, inodes: 50, ..Limits::default() };
    let mut world = World::with(limits, 100);
    let root = world.fs.root();
    let before = world.fs.statfs(root);
    assert_eq!((before.blocks, before.blocks_free), (100, 100));
    assert_eq!((before.inodes, before.inodes_free), (50, 49));
    world.put("/f", &[1; 3 * PAGE]);
    let after = world.fs.statfs(root);
    assert_eq!((after.blocks_free, after.inodes_free), (97, 48));
    world.unlink("/f").unwrap();
    assert_eq!(world.fs.statfs(root), before);
}
