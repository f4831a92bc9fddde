//! What is known of files.

use super::*;
use crate::calls::layout::{u32_at, u64_at};

/// Where fields are in `struct stat` of x86-64.
const MODE: usize = 24;
const UID: usize = 28;
const SIZE: usize = 48;
const ATIME: usize = 72;
const MTIME: usize = 88;

fn stat(world: &mut World, path: &str) -> Vec<u8> {
    let (path, at) = (world.string(path), world.space(144));
    world.ok(Call::Stat, &[path, at]);
    world.load(at, 144)
}

#[test]
fn stat_tells_of_a_file_however_it_is_named() {
    let mut world = World::new();
    world.file("/f", b"text");
    let [f, s, empty] = ["/f", "/s", ""].map(|path| world.string(path));
    world.ok(Call::Symlink, &[f, s]);
    let expected = stat(&mut world, "/f");
    assert_eq!((u64_at(&expected, SIZE), u32_at(&expected, MODE)), (4, 0o100_644));
    let (fd, at) = (world.open("/f", 0), world.space(256));
    for (call, args) in [
        (Call::Stat, vec![s, at]),
        (Call::Fstat, vec![fd, at]),
        (Call::Newfstatat, vec![CWD, s, at, 0]),
        (Call::Newfstatat, vec![fd, empty, at, 0x1000]),
    ] {
        world.ok(call, &args);
        assert_eq!(world.load(at, 144), expected);
    }
    world.ok(Call::Lstat, &[s, at]);
    assert_eq!(u32_at(&world.load(at, 144), MODE), 0o120_777);
    world.ok(Call::Newfstatat, &[CWD, s, at, 0x100]);
    assert_eq!(u32_at(&world.load(at, 144), MODE), 0o120_777);
    assert_eq!(world.errno(Call::Newfstatat, &[CWD, s, at, 2]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Newfstatat, &[CWD, empty, at, 0]), Errno::ENOENT);
    world.ok(Call::Newfstatat, &[CWD, empty, at, 0x1000]);
    assert_eq!(u32_at(&world.load(at, 144), MODE) & 0o170_000, 0o040_000);
    world.ok(Call::Statx, &[CWD, f, 0, 0x7ff, at]);
    assert_eq!(u64_at(&world.load(at, 256), 40), 4);
    assert_eq!(world.errno(Call::Statx, &[CWD, f, 0x6000, 0, at]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Statx, &[CWD, f, 0, 1 << 31, at]), Errno::EINVAL);
    world.ok(Call::Statfs, &[f, at]);
    assert_eq!(u64_at(&world.load(at, 120), 0), 0x0102_1994);
    world.ok(Call::Fstatfs, &[fd, at]);
    world.finish();
}

#[test]
fn stat_lies_in_memory_as_the_machine_has_it() {
    let mut world = World::<true>::with_pages(1024);
    let (path, at) = (world.string("/init"), world.space(144));
    world.store(at, &[0xee; 144]);
    world.ok(Call::Newfstatat, &[CWD, path, at, 0]);
    let bytes = world.load(at, 144);
    assert_eq!((u32_at(&bytes, 16), u32_at(&bytes, 20)), (0o100_755, 1));
    assert_eq!(bytes[128..], [0xee; 16]);
    world.finish();
}

#[test]
fn permissions_owners_and_times_are_set() {
    let mut world = World::new();
    world.file("/f", b"text");
    let (path, fd) = (world.string("/f"), world.open("/f", 0));
    world.ok(Call::Chmod, &[path, 0o600]);
    assert_eq!(u32_at(&stat(&mut world, "/f"), MODE), 0o100_600);
    world.ok(Call::Fchmod, &[fd, 0o640]);
    world.ok(Call::Fchmodat, &[CWD, path, 0o641]);
    assert_eq!(u32_at(&stat(&mut world, "/f"), MODE), 0o100_641);
    world.ok(Call::Chown, &[path, 5, u64::MAX]);
    world.ok(Call::Lchown, &[path, u64::MAX, 6]);
    let now = stat(&mut world, "/f");
    assert_eq!((u32_at(&now, UID), u32_at(&now, UID + 4)), (5, 6));
    world.ok(Call::Fchown, &[fd, 7, 8]);
    assert_eq!(world.errno(Call::Fchownat, &[CWD, path, 1, 1, 1]), Errno::EINVAL);
    let place = world.open("/f", 0o10_000_000);
    assert_eq!(world.errno(Call::Fchmod, &[place, 0]), Errno::EBADF);

    let times = world.put(&[11_u64, 12, 13, 14].map(u64::to_le_bytes).concat());
    world.ok(Call::Utimensat, &[CWD, path, times, 0]);
    let now = stat(&mut world, "/f");
    assert_eq!((u64_at(&now, ATIME), u64_at(&now, ATIME + 8)), (11, 12));
    assert_eq!((u64_at(&now, MTIME), u64_at(&now, MTIME + 8)), (13, 14));
    let keep = world.put(&[0, 0x3fff_fffe, 21, 22_u64].map(u64::to_le_bytes).concat());
    world.ok(Call::Utimensat, &[fd, 0, keep, 0]);
    let now = stat(&mut world, "/f");
    assert_eq!((u64_at(&now, ATIME), u64_at(&now, MTIME)), (11, 21));
    world.ok(Call::Utimes, &[path, times]);
    assert_eq!(u64_at(&stat(&mut world, "/f"), ATIME + 8), 12_000);
    world.ok(Call::Utime, &[path, times]);
    assert_eq!(u64_at(&stat(&mut world, "/f"), MTIME), 12);
    let wrong = world.put(&[0, 1_000_000_000, 0, 0_u64].map(u64::to_le_bytes).concat());
    assert_eq!(world.errno(Call::Utimensat, &[CWD, path, wrong, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Futimesat, &[CWD, path, wrong]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Utimensat, &[CWD, path, 0, 0]), 0);
    world.finish();
}

#[test]
fn access_asks_for_the_user_who_started_the_process() {
    let mut world = World::new();
    world.file("/f", b"text");
    let path = world.string("/f");
    world.ok(Call::Chmod, &[path, 0o600]);
    assert_eq!(world.ok(Call::Access, &[path, 6]), 0);
    assert_eq!(world.errno(Call::Access, &[path, 1]), Errno::EACCES);
    assert_eq!(world.errno(Call::Access, &[path, 8]), Errno::EINVAL);
    let process = world.kernel.processes.get_mut(INIT).unwrap();
    process.credentials.user.real = 5;
    process.credentials.group.real = 5;
    assert_eq!(world.errno(Call::Access, &[path, 4]), Errno::EACCES);
    assert_eq!(world.errno(Call::Faccessat, &[CWD, path, 4]), Errno::EACCES);
    assert_eq!(world.ok(Call::Faccessat2, &[CWD, path, 4, 0x200]), 0);
    assert_eq!(world.ok(Call::Access, &[path, 0]), 0);
    assert_eq!(world.errno(Call::Getxattr, &[path]), Errno::EOPNOTSUPP);
    world.finish();
}
