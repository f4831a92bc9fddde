//! Descriptors themselves.

use super::*;

const CLOEXEC: u64 = 0o2_000_000;

#[test]
fn descriptors_are_copied_and_closed() {
    let mut world = World::new();
    let fd = world.open("/f", 0o102);
    assert_eq!(world.ok(Call::Dup, &[fd]), fd + 1);
    assert_eq!(world.ok(Call::Dup2, &[fd, 10]), 10);
    assert_eq!(world.ok(Call::Dup2, &[fd, fd]), fd);
    assert_eq!(world.errno(Call::Dup2, &[99, 99]), Errno::EBADF);
    assert_eq!(world.errno(Call::Dup2, &[fd, 256]), Errno::EBADF);
    assert_eq!(world.errno(Call::Dup3, &[fd, fd, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Dup3, &[fd, 11, 1]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Dup3, &[fd, 11, CLOEXEC]), 11);
    assert_eq!(world.ok(Call::Fcntl, &[11, 1]), 1);
    assert_eq!(world.ok(Call::Fcntl, &[10, 1]), 0);
    // They have one offset.
    world.write(10, b"abc").unwrap();
    assert_eq!(world.ok(Call::Lseek, &[fd, 0, 1]), 3);
    assert_eq!(world.ok(Call::CloseRange, &[10, u64::MAX, 0]), 0);
    assert_eq!(world.errno(Call::Close, &[10]), Errno::EBADF);
    assert_eq!(world.ok(Call::CloseRange, &[fd, fd + 1, 4]), 0);
    assert_eq!(world.ok(Call::Fcntl, &[fd + 1, 1]), 1);
    assert_eq!(world.errno(Call::CloseRange, &[2, 1, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::CloseRange, &[1, 2, 8]), Errno::EINVAL);
    world.finish();
}

#[test]
fn fcntl_knows_flags_and_admits_that_there_are_no_locks() {
    let mut world = World::new();
    let fd = world.open("/f", 0o102);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 3]), 0o100_002);
    world.ok(Call::Fcntl, &[fd, 4, 0o6000]);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 3]), 0o106_002);
    world.ok(Call::Fcntl, &[fd, 2, 1]);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 1]), 1);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 0, 20]), 20);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 1030, 20]), 21);
    assert_eq!((world.ok(Call::Fcntl, &[20, 1]), world.ok(Call::Fcntl, &[21, 1])), (0, 1));
    assert_eq!(world.errno(Call::Fcntl, &[fd, 0, 256]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Fcntl, &[fd, 77]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Fcntl, &[99, 1]), Errno::EBADF);
    let lock = |kind: u16| [&kind.to_le_bytes()[..], &[0; 30]].concat();
    let (read, unlock, wrong) = (world.put(&lock(0)), world.put(&lock(2)), world.put(&lock(3)));
    assert_eq!(world.errno(Call::Fcntl, &[fd, 6, read]), Errno::ENOLCK);
    assert_eq!(world.errno(Call::Fcntl, &[fd, 7, read]), Errno::ENOLCK);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 6, unlock]), 0);
    assert_eq!(world.errno(Call::Fcntl, &[fd, 6, wrong]), Errno::EINVAL);
    world.ok(Call::Fcntl, &[fd, 5, read]);
    assert_eq!(world.load(read, 2), [2, 0]);
    assert_eq!(world.errno(Call::Flock, &[fd, 2]), Errno::ENOLCK);
    assert_eq!(world.ok(Call::Flock, &[fd, 8]), 0);
    assert_eq!(world.errno(Call::Flock, &[fd, 3]), Errno::EINVAL);
    let place = world.open("/f", 0o10_000_000);
    assert_eq!(world.errno(Call::Fcntl, &[place, 4, 0]), Errno::EBADF);
    assert_eq!(world.ok(Call::Fcntl, &[place, 1]), 0);
    world.finish();
}

#[test]
fn pipes_are_two_descriptors() {
    let mut world = World::new();
    let (reader, writer) = world.pipe(CLOEXEC);
    assert_eq!((reader, writer), (3, 4));
    assert_eq!(world.ok(Call::Fcntl, &[reader, 1]), 1);
    assert_eq!(world.ok(Call::Fcntl, &[writer, 1032]), 65_536);
    assert_eq!(world.errno(Call::Fcntl, &[0, 1032]), Errno::EBADF);
    let (other, _) = world.pipe(0o4000);
    assert_eq!(world.ok(Call::Fcntl, &[other, 3]) & 0o4000, 0o4000);
    let at = world.space(8);
    assert_eq!(world.errno(Call::Pipe2, &[at, 1]), Errno::EINVAL);
    world.finish();
}

#[test]
fn sizes_are_set_and_pages_reserved() {
    let mut world = World::new();
    let (fd, reader) = (world.open("/f", 0o102), world.open("/f", 0));
    world.ok(Call::Ftruncate, &[fd, 5000]);
    assert_eq!(world.content("/f"), [0; 5000]);
    let path = world.string("/f");
    world.ok(Call::Truncate, &[path, 3]);
    assert_eq!(world.errno(Call::Truncate, &[path, u64::MAX]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Ftruncate, &[reader, 3]), Errno::EINVAL);
    let pages = world.kernel.fs.usage().file_pages;
    world.ok(Call::Fallocate, &[fd, 0, PAGE as u64, 2 * PAGE as u64]);
    assert_eq!(world.kernel.fs.usage().file_pages, pages + 2);
    assert_eq!(world.content("/f").len(), 3 * PAGE);
    let large = 1 << 30;
    assert_eq!(world.errno(Call::Fallocate, &[fd, 0, 0, large]), Errno::ENOSPC);
    assert_eq!(world.content("/f").len(), 3 * PAGE);
    for (args, errno) in [
        ([fd, 1, 0, 1], Errno::EOPNOTSUPP),
        ([fd, 0, 0, 0], Errno::EINVAL),
        ([fd, 0, u64::MAX, 1], Errno::EINVAL),
        ([fd, 0, i64::MAX as u64, 1], Errno::EFBIG),
        ([reader, 0, 0, 1], Errno::EBADF),
        ([0, 0, 0, 1], Errno::ENODEV),
    ] {
        assert_eq!(world.errno(Call::Fallocate, &args), errno, "{args:?}");
    }
    let (_, writer) = world.pipe(0);
    assert_eq!(world.errno(Call::Fallocate, &[writer, 0, 0, 1]), Errno::ESPIPE);
    assert_eq!(world.errno(Call::Fadvise64, &[writer, 0, 0, 1]), Errno::ESPIPE);
    assert_eq!(world.ok(Call::Fadvise64, &[fd, 0, 0, 4]), 0);
    assert_eq!(world.errno(Call::Fadvise64, &[fd, 0, 0, 6]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Fsync, &[writer]), Errno::EINVAL);
    assert_eq!((world.ok(Call::Fsync, &[fd]), world.ok(Call::Fdatasync, &[fd])), (0, 0));
    assert_eq!((world.ok(Call::Sync, &[]), world.ok(Call::Syncfs, &[fd])), (0, 0));
    world.finish();
}
