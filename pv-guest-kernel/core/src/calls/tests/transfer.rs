//! Moving bytes: `read`, `write`, their vectors and offsets, and copies within the kernel.

use super::*;
use crate::fs::Wait;

const LARGE: usize = 40_000;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 % 251) as u8).collect()
}

#[test]
fn what_is_written_is_read_in_pieces_too() {
    let mut world = World::new();
    let content = pattern(LARGE);
    world.file("/f", &content);
    assert_eq!(world.content("/f"), content);
    let fd = world.open("/f", 2);
    let at = world.space(LARGE as u64 + 9);
    assert_eq!(world.ok(Call::Read, &[fd, at, LARGE as u64 + 9]), LARGE as u64);
    assert_eq!(world.load(at, LARGE), content);
    assert_eq!(world.ok(Call::Pread64, &[fd, at, 3, LARGE as u64 - 2]), 2);
    assert_eq!(world.ok(Call::Pwrite64, &[fd, at, 3, 10]), 3);
    assert_eq!(world.ok(Call::Lseek, &[fd, 0, 1]), LARGE as u64);
    assert_eq!(world.content("/f")[10..12], content[LARGE - 2..]);
    assert_eq!(world.errno(Call::Pread64, &[fd, at, 3, u64::MAX]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Lseek, &[fd, 0, 9]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Lseek, &[fd, -1_i64 as u64, 0]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Lseek, &[fd, 5, 0]), 5);
    assert_eq!(world.read(fd, 2), Ok(content[5..7].to_vec()));
    world.finish();
}

#[test]
fn what_can_be_reached_of_the_memory_is_moved() {
    let mut world = World::new();
    let content = pattern(LARGE);
    world.file("/f", &content);
    let fd = world.open("/f", 2);
    let edge = BUFFER + ROOM - 100;
    assert_eq!(world.ok(Call::Read, &[fd, edge, 5000]), 100);
    assert_eq!(world.ok(Call::Lseek, &[fd, 0, 1]), 100);
    assert_eq!(world.errno(Call::Read, &[fd, BUFFER + ROOM, 5]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Read, &[fd, READ_ONLY, 5]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Write, &[fd, NO_ACCESS, 5]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Read, &[fd, u64::MAX - 2, 5]), Errno::EFAULT);
    assert_eq!(world.ok(Call::Lseek, &[fd, 0, 1]), 100);
    assert_eq!(world.ok(Call::Write, &[fd, READ_ONLY + 4000, 5000]), 96);
    // A pipe loses nothing to a bad address.
    let (reader, writer) = world.pipe(0);
    assert_eq!(world.write(writer, b"abc"), Ok(3));
    assert_eq!(world.errno(Call::Read, &[reader, 16, 3]), Errno::EFAULT);
    assert_eq!(world.read(reader, 9), Ok(b"abc".to_vec()));
    world.finish();
}

#[test]
fn vectors_are_read_and_written_in_order() {
    let mut world = World::new();
    let fd = world.open("/f", 0o102);
    let (a, b) = (world.put(b"one"), world.put(b"three"));
    let parts = [a, 3, 0, 0, b, 5].map(u64::to_le_bytes).concat();
    let parts = world.put(&parts);
    assert_eq!(world.ok(Call::Writev, &[fd, parts, 3]), 8);
    assert_eq!(world.content("/f"), b"onethree");
    assert_eq!(world.ok(Call::Pwritev, &[fd, parts, 1, 5]), 3);
    let (c, d) = (world.space(4), world.space(9));
    let parts = [c, 4, d, 9].map(u64::to_le_bytes).concat();
    let parts = world.put(&parts);
    assert_eq!(world.ok(Call::Preadv, &[fd, parts, 2, 0]), 8);
    assert_eq!((world.load(c, 4), world.load(d, 4)), (b"onet".to_vec(), b"hone".to_vec()));
    assert_eq!(world.ok(Call::Lseek, &[fd, 0, 0]), 0);
    assert_eq!(world.ok(Call::Readv, &[fd, parts, 2]), 8);
    assert_eq!(world.errno(Call::Readv, &[fd, parts, 1025]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Writev, &[fd, BUFFER + ROOM, 1]), Errno::EFAULT);
    let parts = [a, u64::MAX].map(u64::to_le_bytes).concat();
    let parts = world.put(&parts);
    assert_eq!(world.errno(Call::Writev, &[fd, parts, 1]), Errno::EINVAL);
    // A part that cannot be reached ends the transfer.
    let parts = [a, 3, NO_ACCESS, 3, b, 5].map(u64::to_le_bytes).concat();
    let parts = world.put(&parts);
    assert_eq!(world.ok(Call::Writev, &[fd, parts, 3]), 3);
    let parts = [NO_ACCESS, 3, b, 5].map(u64::to_le_bytes).concat();
    let parts = world.put(&parts);
    assert_eq!(world.errno(Call::Writev, &[fd, parts, 2]), Errno::EFAULT);
    world.finish();
}

#[test]
fn a_write_to_a_full_pipe_goes_on_where_it_was() {
    let mut world = World::new();
    let (reader, writer) = world.pipe(0);
    let content = pattern(100_000);
    let at = world.put(&content);
    let args = [writer, at, content.len() as u64];
    let waiting = world.waits(Call::Write, &args);
    assert!(matches!(waiting.files[..], [Wait::Writable(_)]));
    let mut got = world.meanwhile(|world| world.read(reader, 50_000).unwrap());
    // There is room for the rest now.
    assert_eq!(world.ok(Call::Write, &args), 100_000);
    while got.len() < content.len() {
        got.extend(world.read(reader, 9000).unwrap());
    }
    assert_eq!(got, content);
    let waiting = world.waits(Call::Read, &[reader, at, 5]);
    assert!(matches!(waiting.files[..], [Wait::Readable(_)]));
    // What is small goes together, or waits.
    world.write(writer, &content[..65_000]).unwrap();
    assert_eq!(world.waits(Call::Write, &[writer, at, 1000]).files.len(), 1);
    world.close(writer);
    while !world.read(reader, 50_000).unwrap().is_empty() {}
    world.finish();
}

#[test]
fn a_signal_ends_a_write_that_has_moved_something() {
    let mut world = World::new();
    let child = world.fork();
    world.become_(child);
    let (_, writer) = world.pipe(0);
    let at = world.put(&pattern(100_000));
    let args = [writer, at, 100_000];
    world.waits(Call::Write, &args);
    world.kernel.signal(child, crate::process::Signal::TERM);
    assert_eq!(world.ok(Call::Write, &args), 65_536);
    // And one that has not, by way of the kernel.
    world.waits(Call::Write, &args);
}

#[test]
fn a_pipe_without_waiting_takes_what_it_can() {
    let mut world = World::new();
    let (reader, writer) = world.pipe(0o4000);
    let at = world.put(&pattern(100_000));
    assert_eq!(world.errno(Call::Read, &[reader, at, 5]), Errno::EAGAIN);
    assert_eq!(world.ok(Call::Write, &[writer, at, 100_000]), 65_536);
    assert_eq!(world.errno(Call::Write, &[writer, at, 1]), Errno::EAGAIN);
    world.close(reader);
    let child = world.fork();
    world.become_(child);
    assert_eq!(world.errno(Call::Write, &[writer, at, 1]), Errno::EPIPE);
    assert!(world.kernel.is_interrupted(child), "EPIPE comes with SIGPIPE");
}

#[test]
fn descriptors_that_do_not_serve_are_refused() {
    let mut world = World::new();
    world.file("/f", b"x");
    let (read, write) = (world.open("/f", 0), world.open("/f", 1));
    let (place, root) = (world.open("/f", 0o10_000_000), world.open("/", 0));
    let at = world.space(16);
    assert_eq!(world.errno(Call::Write, &[read, at, 1]), Errno::EBADF);
    assert_eq!(world.errno(Call::Read, &[write, at, 1]), Errno::EBADF);
    assert_eq!(world.errno(Call::Read, &[place, at, 1]), Errno::EBADF);
    assert_eq!(world.errno(Call::Read, &[root, at, 1]), Errno::EISDIR);
    assert_eq!(world.errno(Call::Read, &[99, at, 1]), Errno::EBADF);
    assert_eq!(world.errno(Call::Read, &[u64::MAX, at, 1]), Errno::EBADF);
    assert_eq!(world.errno(Call::Read, &[write, at, 0]), Errno::EBADF);
    assert_eq!(world.ok(Call::Read, &[read, 0, 0]), 0);
    let (reader, _) = world.pipe(0);
    assert_eq!(world.errno(Call::Pread64, &[reader, at, 1, 0]), Errno::ESPIPE);
    assert_eq!(world.errno(Call::Lseek, &[reader, 0, 0]), Errno::ESPIPE);
    world.finish();
}

#[test]
fn devices_read_and_write_as_they_should() {
    let mut world = World::new();
    let (zero, full, null) =
        (world.open("/dev/zero", 2), world.open("/dev/full", 2), world.open("/dev/null", 2));
    assert_eq!(world.read(zero, 20_000), Ok(vec![0; 20_000]));
    assert_eq!(world.write(null, &[1; 20_000]), Ok(20_000));
    assert_eq!(world.read(null, 5), Ok(vec![]));
    assert_eq!(world.write(full, b"x"), Err(Errno::ENOSPC.into()));
    let random = world.open("/dev/urandom", 0);
    assert_ne!(world.read(random, 32), Ok(vec![0; 32]));
    world.finish();
}

#[test]
fn files_are_copied_within_the_kernel() {
    let mut world = World::new();
    let content = pattern(LARGE);
    world.file("/f", &content);
    let (from, to) = (world.open("/f", 0), world.open("/g", 0o102));
    assert_eq!(world.ok(Call::Sendfile, &[to, from, 0, 1 << 40]), LARGE as u64);
    assert_eq!(world.content("/g"), content);
    assert_eq!(world.ok(Call::Sendfile, &[to, from, 0, 9]), 0);
    let offset = world.put(&10_u64.to_le_bytes());
    assert_eq!(world.ok(Call::Sendfile, &[to, from, offset, 5]), 5);
    assert_eq!(world.word(offset), 15);
    assert_eq!(world.content("/g")[LARGE..], content[10..15]);

    let place = world.put(&3_u64.to_le_bytes());
    assert_eq!(world.ok(Call::CopyFileRange, &[from, offset, to, place, 7, 0]), 7);
    assert_eq!((world.word(offset), world.word(place)), (22, 10));
    assert_eq!(world.content("/g")[3..10], content[15..22]);
    assert_eq!(world.errno(Call::CopyFileRange, &[to, 0, to, 0, 7, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::CopyFileRange, &[from, 0, to, 0, 7, 1]), Errno::EINVAL);

    let (reader, writer) = world.pipe(0);
    assert_eq!(world.errno(Call::Sendfile, &[to, reader, 0, 7]), Errno::EINVAL);
    world.ok(Call::Lseek, &[from, 0, 0]);
    assert_eq!(world.ok(Call::Sendfile, &[writer, from, 0, 99_999]), LARGE as u64);
    world.ok(Call::Lseek, &[from, 0, 0]);
    // What fits is an answer; when nothing does, it waits, and the file is not moved.
    assert_eq!(world.ok(Call::Sendfile, &[writer, from, 0, 99_999]), 65_536 - LARGE as u64);
    assert_eq!(world.waits(Call::Sendfile, &[writer, from, 0, 99_999]).files.len(), 1);
    assert_eq!(world.ok(Call::Lseek, &[from, 0, 1]), 65_536 - LARGE as u64);
    assert_eq!(world.errno(Call::Sendfile, &[writer, from, 16, 9]), Errno::EFAULT);
    world.finish();
}

#[test]
fn a_transfer_that_finds_no_page_goes_on_where_it_was() {
    let mut world = World::new();
    let content = pattern(LARGE);
    world.file("/f", &content);
    let fd = world.open("/f", 0);
    let at = world.ok(Call::Mmap, &[0, LARGE as u64, 3, 0x22, u64::MAX, 0]);
    let (reader, writer) = world.pipe(0);
    world.store(at, &[0]);
    // Few pages are left: the first piece fits, and the second does not.
    let frames = &mut world.kernel.memory.frames;
    let hidden: Vec<Pfn> = core::iter::from_fn(|| frames.take(Kind::Kernel).ok()).collect();
    let left = 5 + frames.watermarks().min as usize;
    hidden[..left].iter().for_each(|page| assert!(frames.give(*page)));
    let args = [fd, at, LARGE as u64];
    assert_eq!(world.call(Call::Read, &args), Err(Stop::NoMemory));
    assert_eq!(world.kernel.caller(INIT).progress.done, 6 * PAGE as u64);
    let frames = &mut world.kernel.memory.frames;
    hidden[left..].iter().for_each(|page| assert!(frames.give(*page)));
    assert_eq!(world.ok(Call::Read, &args), LARGE as u64);
    assert_eq!(world.load(at, LARGE), content);

    let frames = &mut world.kernel.memory.frames;
    let hidden: Vec<Pfn> = core::iter::from_fn(|| frames.take(Kind::Kernel).ok()).collect();
    hidden[..left].iter().for_each(|page| assert!(frames.give(*page)));
    let args = [writer, at, LARGE as u64];
    assert_eq!(world.call(Call::Write, &args), Err(Stop::NoMemory));
    let frames = &mut world.kernel.memory.frames;
    hidden[left..].iter().for_each(|page| assert!(frames.give(*page)));
    assert_eq!(world.ok(Call::Write, &args), LARGE as u64);
    let mut got = Vec::new();
    while got.len() < LARGE {
        got.extend(world.read(reader, 9000).unwrap());
    }
    assert_eq!(got, content);
    world.finish();
}
