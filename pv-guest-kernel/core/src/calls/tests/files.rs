//! Opening.

use super::*;
use crate::fs::Wait;

#[test]
fn files_are_opened_made_and_cut() {
    let mut world = World::new();
    let path = world.string("/f");
    assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::ENOENT);
    let fd = world.ok(Call::Creat, &[path, 0o600]);
    world.write(fd, b"abc").unwrap();
    assert_eq!(world.errno(Call::Open, &[path, 0o301, 0]), Errno::EEXIST);
    let again = world.ok(Call::Open, &[path, 0o1002]);
    assert_eq!((again, world.content("/f")), (fd + 1, vec![]));
    let nowhere = world.string("/f/x");
    assert_eq!(world.errno(Call::Open, &[nowhere, 0]), Errno::ENOTDIR);
    let empty = world.string("");
    assert_eq!(world.errno(Call::Open, &[empty, 0]), Errno::ENOENT);
    world.finish();
}

#[test]
fn a_path_begins_at_a_directory() {
    let mut world = World::new();
    let (dir, file) = (world.string("/d"), world.string("f"));
    world.ok(Call::Mkdir, &[dir, 0o755]);
    let directory = world.open("/d", 0o200_000);
    world.ok(Call::Openat, &[directory, file, 0o101, 0o644]);
    assert_eq!(world.content("/d/f"), b"");
    assert_eq!(world.errno(Call::Openat, &[99, file, 0]), Errno::EBADF);
    let fd = world.open("/d/f", 0);
    assert_eq!(world.errno(Call::Openat, &[fd, file, 0]), Errno::ENOTDIR);
    // An absolute path does not ask for it.
    let absolute = world.string("/d/f");
    world.ok(Call::Openat, &[99, absolute, 0]);
    world.finish();
}

#[test]
fn a_path_may_be_so_long_and_no_longer() {
    let mut world = World::new();
    let long = "/".repeat(4096);
    let path = world.string(&long[1..]);
    world.ok(Call::Open, &[path, 0]);
    let path = world.string(&long);
    assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::ENAMETOOLONG);
    let path = world.string(&["/", &"x".repeat(256)].concat());
    assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::ENAMETOOLONG);
    world.finish();
}

#[test]
fn a_process_with_a_full_table_changes_nothing() {
    let mut world = World::new();
    while world.call(Call::Dup, &[0]).is_ok() {}
    assert_eq!(world.errno(Call::Dup, &[0]), Errno::EMFILE);
    let path = world.string("/f");
    assert_eq!(world.errno(Call::Creat, &[path, 0o600]), Errno::EMFILE);
    assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::EMFILE);
    let at = world.space(8);
    assert_eq!(world.errno(Call::Pipe, &[at]), Errno::EMFILE);
    world.close(200);
    assert_eq!(world.errno(Call::Pipe, &[at]), Errno::EMFILE);
    assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::ENOENT);
    world.finish();
}

#[test]
fn opening_a_fifo_waits_for_its_other_end() {
    let mut world = World::new();
    let path = world.string("/fifo");
    world.ok(Call::Mknod, &[path, 0o010_600, 0]);
    let waiting = world.waits(Call::Open, &[path, 0]);
    assert!(matches!(waiting.files[..], [Wait::Partner(_)]));
    // Asked again, it has not opened it again.
    world.waits(Call::Open, &[path, 0]);
    assert_eq!(world.kernel.fs.usage().open_files, 2);
    let writer = world.meanwhile(|world| world.ok(Call::Open, &[path, 1]));
    let reader = world.ok(Call::Open, &[path, 0]);
    world.write(writer, b"x").unwrap();
    assert_eq!(world.read(reader, 9), Ok(b"x".to_vec()));
    world.close(reader);
    assert_eq!(world.errno(Call::Open, &[path, 0o4001]), Errno::ENXIO);
    world.finish();
}

#[test]
fn a_file_that_is_cut_is_unmapped_where_it_was() {
    let mut world = World::new();
    world.file("/f", &[7; 3 * PAGE]);
    let fd = world.open("/f", 2);
    let at = world.ok(Call::Mmap, &[0, 3 * PAGE as u64, 3, 1, fd, 0]);
    assert_eq!(world.load(at + 2 * PAGE as u64, 1), [7]);
    let page = world.kernel.memory.frames.count(Kind::File);
    world.ok(Call::Ftruncate, &[fd, PAGE as u64]);
    assert_eq!(world.kernel.memory.frames.count(Kind::File), page - 2);
    world.audit();
    let end = at + PAGE as u64;
    assert_eq!(world.errno(Call::Write, &[fd, end, 1]), Errno::EFAULT);
    assert_eq!(world.load(at, 1), [7]);
    world.open("/f", 0o1002);
    assert_eq!(world.errno(Call::Write, &[fd, at, 1]), Errno::EFAULT);
    world.finish();
}
