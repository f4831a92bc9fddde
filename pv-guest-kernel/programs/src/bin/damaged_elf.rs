//! Executes damaged copies of a program, each in a child: whatever becomes of it, this program and
//! the kernel go on. Arguments: the program, how many copies, the seed; and `counts` to tell what
//! became of them, which is each kernel's own.
#![no_std]
#![no_main]

use core::ffi::CStr;
use kernel_programs::calls::{
    Ended, Info, Limit, O_CREAT, O_TRUNC, O_WRONLY, Reaction, SIGALRM, SIGKILL, alarm,
    become_nobody, close, duplicate, exec, exit, hold_back, leave_group, limit, open, react,
    read_all, run, spawn, unlink, wait_or_kill, write_all,
};
use kernel_programs::{Random, Start, check, println, program};

program!(main);

/// Bytes of a program at most.
const MOST: usize = 256 << 10;
/// Where the copies lie: where the program is started.
const COPY: &CStr = c"damaged.elf";
/// Milliseconds that a copy may run.
const PATIENCE: usize = 200;
/// Bytes of memory that it may have.
const MEMORY: u64 = 64 << 20;
/// Status of a child whose program could not be executed, or not be prepared.
const REFUSED: i32 = 126;
const UNPREPARED: i32 = 125;

fn main(start: &Start) -> i32 {
    let (Some(path), Some(count)) = (start.argument(1), start.number(2)) else {
        println!("damaged-elf PROGRAM COUNT [SEED [counts]]");
        return 2;
    };
    let mut random = Random::new(start.number(3).unwrap_or(1) as u64);
    let mut good = [0; MOST];
    let file = open(path, 0, 0);
    let length = file.and_then(|file| read_all(file, &mut good));
    check!(
        length.is_ok_and(|length| (64..MOST).contains(&length)),
        "the program is read: {length:?}"
    );
    check!(file.and_then(close).is_ok(), "and closed");
    let good = &mut good[..length.unwrap_or(0)];
    check!(react(SIGALRM, Reaction::Handle(tick, 0, 0)).is_ok(), "a handler");
    check!(one(good) == Some(Ended::Exit(0)), "the program itself runs");
    let (mut refused, mut ran, mut ended, mut killed) = (0, 0, 0, 0);
    for number in 0..count {
        let (changes, length) = damage(good, &mut random);
        match one(&good[..length]) {
            Some(Ended::Exit(REFUSED)) => refused += 1,
            Some(Ended::Exit(UNPREPARED)) => check!(false, "copy {number} could not be prepared"),
            Some(Ended::Exit(_)) => ran += 1,
            Some(_) => ended += 1,
            None => killed += 1,
        }
        for (place, byte) in changes.into_iter().rev() {
            good[place] = byte;
        }
    }
    check!(refused + ran + ended + killed == count, "every copy is counted");
    check!(one(good) == Some(Ended::Exit(0)), "the program itself still runs");
    check!(run(|| 0) == Ended::Exit(0) && unlink(COPY).is_ok(), "everything else still works");
    println!("{count} damaged programs were executed, and everything else goes on");
    if start.argument(4).is_some() {
        println!(
            "{refused} were refused, {ran} ran to an end, {ended} were ended by a signal, {killed} had to be killed"
        );
    }
    0
}

extern "C" fn tick(_: usize, _: &Info, _: usize) {}

/// Changes some bytes: where and what was there, and how long the copy is.
fn damage(bytes: &mut [u8], random: &mut Random) -> ([(usize, u8); 4], usize) {
    const HEADERS: usize = 64 + 6 * 56;
    let changes = core::array::from_fn(|index| {
        let most = if random.below(4) == 0 { bytes.len() } else { HEADERS.min(bytes.len()) };
        let place = random.below(most);
        let old = bytes[place];
        // The first change is one; the others may be none, so that there are one to four.
        if index == 0 || random.below(2) == 0 {
            bytes[place] = match random.below(4) {
                0 => 0,
                1 => 0xff,
                2 => old ^ 1 << random.below(8),
                _ => random.word() as u8,
            };
        }
        (place, old)
    });
    let length = if random.below(8) == 0 { random.below(bytes.len()) } else { bytes.len() };
    (changes, length)
}

/// Executes a program: how it ended, `None` if it had to be killed.
fn one(program: &[u8]) -> Option<Ended> {
    let file = open(COPY, O_WRONLY | O_CREAT | O_TRUNC, 0o755);
    let written = file.and_then(|file| write_all(file, program).and_then(|()| close(file)));
    check!(written.is_ok(), "a copy is written: {written:?}");
    let child = spawn(|| {
        let prepared = leave_group()
            .and_then(|()| become_nobody())
            .and_then(|()| limit(Limit::FileSize, 0))
            .and_then(|()| limit(Limit::Memory, MEMORY))
            .and_then(|()| hold_back(0).map(drop))
            .and_then(|()| react(SIGALRM, Reaction::Default))
            .and_then(|()| open(c"/dev/null", 2, 0))
            .and_then(|nothing| (0..3).try_for_each(|file| duplicate(nothing, file)))
            .and_then(|()| alarm(PATIENCE));
        if prepared.is_err() {
            exit(UNPREPARED);
        }
        exec(COPY);
        REFUSED
    });
    check!(child.is_ok(), "a child: {child:?}");
    // Its own timer ends it, unless it changes that.
    check!(alarm(10 * PATIENCE).is_ok(), "a timer");
    let ended = child.ok().and_then(wait_or_kill);
    check!(alarm(0).is_ok(), "the timer is stopped");
    match ended {
        Some(Ended::Signal(SIGKILL | SIGALRM)) => None,
        other => other,
    }
}
