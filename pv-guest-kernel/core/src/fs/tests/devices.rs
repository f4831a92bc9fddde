//! `/dev`.

use super::*;

fn world() -> World {
    let mut world = World::new();
    world.fs.set_up().unwrap();
    world
}

#[test]
fn each_device_does_what_it_is_for() {
    let mut world = world();
    for (path, read, write) in [
        ("/dev/null", Ok(vec![]), Ok(3)),
        ("/dev/zero", Ok(vec![0; 4]), Ok(3)),
        ("/dev/full", Ok(vec![0; 4]), Err(Errno::ENOSPC.into())),
        ("/dev/random", Ok(vec![4; 4]), Ok(3)),
        ("/dev/urandom", Ok(vec![4; 4]), Ok(3)),
        ("/dev/console", Err(Stop::Terminal), Err(Stop::Terminal)),
        ("/dev/tty", Err(Stop::Terminal), Err(Stop::Terminal)),
    ] {
        let id = world.open(path, OpenFlags::RDWR | OpenFlags::TRUNC | OpenFlags::APPEND);
        assert_eq!(world.read(id, 4), read, "{path}");
        assert_eq!(world.write(id, b"abc"), write, "{path}");
        let terminal = read.is_err();
        let seek = if terminal { Err(Errno::ESPIPE) } else { Ok(0) };
        assert_eq!(world.fs.seek(id, 5, Seek::Start), seek, "{path}");
        assert_eq!(world.fs.poll(id) == Polled::Terminal, terminal, "{path}");
        world.close(id);
    }
}

#[test]
fn spare_memory_has_whole_pages_that_are_there_or_not() {
    let mut world = world();
    world.pages.spare_room = 2;
    let id = world.open("/dev/spare", OpenFlags::RDWR);
    let page = |byte: u8| vec![byte; PAGE];
    assert_eq!(world.read(id, PAGE), Ok(vec![]), "nothing was written");
    assert_eq!(world.write(id, &[page(1), page(2)].concat()), Ok(2 * PAGE));
    assert_eq!(world.write(id, &page(3)), Err(Errno::ENOSPC.into()), "there is no room");
    assert_eq!(world.fs.seek(id, PAGE as i64, Seek::Start), Ok(PAGE as u64));
    assert_eq!(world.read(id, 2 * PAGE), Ok(page(2)), "up to what is not there");
    assert_eq!(world.read(id, PAGE), Ok(vec![]));
    // In place of what was there; and nothing is there when that cannot be.
    assert_eq!(world.fs.seek(id, 0, Seek::Start), Ok(0));
    assert_eq!(world.write(id, &page(4)), Ok(PAGE));
    assert_eq!(world.fs.seek(id, 0, Seek::Start), Ok(0));
    assert_eq!(world.read(id, 2 * PAGE), Ok([page(4), page(2)].concat()));
    assert_eq!(world.fs.seek(id, 0, Seek::Start), Ok(0));
    world.pages.spare_room = 1;
    assert_eq!(world.write(id, &page(5)), Err(Errno::ENOSPC.into()));
    assert_eq!(world.fs.seek(id, 0, Seek::Start), Ok(0));
    assert_eq!(world.read(id, 2 * PAGE), Ok(vec![]));
    for (offset, length) in [(0, 1), (0, PAGE - 1), (1, PAGE), (PAGE as i64 / 2, PAGE)] {
        assert!(world.fs.seek(id, offset, Seek::Start).is_ok());
        assert_eq!(world.read(id, length), Err(Errno::EINVAL.into()), "{length} at {offset}");
        assert_eq!(world.write(id, &vec![0; length]), Err(Errno::EINVAL.into()));
    }
    world.close(id);
}

#[test]
fn numbers_are_those_of_linux() {
    let world = world();
    for device in Device::ALL {
        let path = format!("/dev/{}", device.name());
        let stat = world.stat(&path).unwrap();
        assert_eq!(stat.number, Some(device.number()));
        assert_eq!(stat.mode, FileType::Device.mode_bits() | 0o666);
        assert_eq!(Device::with_number(device.number()), Some(device));
        assert_eq!(world.fs.device(world.find(&path).unwrap()), Some(device));
    }
    let null = DeviceNumber { major: 1, minor: 3 };
    assert_eq!(Device::Null.number(), null);
}

#[test]
fn a_device_that_is_not_there_cannot_be_opened() {
    let mut world = world();
    let number = DeviceNumber { major: 200, minor: 1 };
    let path = at(&world.fs, "/dev/odd");
    assert_eq!(world.fs.mknod(caller!(world), path, Make::Device(number), 0o600), Ok(()));
    assert_eq!(world.stat("/dev/odd").unwrap().number, Some(number));
    assert_eq!(world.try_open("/dev/odd", OpenFlags::empty()), Err(Errno::ENXIO));
    world.uid = 1;
    let path = at(&world.fs, "/dev/mine");
    let made = world.fs.mknod(caller!(world), path, Make::Device(number), 0o600);
    assert_eq!(made, Err(Errno::EACCES));
}

#[test]
fn set_up_keeps_what_is_there_and_wants_directories() {
    let mut world = World::new();
    world.mkdir("/dev").unwrap();
    world.put("/dev/null", b"a file");
    world.fs.set_up().unwrap();
    assert_eq!(world.content("/dev/null"), Ok(b"a file".to_vec()));
    let mut world = World::new();
    world.put("/proc", b"");
    assert_eq!(world.fs.set_up(), Err(Errno::ENOTDIR));
}
