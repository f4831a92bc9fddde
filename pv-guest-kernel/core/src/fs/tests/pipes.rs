//! Pipes and FIFOs: order, atomic writes, ends, who is woken; any sequence against a queue.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

fn pipe(world: &mut World, flags: OpenFlags) -> (DescriptionId, DescriptionId, Ino) {
    let (read, write) = world.fs.pipe(caller!(world), flags).unwrap();
    let Node::Inode(ino) = world.fs.node_of(read) else { panic!() };
    (read, write, ino)
}

const EAGAIN: Result<Vec<u8>, Stop> = Err(Stop::Errno(Errno::EAGAIN));

#[test]
fn bytes_come_in_order_and_readers_wait() {
    let mut world = World::new();
    let (read, write, ino) = pipe(&mut world, OpenFlags::empty());
    assert_eq!(world.read(read, 4), Err(Stop::Wait(Wait::Readable(ino))));
    assert_eq!(world.read(read, 0), Ok(vec![]));
    assert_eq!(world.write(write, b"abcdef"), Ok(6));
    assert_eq!(world.wakes(), [Wait::Readable(ino)]);
    assert_eq!(world.fs.available(read), 6);
    assert_eq!(world.read(read, 4), Ok(b"abcd".to_vec()));
    assert_eq!(world.wakes(), [Wait::Writable(ino)]);
    assert_eq!(world.read(read, 4), Ok(b"ef".to_vec()));
    world.fs.set_flags(read, OpenFlags::NONBLOCK);
    assert_eq!(world.read(read, 4), EAGAIN);
    assert_eq!(world.read(write, 4), Err(Errno::EBADF.into()));
    assert_eq!(world.write(read, b"x"), Err(Errno::EBADF.into()));
    assert_eq!(world.fs.seek(read, 0, Seek::Current), Err(Errno::ESPIPE));
    let mut to = [0];
    assert_eq!(world.fs.read_at(read, 0, &mut to, &mut world.pages), Err(Errno::ESPIPE.into()));
    let at = world.fs.write_at(write, 0, b"x", &mut world.pages);
    assert_eq!(at, Err(Errno::ESPIPE.into()));
    world.close(read);
    world.close(write);
    world.assert_empty();
}

#[test]
fn a_pipe_holds_64_kib_and_small_writes_go_whole() {
    let mut world = World::new();
    let (read, write, ino) = pipe(&mut world, OpenFlags::empty());
    assert_eq!(world.write(write, &[1; 60_000]), Ok(60_000));
    // More than is atomic: what fits.
    assert_eq!(world.write(write, &[2; PIPE_ATOMIC + 1]), Ok(PIPE_ATOMIC + 1));
    let left = PIPE_BYTES - 60_000 - PIPE_ATOMIC - 1;
    let wait = Err(Stop::Wait(Wait::Writable(ino)));
    assert_eq!(world.write(write, &vec![3; left + 1]), wait);
    assert_eq!(world.write(write, &vec![3; left]), Ok(left));
    assert_eq!(world.write(write, &[4; 9000]), wait);
    world.fs.set_flags(write, OpenFlags::NONBLOCK);
    assert_eq!(world.write(write, &[4]), Err(Errno::EAGAIN.into()));
    assert_eq!(world.read(read, 100), Ok(vec![1; 100]));
    assert_eq!(world.write(write, &[4; 101]), Err(Errno::EAGAIN.into()));
    assert_eq!(world.write(write, &[4; 5000]), Ok(100));
    assert!(world.pages.taken() <= PIPE_BYTES / PAGE + 1);
    assert_eq!(world.read(read, 1 << 20).map(|bytes| bytes.len()), Ok(PIPE_BYTES));
    assert_eq!(world.pages.taken(), 1);
}

#[test]
fn the_ends_tell_each_other() {
    let mut world = World::new();
    let (read, write, ino) = pipe(&mut world, OpenFlags::empty());
    assert_eq!(world.write(write, b"last"), Ok(4));
    world.fs.share(write);
    world.close(write);
    world.wakes();
    world.close(write);
    assert_eq!(world.wakes(), [Wait::Readable(ino)]);
    assert_eq!(world.read(read, 9), Ok(b"last".to_vec()));
    assert_eq!(world.read(read, 9), Ok(vec![]));
    world.close(read);
    world.assert_empty();

    let (read, write, ino) = pipe(&mut world, OpenFlags::empty());
    world.wakes();
    world.close(read);
    assert_eq!(world.wakes(), [Wait::Writable(ino)]);
    assert_eq!(world.write(write, b"x"), Err(Errno::EPIPE.into()));
    assert_eq!(world.write(write, b""), Err(Errno::EPIPE.into()));
    world.close(write);
    world.assert_empty();
}

#[test]
fn a_pipe_without_memory_takes_nothing_by_halves() {
    let mut world = World::with(Limits::default(), 1);
    let (read, write, _) = pipe(&mut world, OpenFlags::empty());
    assert_eq!(world.write(write, &[1; 3000]), Ok(3000));
    assert_eq!(world.write(write, &[2; 3000]), Err(Errno::ENOMEM.into()));
    assert_eq!(world.write(write, &[2; 5000]), Ok(PAGE - 3000));
    assert_eq!(world.write(write, &[3; 1]), Err(Errno::ENOMEM.into()));
    assert_eq!(world.read(read, 9000).map(|bytes| bytes.len()), Ok(PAGE));
}

#[test]
fn scarce_pipes_are_small_but_work() {
    let limits = Limits { pipe_pages: 20, ..Limits::default() };
    let mut world = World::with(limits, 100);
    let (_, first, _) = pipe(&mut world, OpenFlags::NONBLOCK);
    assert_eq!(world.write(first, &[1; 70_000]), Ok(PIPE_BYTES));
    let (read, second, _) = pipe(&mut world, OpenFlags::NONBLOCK);
    assert_eq!(world.write(second, &[1; 70_000]), Ok(PIPE_ATOMIC));
    assert_eq!(world.read(read, 1), Ok(vec![1]));
    assert_eq!(world.write(second, &[1; PIPE_ATOMIC]), Err(Errno::EAGAIN.into()));
    assert_eq!(world.read(read, PIPE_ATOMIC), Ok(vec![1; PIPE_ATOMIC - 1]));
    assert_eq!(world.write(second, &[1; PIPE_ATOMIC]), Ok(PIPE_ATOMIC));
}

#[test]
fn readiness_of_pipes() {
    let mut world = World::new();
    let (read, write, ino) = pipe(&mut world, OpenFlags::empty());
    let events = |world: &World, id| match world.fs.poll(id) {
        Polled::File { events, .. } => events & !(PollEvents::RDNORM | PollEvents::WRNORM),
        Polled::Terminal => panic!(),
    };
    assert_eq!(events(&world, read), PollEvents::empty());
    assert_eq!(events(&world, write), PollEvents::OUT);
    world.write(write, &[0; PIPE_BYTES - PIPE_ATOMIC + 1]).unwrap();
    assert_eq!(events(&world, read), PollEvents::IN);
    assert_eq!(events(&world, write), PollEvents::empty());
    let waits = |world: &World, id| match world.fs.poll(id) {
        Polled::File { waits, .. } => waits,
        Polled::Terminal => panic!(),
    };
    assert_eq!(waits(&world, read), [Some(Wait::Readable(ino)), None]);
    assert_eq!(waits(&world, write), [None, Some(Wait::Writable(ino))]);
    world.fs.share(read);
    world.close(write);
    assert_eq!(events(&world, read), PollEvents::IN | PollEvents::HUP);
    let (read, write, _) = pipe(&mut world, OpenFlags::empty());
    world.close(read);
    assert_eq!(events(&world, write), PollEvents::OUT | PollEvents::ERR);
}

#[test]
fn a_fifo_waits_for_its_other_end() {
    let mut world = World::new();
    world.mkfifo("/p").unwrap();
    let node = world.find("/p").unwrap();
    let Node::Inode(ino) = node else { panic!() };
    let open = |world: &mut World, flags| {
        let at = at(&world.fs, "/p");
        world.fs.open(caller!(world), at, flags, 0, &mut world.pages)
    };
    let partner = Wait::Partner(ino);
    let write_nonblocking = OpenFlags::WRONLY | OpenFlags::NONBLOCK;
    assert_eq!(open(&mut world, write_nonblocking).unwrap_err(), Errno::ENXIO);
    let reader = open(&mut world, OpenFlags::empty()).unwrap();
    assert_eq!(reader.wait, Some(partner));
    world.wakes();
    assert_eq!(world.fs.opened(reader.description), Err(partner));
    let writer = open(&mut world, OpenFlags::WRONLY).unwrap();
    assert_eq!(writer.wait, None);
    assert_eq!(world.wakes(), [partner]);
    // The writer is gone before the reader has looked: it has been there all the same.
    assert_eq!(world.write(writer.description, b"hello"), Ok(5));
    world.close(writer.description);
    assert_eq!(world.fs.opened(reader.description), Ok(()));
    assert_eq!(world.read(reader.description, 9), Ok(b"hello".to_vec()));
    assert_eq!(world.read(reader.description, 9), Ok(vec![]));
    world.close(reader.description);

    // A reader that gives up leaves nothing behind.
    let reader = open(&mut world, OpenFlags::empty()).unwrap();
    world.close(reader.description);
    assert_eq!(open(&mut world, write_nonblocking).unwrap_err(), Errno::ENXIO);
    let writer = open(&mut world, OpenFlags::WRONLY).unwrap();
    assert_eq!(writer.wait, Some(partner));
    let reader = world.open("/p", OpenFlags::NONBLOCK);
    assert_eq!(world.fs.opened(writer.description), Ok(()));
    world.close(reader);
    world.close(writer.description);

    // Both ways at once never waits, and hears itself.
    let both = world.open("/p", OpenFlags::RDWR);
    assert_eq!(world.write(both, b"x"), Ok(1));
    assert_eq!(world.read(both, 1), Ok(b"x".to_vec()));
    world.unlink("/p").unwrap();
    world.close(both);
    world.assert_empty();
}

#[test]
fn a_fifo_that_nobody_ever_wrote_has_not_hung_up() {
    let mut world = World::new();
    world.mkfifo("/p").unwrap();
    let reader = world.open("/p", OpenFlags::NONBLOCK);
    let hung_up = |world: &World| match world.fs.poll(reader) {
        Polled::File { events, .. } => events.contains(PollEvents::HUP),
        Polled::Terminal => panic!(),
    };
    assert!(!hung_up(&world));
    assert_eq!(world.read(reader, 1), Ok(vec![]));
    let writer = world.open("/p", OpenFlags::WRONLY);
    assert!(!hung_up(&world));
    world.close(writer);
    assert!(hung_up(&world));
}

#[derive(Clone, Debug)]
enum Step {
    Write(u32),
    Read(u32),
    Scarce(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![1..6000u32, 1..70_000u32].prop_map(Step::Write),
        4 => prop_oneof![1..6000u32, 1..70_000u32].prop_map(Step::Read),
        1 => (0..20u8).prop_map(Step::Scarce),
    ]
}

proptest! {
    #[test]
    fn any_sequence_is_as_with_a_queue(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::with(Limits::default(), 17);
        let (read, write, _) = pipe(&mut world, OpenFlags::NONBLOCK);
        let mut model: VecDeque<u8> = VecDeque::new();
        let mut next = 0u32;
        for step in steps {
            match step {
                Step::Write(length) => {
                    let from: Vec<u8> = (next..next + length).map(|n| (n % 251) as u8).collect();
                    let room = PIPE_BYTES - model.len();
                    let atomic = from.len() <= PIPE_ATOMIC;
                    match world.write(write, &from) {
                        Ok(done) => {
                            prop_assert!(done > 0 && done <= from.len().min(room));
                            prop_assert!(!atomic || done == from.len());
                            model.extend(&from[..done]);
                            next += done as u32;
                        }
                        Err(Stop::Errno(Errno::EAGAIN)) => {
                            let least = if atomic { from.len() } else { 1 };
                            prop_assert!(room < least);
                        }
                        other => prop_assert_eq!(other, Err(Errno::ENOMEM.into())),
                    }
                }
                Step::Read(length) => {
                    let expected: Vec<u8> =
                        model.drain(..model.len().min(length as usize)).collect();
                    let expected = if expected.is_empty() { EAGAIN } else { Ok(expected) };
                    prop_assert_eq!(world.read(read, length as usize), expected);
                }
                Step::Scarce(left) => {
                    world.pages.left = 17usize.saturating_sub(left.into())
                        .saturating_sub(world.pages.taken());
                }
            }
            prop_assert_eq!(world.fs.available(read), model.len() as u64);
            prop_assert!(world.pages.taken() <= 17);
        }
        world.close(read);
        world.close(write);
        world.assert_empty();
    }
}
