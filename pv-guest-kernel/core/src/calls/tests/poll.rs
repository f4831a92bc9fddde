//! `poll` and `select`.

use super::*;

const SECOND: u64 = 1_000_000_000;

/// `struct pollfd`s for these descriptors and events.
fn polled(world: &mut World, files: &[(u64, u16)]) -> u64 {
    let bytes: Vec<u8> = files
        .iter()
        .flat_map(|(fd, events)| {
            [&(*fd as u32).to_le_bytes()[..], &events.to_le_bytes(), &[0xff; 2]].concat()
        })
        .collect();
    world.put(&bytes)
}

/// What was found.
fn found(world: &mut World, at: u64, count: usize) -> Vec<u16> {
    let bytes = world.load(at, count * 8);
    bytes.chunks(8).map(|file| u16::from_le_bytes([file[6], file[7]])).collect()
}

/// The machine does nothing until a time.
fn pass(world: &mut World, until: u64) {
    world.kernel.platform.set_alarm(Some(until));
    world.kernel.platform.idle();
}

#[test]
fn poll_tells_what_can_be_done_now() {
    let mut world = World::new();
    let (reader, writer) = world.pipe(0);
    let at = polled(&mut world, &[(reader, 1), (writer, 4), (99, 1), (u64::MAX, 1)]);
    assert_eq!(world.ok(Call::Poll, &[at, 4, u64::MAX]), 2);
    assert_eq!(found(&mut world, at, 4), [0, 4, 0x20, 0]);
    world.write(writer, b"x").unwrap();
    assert_eq!(world.ok(Call::Poll, &[at, 1, u64::MAX]), 1);
    assert_eq!(found(&mut world, at, 1), [1]);
    world.read(reader, 9).unwrap();
    world.close(writer);
    assert_eq!(world.ok(Call::Poll, &[at, 1, 0]), 1);
    assert_eq!(found(&mut world, at, 1), [0x10]);
    assert_eq!(world.errno(Call::Poll, &[at, 257, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Poll, &[READ_ONLY, 1, 0]), Errno::EFAULT);
    world.finish();
}

#[test]
fn poll_waits_so_long_and_no_longer() {
    let mut world = World::new();
    let (reader, _) = world.pipe(0);
    let at = polled(&mut world, &[(reader, 1)]);
    assert_eq!(world.ok(Call::Poll, &[at, 1, 0]), 0);
    let args = [at, 1, 1500];
    let now = world.kernel.platform.now();
    let waiting = world.waits(Call::Poll, &args);
    assert_eq!(waiting.until, Some(now + SECOND * 3 / 2));
    assert!(waiting.once && waiting.files.len() == 1 && !waiting.terminal);
    // Made again, the time counts from the first time on.
    pass(&mut world, now + SECOND);
    assert_eq!(world.waits(Call::Poll, &args).until, waiting.until);
    pass(&mut world, now + 2 * SECOND);
    assert_eq!(world.ok(Call::Poll, &args), 0);
    let span = world.put(&[1_u64, 0].map(u64::to_le_bytes).concat());
    let mask = world.put(&u64::MAX.to_le_bytes());
    let waiting = world.waits(Call::Ppoll, &[at, 1, span, mask, 8]);
    assert_eq!(waiting.until, Some(now + 3 * SECOND));
    let signals = &world.kernel.processes.get(INIT).unwrap().signals;
    assert_eq!(signals.blocked.0, !(1 << 8 | 1 << 18));
    assert_eq!(world.errno(Call::Ppoll, &[at, 1, 0, mask, 4]), Errno::EINVAL);
    world.finish();
}

#[test]
fn the_terminal_can_be_read_when_a_line_is_there() {
    let mut world = World::new();
    let at = polled(&mut world, &[(0, 5)]);
    assert_eq!(world.ok(Call::Poll, &[at, 1, u64::MAX]), 1);
    assert_eq!(found(&mut world, at, 1), [4]);
    let at = polled(&mut world, &[(0, 1)]);
    world.kernel.platform.type_in(b"l");
    assert!(world.waits(Call::Poll, &[at, 1, u64::MAX]).terminal);
    world.kernel.platform.type_in(b"s\n");
    assert_eq!(world.ok(Call::Poll, &[at, 1, u64::MAX]), 1);
    world.finish();
}

#[test]
fn select_keeps_what_is_ready() {
    let mut world = World::new();
    let (reader, writer) = world.pipe(0);
    let (reads, writes) = (world.space(8), world.space(8));
    let ask = |world: &mut World, reads_: u64, writes_: u64| {
        world.store(reads, &reads_.to_le_bytes());
        world.store(writes, &writes_.to_le_bytes());
    };
    ask(&mut world, 1 << reader, 1 << writer);
    assert_eq!(world.ok(Call::Select, &[64, reads, writes, 0, 0]), 1);
    assert_eq!((world.word(reads), world.word(writes)), (0, 1 << writer));
    ask(&mut world, 1 << reader, 0);
    let zero = world.put(&[0; 16]);
    // The sets stay as they are while it waits.
    assert_eq!(world.waits(Call::Select, &[64, reads, 0, 0, 0]).files.len(), 1);
    assert_eq!(world.word(reads), 1 << reader);
    assert_eq!(world.ok(Call::Select, &[64, reads, 0, 0, zero]), 0);
    assert_eq!(world.word(reads), 0);
    ask(&mut world, 1 << 60, 0);
    assert_eq!(world.errno(Call::Select, &[64, reads, 0, 0, 0]), Errno::EBADF);
    // Beyond the count nobody looks.
    assert_eq!(world.ok(Call::Select, &[60, reads, 0, 0, zero]), 0);
    assert_eq!(world.errno(Call::Select, &[u64::MAX, reads, 0, 0, 0]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Select, &[64, READ_ONLY, 0, 0, 0]), Errno::EFAULT);
    let masks = world.put(&[0; 16]);
    assert_eq!(world.ok(Call::Pselect6, &[0, 0, 0, 0, zero, masks]), 0);
    world.finish();
}
