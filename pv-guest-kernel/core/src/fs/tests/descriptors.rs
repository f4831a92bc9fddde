//! Tables of descriptors: numbers, sharing, limits.

use super::*;

fn world() -> (World, Descriptors) {
    let mut world = World::new();
    world.put("/f", b"0123456789");
    (world, Descriptors::default())
}

#[test]
fn the_lowest_free_number_is_next() {
    let (mut world, mut fds) = world();
    for number in 0..3 {
        let id = world.open("/f", OpenFlags::empty());
        assert_eq!(fds.insert(id, false), Ok(Fd(number)));
    }
    fds.close(&mut world.fs, Fd(1), &mut world.pages).unwrap();
    assert_eq!(fds.close(&mut world.fs, Fd(1), &mut world.pages), Err(Errno::EBADF));
    assert_eq!(fds.get(Fd(1)), Err(Errno::EBADF));
    assert_eq!(fds.get(Fd(u32::MAX)), Err(Errno::EBADF));
    assert_eq!(fds.dup(&mut world.fs, Fd(2), 0, false), Ok(Fd(1)));
    assert_eq!(fds.dup(&mut world.fs, Fd(2), 10, true), Ok(Fd(10)));
    assert_eq!(fds.dup(&mut world.fs, Fd(9), 0, true), Err(Errno::EBADF));
    assert_eq!(fds.dup(&mut world.fs, Fd(2), 256, true), Err(Errno::EINVAL));
    assert_eq!(fds.first_from(Fd(3)), Some((Fd(10), fds.get(Fd(2)).unwrap())));
    assert_eq!(fds.first_from(Fd(11)), None);
    assert_eq!(world.fs.usage().open_files, 2);
    fds.close_all(&mut world.fs, &mut world.pages);
    assert_eq!(world.fs.usage().open_files, 0);
}

#[test]
fn copies_share_place_and_status_but_not_close_on_exec() {
    let (mut world, mut fds) = world();
    let id = world.open("/f", OpenFlags::empty());
    let fd = fds.insert(id, true).unwrap();
    let copy = fds.dup(&mut world.fs, fd, 0, false).unwrap();
    let mut child = fds.fork(&mut world.fs);
    assert_eq!(world.read(fds.get(fd).unwrap(), 2), Ok(b"01".to_vec()));
    assert_eq!(world.read(fds.get(copy).unwrap(), 2), Ok(b"23".to_vec()));
    assert_eq!(world.read(child.get(fd).unwrap(), 2), Ok(b"45".to_vec()));
    assert_eq!((fds.close_on_exec(fd), fds.close_on_exec(copy)), (Ok(true), Ok(false)));
    child.exec(&mut world.fs, &mut world.pages);
    assert_eq!(child.get(fd), Err(Errno::EBADF));
    assert_eq!(child.get(copy), Ok(id));
    assert_eq!(fds.get(fd), Ok(id));
    fds.set_close_on_exec(copy, true).unwrap();
    assert_eq!(fds.set_close_on_exec(Fd(7), true), Err(Errno::EBADF));
    fds.exec(&mut world.fs, &mut world.pages);
    assert_eq!(fds.first_from(Fd(0)), None);
    assert_eq!(world.fs.usage().open_files, 1);
    child.close_all(&mut world.fs, &mut world.pages);
    assert_eq!(world.fs.usage().open_files, 0);
}

#[test]
fn a_number_can_be_chosen() {
    let (mut world, mut fds) = world();
    let (one, other) = (world.open("/f", OpenFlags::empty()), world.open("/f", OpenFlags::RDWR));
    let (one, other) = (fds.insert(one, false).unwrap(), fds.insert(other, true).unwrap());
    let World { fs, pages, .. } = &mut world;
    assert_eq!(fds.dup_to(fs, one, other, false, pages), Ok(other));
    assert_eq!(fds.get(one), fds.get(other));
    assert_eq!(fds.close_on_exec(other), Ok(false));
    assert_eq!(fs.usage().open_files, 1);
    assert_eq!(fds.dup_to(fs, one, one, true, pages), Ok(one));
    assert_eq!(fds.close_on_exec(one), Ok(false));
    assert_eq!(fds.dup_to(fs, one, Fd(255), false, pages), Ok(Fd(255)));
    assert_eq!(fds.dup_to(fs, one, Fd(256), false, pages), Err(Errno::EBADF));
    assert_eq!(fds.dup_to(fs, Fd(9), one, false, pages), Err(Errno::EBADF));
    fds.close_all(fs, pages);
    assert_eq!(fs.usage().open_files, 0);
}

#[test]
fn a_full_table_says_so_before_anything_is_opened() {
    let (mut world, mut fds) = world();
    let id = world.open("/f", OpenFlags::empty());
    fds.insert(id, false).unwrap();
    for number in 1..DESCRIPTORS {
        assert_eq!(fds.room_for(1), Ok(()));
        assert_eq!(fds.dup(&mut world.fs, Fd(0), 0, false), Ok(Fd(number)));
    }
    assert_eq!(fds.room_for(1), Err(Errno::EMFILE));
    assert_eq!(fds.dup(&mut world.fs, Fd(0), 0, false), Err(Errno::EMFILE));
    assert_eq!(fds.insert(id, false), Err(Errno::EMFILE));
    fds.close(&mut world.fs, Fd(77), &mut world.pages).unwrap();
    assert_eq!((fds.room_for(1), fds.room_for(2)), (Ok(()), Err(Errno::EMFILE)));
    assert_eq!(fds.set_limit(DESCRIPTORS + 1), Err(Errno::EPERM));
    // A lower limit leaves what is open, and what is open above it.
    fds.set_limit(10).unwrap();
    assert_eq!(fds.insert(id, false), Err(Errno::EMFILE));
    assert!(fds.get(Fd(200)).is_ok());
    fds.close_all(&mut world.fs, &mut world.pages);
    assert_eq!(world.fs.usage().open_files, 0);
}

#[test]
fn where_a_path_begins() {
    let (mut world, mut fds) = world();
    world.mkdir("/d").unwrap();
    let directory = world.open("/d", OpenFlags::PATH);
    let file = world.open("/f", OpenFlags::empty());
    fds.insert(directory, false).unwrap();
    fds.insert(file, false).unwrap();
    let root = world.fs.root();
    let begins = |fd, path| fds.at(&world.fs, root, fd, path).map(|at| at.start);
    assert_eq!(begins(AT_FDCWD, b"x"), Ok(root));
    assert_eq!(begins(0, b"x"), world.find("/d"));
    assert_eq!(begins(1, b"x"), Err(Errno::ENOTDIR));
    assert_eq!(begins(1, b"/x"), Ok(root));
    assert_eq!(begins(1, b""), Ok(root));
    assert_eq!(begins(2, b"x"), Err(Errno::EBADF));
    assert_eq!(begins(-1, b"x"), Err(Errno::EBADF));
}
