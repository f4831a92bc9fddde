//! Memory.

use super::*;

const P: u64 = PAGE as u64;
const FAR: u64 = 0x2000_0000;

fn map(world: &mut World, pages: u64) -> u64 {
    world.ok(Call::Mmap, &[0, pages * P, 3, 0x22, u64::MAX, 0])
}

#[test]
fn memory_is_mapped_protected_and_given_back() {
    let mut world = World::new();
    let at = map(&mut world, 4);
    assert_eq!(world.load(at, 4), [0; 4]);
    world.store(at, b"abcd");
    world.ok(Call::Mprotect, &[at, P, 1]);
    let fd = world.open("/f", 0o102);
    assert_eq!(world.errno(Call::Read, &[fd, at, 1]), Errno::EFAULT);
    world.ok(Call::Mprotect, &[at, P, 3]);
    assert_eq!(world.load(at, 4), b"abcd");
    world.ok(Call::Munmap, &[at + P, P]);
    assert_eq!(world.errno(Call::Write, &[fd, at + P, 1]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Mprotect, &[at, 4 * P, 1]), Errno::ENOMEM);
    assert_eq!(world.errno(Call::Mprotect, &[at + 1, P, 1]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Mprotect, &[at, P, 8]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Mprotect, &[at, 0, 1]), 0);
    assert_eq!(world.errno(Call::Munmap, &[at, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Munmap, &[at + 1, P]), Errno::EINVAL);
    world.finish();
}

#[test]
fn mmap_refuses_what_makes_no_sense() {
    let mut world = World::new();
    world.file("/f", &[7; PAGE]);
    let (read, write) = (world.open("/f", 0), world.open("/f", 1));
    for (args, errno) in [
        ([0, 0, 3, 0x22, 0, 0], Errno::EINVAL),
        ([0, P, 3, 0x20, 0, 0], Errno::EINVAL),
        ([0, P, 8, 0x22, 0, 0], Errno::EINVAL),
        ([0, P, 3, 0x22, 0, 1], Errno::EINVAL),
        ([0, P, 3, 0x4_0022, 0, 0], Errno::ENOMEM),
        ([0, 1 << 50, 3, 0x22, 0, 0], Errno::ENOMEM),
        ([0, u64::MAX, 3, 0x22, 0, 0], Errno::ENOMEM),
        ([0, P, 3, 0x32, 0, 0], Errno::ENOMEM),
        ([BUFFER, P, 3, 0x10_0022, 0, 0], Errno::EEXIST),
        ([0, P, 1, 2, 99, 0], Errno::EBADF),
        ([0, P, 1, 2, write, 0], Errno::EACCES),
        ([0, P, 3, 1, read, 0], Errno::EACCES),
        ([0, P, 1, 2, 0, 0], Errno::ENODEV),
        ([0, P, 1, 2, read, i64::MAX as u64 & !0xfff], Errno::EINVAL),
    ] {
        assert_eq!(world.errno(Call::Mmap, &args), errno, "{args:x?}");
    }
    // A place that is taken, without insisting, is none.
    assert_ne!(world.ok(Call::Mmap, &[BUFFER, P, 3, 0x22, 0, 0]), BUFFER);
    world.finish();
}

#[test]
fn files_are_mapped_private_and_shared() {
    let mut world = World::new();
    world.file("/f", &[7; 2 * PAGE]);
    let fd = world.open("/f", 2);
    let private = world.ok(Call::Mmap, &[0, P, 3, 2, fd, P]);
    let shared = world.ok(Call::Mmap, &[0, P, 3, 1, fd, P]);
    world.store(private, &[8]);
    assert_eq!(world.load(shared, 1), [7]);
    world.store(shared, &[9]);
    assert_eq!(world.load(private, 1), [8]);
    assert_eq!(world.content("/f")[PAGE], 9);
    world.ok(Call::Madvise, &[private, P, 4]);
    assert_eq!(world.load(private, 1), [9]);
    world.close(fd);
    let path = world.string("/f");
    world.ok(Call::Unlink, &[path]);
    assert_eq!(world.load(shared, 1), [9]);
    let zero = world.open("/dev/zero", 2);
    let at = world.ok(Call::Mmap, &[0, P, 3, 2, zero, 0]);
    assert_eq!(world.load(at, 4), [0; 4]);
    world.finish();
}

#[test]
fn the_heap_grows_and_shrinks() {
    let mut world = World::new();
    let start = world.ok(Call::Brk, &[0]);
    assert_eq!(world.ok(Call::Brk, &[start + 3 * P + 5]), start + 3 * P + 5);
    world.store(start + 3 * P, &[1]);
    assert_eq!(world.ok(Call::Brk, &[start + 5]), start + 5);
    assert_eq!(world.ok(Call::Brk, &[u64::MAX]), start + 5);
    assert_eq!(world.ok(Call::Brk, &[start - 1]), start + 5);
    world.finish();
}

#[test]
fn advice_that_counts_is_followed() {
    let mut world = World::new();
    let at = map(&mut world, 2);
    world.store(at, &[1]);
    assert_eq!(world.ok(Call::Madvise, &[at, 2 * P, 3]), 0);
    assert_eq!(world.load(at, 1), [1]);
    world.ok(Call::Madvise, &[at, 2 * P, 4]);
    assert_eq!(world.load(at, 1), [0]);
    assert_eq!(world.ok(Call::Madvise, &[at, 0, 4]), 0);
    assert_eq!(world.errno(Call::Madvise, &[at, P, 18]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Madvise, &[at + 1, P, 4]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Madvise, &[FAR, P, 4]), Errno::ENOMEM);
    assert_eq!(world.errno(Call::Madvise, &[FAR, P, 3]), Errno::ENOMEM);
    world.finish();
}

#[test]
fn a_mapping_grows_in_place_shrinks_and_moves_with_its_content() {
    let mut world = World::new();
    let fixed = |world: &mut World, at, pages: u64| {
        world.ok(Call::Mmap, &[at, pages * P, 3, 0x32, u64::MAX, 0])
    };
    fixed(&mut world, FAR, 2);
    world.store(FAR, b"first");
    world.store(FAR + P, b"second");
    assert_eq!(world.ok(Call::Mremap, &[FAR, 2 * P, 3 * P, 0]), FAR);
    assert_eq!(world.load(FAR + 2 * P, 3), [0; 3]);
    assert_eq!(world.ok(Call::Mremap, &[FAR, 3 * P, 2 * P, 0]), FAR);
    fixed(&mut world, FAR + 2 * P, 1);
    world.ok(Call::Mprotect, &[FAR + 2 * P, P, 1]);
    assert_eq!(world.errno(Call::Mremap, &[FAR, 2 * P, 3 * P, 0]), Errno::ENOMEM);
    let to = world.ok(Call::Mremap, &[FAR, 2 * P, 5 * P, 1]);
    world.audit();
    assert_ne!(to, FAR);
    assert_eq!((world.load(to, 5), world.load(to + P, 6)), (b"first".into(), b"second".into()));
    assert_eq!(world.load(to + 4 * P, 3), [0; 3]);
    world.store(to, b"again");
    let fd = world.open("/f", 0o102);
    assert_eq!(world.errno(Call::Write, &[fd, FAR, 1]), Errno::EFAULT);
    // Within one leaf of the kernel's map, to a fixed place, shorter.
    let there = FAR + 64 * P;
    assert_eq!(world.ok(Call::Mremap, &[to, 5 * P, P, 3, there]), there);
    assert_eq!(world.load(there, 5), b"again");
    world.audit();
    let one = there + 8 * P;
    assert_eq!(world.ok(Call::Mremap, &[there, P, P, 3, one]), one);
    assert_eq!(world.load(one, 5), b"again");
    for (args, errno) in [
        ([one, P, P, 2, FAR], Errno::EINVAL),
        ([one, P, P, 4, 0], Errno::EINVAL),
        ([one + 1, P, P, 1, 0], Errno::EINVAL),
        ([one, 0, P, 1, 0], Errno::EINVAL),
        ([one, P, 0, 1, 0], Errno::EINVAL),
        ([one, P, P, 3, one], Errno::EINVAL),
        ([one, 2 * P, P, 1, 0], Errno::EFAULT),
        ([one, P, u64::MAX - 5000, 1, 0], Errno::ENOMEM),
    ] {
        assert_eq!(world.errno(Call::Mremap, &args), errno, "{args:x?}");
    }
    world.finish();
}

#[test]
fn mapped_files_move_and_copies_stay_copies() {
    let mut world = World::new();
    world.file("/f", &[7; 3 * PAGE]);
    let fd = world.open("/f", 2);
    let at = world.ok(Call::Mmap, &[FAR, 2 * P, 3, 0x12, fd, P]);
    world.store(at + P, &[8]);
    let child = world.fork();
    let to = world.ok(Call::Mremap, &[at, 2 * P, 2 * P, 3, FAR + 8 * P]);
    assert_eq!((world.load(to, 1), world.load(to + P, 1)), (vec![7], vec![8]));
    world.store(to + P, &[9]);
    world.audit();
    world.become_(child);
    assert_eq!(world.load(at + P, 1), [8]);
    world.become_(INIT);
    let shared = world.ok(Call::Mmap, &[0, P, 3, 0x21, u64::MAX, 0]);
    assert_eq!(world.errno(Call::Mremap, &[shared, P, 2 * P, 1]), Errno::EINVAL);
    world.finish();
}

#[test]
fn other_calls_on_memory_tell_the_truth() {
    let mut world = World::new();
    let (at, vector) = (map(&mut world, 3), world.space(16));
    world.store(at + P, &[1]);
    world.ok(Call::Mincore, &[at, 3 * P, vector]);
    assert_eq!(world.load(vector, 3), [0, 1, 0]);
    assert_eq!(world.errno(Call::Mincore, &[at, 3 * P, READ_ONLY]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Mincore, &[FAR, P, vector]), Errno::ENOMEM);
    assert_eq!(world.errno(Call::Mincore, &[at + 1, P, vector]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Msync, &[at, 3 * P, 4]), 0);
    assert_eq!(world.errno(Call::Msync, &[at, P, 5]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Msync, &[FAR, P, 4]), Errno::ENOMEM);
    assert_eq!(world.errno(Call::Mlock, &[at, P]), Errno::EPERM);
    assert_eq!(world.ok(Call::Munlock, &[at, P]), 0);
    world.finish();
}
