//! Pipes: many writers and one reader, with checksums; writes of up to `PIPE_BUF` bytes stay whole;
//! a long stream; the ends of it all.
#![no_std]
#![no_main]

use kernel_programs::calls::{
    Ended, Errno, O_NONBLOCK, PIPE_BUF, Reaction, SIGPIPE, close, duplicate, pipe, react, read,
    read_all, run, set_waiting, spawn, wait, write, write_all,
};
use kernel_programs::random::sum;
use kernel_programs::{Random, Start, check, println, program};

program!(main);

const WRITERS: usize = 8;
const RECORDS: usize = 64;
/// Bytes before a record's content: writer, number, length, sum.
const HEADER: usize = 16;
/// Bytes of the long stream.
const STREAM: usize = 1 << 20;

fn main(_: &Start) -> i32 {
    many_writers();
    long_stream();
    chain();
    no_waiting();
    no_reader();
    0
}

fn new_pipe(flags: usize) -> [i32; 2] {
    let ends = pipe(flags);
    check!(ends.is_ok(), "a pipe: {ends:?}");
    ends.unwrap_or_default()
}

fn all_ended(children: &[i32]) {
    for child in children {
        let ended = wait(*child);
        check!(ended == Ok((*child, Ended::Exit(0))), "a child ended: {ended:?}");
    }
}

fn start(work: impl FnOnce() -> i32) -> i32 {
    let child = spawn(work);
    check!(child.is_ok(), "a child: {child:?}");
    child.unwrap_or(-1)
}

/// Fills a record; its length.
fn record(buffer: &mut [u8; PIPE_BUF], random: &mut Random, writer: usize, number: usize) -> usize {
    // Every fourth is as long as can be.
    let length =
        if number.is_multiple_of(4) { PIPE_BUF } else { HEADER + random.below(PIPE_BUF - HEADER) };
    for byte in &mut buffer[HEADER..length] {
        *byte = random.word() as u8;
    }
    let digest = sum(0, &buffer[HEADER..length]);
    buffer[0] = writer as u8;
    buffer[1] = number as u8;
    buffer[2..4].fill(0xa5);
    buffer[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    buffer[8..16].copy_from_slice(&digest.to_le_bytes());
    length
}

fn many_writers() {
    let [from, to] = new_pipe(0);
    let children: [i32; WRITERS] = core::array::from_fn(|writer| {
        start(|| {
            let (mut buffer, mut random) = ([0; PIPE_BUF], Random::new(writer as u64));
            for number in 0..RECORDS {
                let length = record(&mut buffer, &mut random, writer, number);
                let written = write(to, &buffer[..length]);
                check!(written == Ok(length), "record {number} of writer {writer}: {written:?}");
            }
            0
        })
    });
    check!(close(to).is_ok(), "the end is closed");
    let mut next = [0; WRITERS];
    let (mut buffer, mut bytes, mut total) = ([0; PIPE_BUF], 0, 0_u64);
    loop {
        let found = read_all(from, &mut buffer[..HEADER]);
        if found == Ok(0) {
            break;
        }
        check!(found == Ok(HEADER) && buffer[2..4] == [0xa5; 2], "a header: {found:?}");
        let (writer, number) = (usize::from(buffer[0]), usize::from(buffer[1]));
        let length = u32::from_le_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]) as usize;
        check!(writer < WRITERS && length <= PIPE_BUF, "the header is one: {writer}, {length}");
        check!(next[writer] == number, "writer {writer}: {number} after {}", next[writer]);
        let expected =
            buffer[8..16].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let content = &mut buffer[HEADER..length];
        let found = read_all(from, content);
        check!(found == Ok(length - HEADER), "the content: {found:?}");
        check!(sum(0, content) == expected, "record {number} of writer {writer} is whole");
        next[writer] += 1;
        bytes += length;
        total = total.wrapping_add(expected);
    }
    check!(next == [RECORDS; WRITERS], "every record came: {next:?}");
    check!(close(from).is_ok(), "the end is closed");
    all_ended(&children);
    println!("{WRITERS} writers: {} records, {bytes} bytes, sum {total:016x}", WRITERS * RECORDS);
}

/// What is written in the stream.
fn stream(seed: u64, mut piece: impl FnMut(&[u8])) {
    let (mut random, mut buffer) = (Random::new(seed), [0; 5000]);
    let mut left = STREAM;
    while left > 0 {
        let length = (1 + random.below(buffer.len())).min(left);
        for byte in &mut buffer[..length] {
            *byte = random.word() as u8;
        }
        piece(&buffer[..length]);
        left -= length;
    }
}

fn long_stream() {
    let [from, to] = new_pipe(0);
    let child = start(|| {
        stream(9, |piece| check!(write_all(to, piece).is_ok(), "a piece is written"));
        0
    });
    check!(close(to).is_ok(), "the end is closed");
    let (mut bytes, mut found, mut buffer) = (0, 0, [0; 777]);
    let mut random = Random::new(3);
    loop {
        let most = 1 + random.below(buffer.len());
        let length = read(from, &mut buffer[..most]).unwrap_or(0);
        if length == 0 {
            break;
        }
        for byte in &buffer[..length] {
            found = sum(found, &[*byte]);
        }
        bytes += length;
    }
    let mut expected = 0;
    stream(9, |piece| expected = piece.iter().fold(expected, |total, byte| sum(total, &[*byte])));
    check!(bytes == STREAM && found == expected, "{bytes} bytes, sum {found:x}, not {expected:x}");
    check!(close(from).is_ok(), "the end is closed");
    all_ended(&[child]);
    println!("one stream of {STREAM} bytes came as it was written");
}

/// Processes one behind the other, each adding 1 to every byte, by its standard input and output.
fn chain() {
    const LENGTH: usize = 6;
    let [mut from, first] = new_pipe(0);
    let children: [i32; LENGTH] = core::array::from_fn(|_| {
        let [next, to] = new_pipe(0);
        let child = start(|| {
            // What is open of the chain besides would keep it from ending.
            let mut ok = close(first).is_ok() && close(next).is_ok();
            ok &= duplicate(from, 0).is_ok() && duplicate(to, 1).is_ok();
            ok &= close(from).is_ok() && close(to).is_ok();
            let mut buffer = [0; 300];
            while let Ok(length @ 1..) = read(0, &mut buffer) {
                buffer[..length].iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
                ok &= write_all(1, &buffer[..length]).is_ok();
            }
            i32::from(!ok)
        });
        check!(close(from).is_ok() && close(to).is_ok(), "the ends are closed");
        from = next;
        child
    });
    let mut sent = [0; 2000];
    sent.iter_mut().enumerate().for_each(|(index, byte)| *byte = index as u8);
    check!(write_all(first, &sent).is_ok() && close(first).is_ok(), "it is written");
    let mut found = [0; 2001];
    let length = read_all(from, &mut found);
    check!(length == Ok(sent.len()), "as much comes back: {length:?}");
    let right =
        sent.iter().zip(&found).all(|(sent, found)| sent.wrapping_add(LENGTH as u8) == *found);
    check!(right, "each process added 1");
    check!(close(from).is_ok(), "the end is closed");
    all_ended(&children);
    println!("{LENGTH} processes in a chain each did their part");
}

fn no_waiting() {
    let [from, to] = new_pipe(O_NONBLOCK);
    check!(read(from, &mut [0]) == Err(Errno::EAGAIN), "nothing is there yet");
    let mut bytes = 0;
    let full = loop {
        match write(to, &[1; PIPE_BUF]) {
            Ok(length) => bytes += length,
            Err(error) => break error,
        }
    };
    check!(full == Errno::EAGAIN && bytes >= PIPE_BUF, "the pipe is full: {full:?} at {bytes}");
    // A write that may not be divided is not: there is room for less.
    check!(read(from, &mut [0; 100]) == Ok(100), "100 bytes are taken out");
    check!(write(to, &[1; PIPE_BUF]) == Err(Errno::EAGAIN), "a whole write does not fit");
    check!(set_waiting(to, true).is_ok(), "calls wait again");
    let child = start(|| i32::from(write(to, &[2; PIPE_BUF]) != Ok(PIPE_BUF)));
    check!(close(to).is_ok() && set_waiting(from, true).is_ok(), "the child alone writes");
    let (mut left, mut buffer) = (0, [0; PIPE_BUF]);
    while let Ok(length @ 1..) = read(from, &mut buffer) {
        left += length;
    }
    check!(left == bytes - 100 + PIPE_BUF, "{left} bytes were left of {bytes}");
    check!(close(from).is_ok(), "the end is closed");
    all_ended(&[child]);
    println!("a full pipe refuses, or waits, and loses nothing");
}

fn no_reader() {
    let [from, to] = new_pipe(0);
    check!(close(from).is_ok(), "the end is closed");
    let ended = run(|| {
        let _ = write(to, b"x");
        0
    });
    check!(ended == Ended::Signal(SIGPIPE), "a writer without a reader: {ended:?}");
    check!(react(SIGPIPE, Reaction::Ignore).is_ok(), "the signal is ignored");
    check!(write(to, b"x") == Err(Errno::EPIPE), "the write is refused then");
    check!(react(SIGPIPE, Reaction::Default).is_ok(), "the signal is as it was");
    check!(read(to, &mut [0]) == Err(Errno::EBADF), "one end is for writing only");
    check!(close(to).is_ok() && close(to) == Err(Errno::EBADF), "what is closed is gone");
    println!("a pipe without a reader ends its writer");
}
