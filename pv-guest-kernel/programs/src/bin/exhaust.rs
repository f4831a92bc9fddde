//! Uses up what there is: `memory`, `descriptors` or `processes`. The kernel refuses, or ends who
//! took it; the others go on. The second argument is the most that is taken, in MiB or processes.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is taken and touched by address")]

use kernel_programs::calls::{
    Ended, Errno, Limit, MAP_PRIVATE, PAGE, SIGKILL, close, exit, fork, limit, load_word,
    new_memory, open, pipe, read, run, spawn, store_word, wait,
};
use kernel_programs::{Start, check, println, program};

program!(main);

fn main(start: &Start) -> i32 {
    let most = start.number(2);
    match start.argument(1).map(|what| what.to_bytes()) {
        Some(b"memory") => memory(most),
        Some(b"descriptors") => descriptors(),
        Some(b"processes") => processes(most.unwrap_or(100_000)),
        _ => {
            println!("exhaust memory|descriptors|processes [MOST]");
            return 2;
        }
    }
    0
}

const PIECE: usize = 1 << 20;
const PIECES: usize = 4096;

fn memory(most: Option<usize>) {
    for round in 1..=3 {
        let ended = run(|| {
            if let Some(most) = most {
                let limited = limit(Limit::Memory, (most << 20) as u64);
                check!(limited.is_ok(), "a limit: {limited:?}");
            }
            take_all()
        });
        let expected = ended == Ended::Exit(0) || ended == Ended::Signal(SIGKILL);
        check!(expected, "who took all memory: {ended:?}");
        // The others go on, and have memory again.
        let ended = run(|| take(4));
        check!(ended == Ended::Exit(0), "another process: {ended:?}");
        check!(take(1) == 0, "and this one");
        println!("round {round}: a child took all memory, and was refused more or ended");
    }
}

/// Takes memory until there is no more, and looks whether it is still what was written.
fn take_all() -> i32 {
    match take(PIECES) {
        0 => 3,
        refused => i32::from(refused != 1),
    }
}

/// Takes so many pieces: 0, or 1 if they were refused; or else what is wrong.
fn take(most: usize) -> i32 {
    let mut pieces = [0; PIECES];
    let mut taken = 0;
    while taken < most {
        match new_memory(PIECE, MAP_PRIVATE) {
            Ok(piece) => {
                for page in (0..PIECE).step_by(PAGE) {
                    // SAFETY: the piece is ours.
                    unsafe { store_word(piece + page, (taken * PIECE + page) as u64) };
                }
                pieces[taken] = piece;
                taken += 1;
            }
            Err(Errno::ENOMEM) => break,
            Err(_) => return 2,
        }
    }
    for (number, piece) in pieces[..taken].iter().enumerate() {
        for page in (0..PIECE).step_by(PAGE) {
            // SAFETY: the piece is ours.
            if unsafe { load_word(piece + page) } != (number * PIECE + page) as u64 {
                return 4;
            }
        }
    }
    i32::from(taken < most)
}

/// Descriptors of a process.
const DESCRIPTORS: usize = 64;

fn descriptors() {
    let limited = limit(Limit::Descriptors, DESCRIPTORS as u64);
    check!(limited.is_ok(), "a limit: {limited:?}");
    for file in 3..DESCRIPTORS {
        // Whoever started this may have left some open.
        let _ = close(file as i32);
    }
    for round in 1..=2 {
        let (opened, refused) = open_all();
        check!(refused == Errno::EMFILE, "refused with {refused:?}");
        let ended = run(|| i32::from(open_all().0 != 0));
        check!(ended == Ended::Exit(0), "a child has them too: {ended:?}");
        for file in DESCRIPTORS - opened..DESCRIPTORS {
            check!(close(file as i32).is_ok(), "descriptor {file} is closed");
        }
        println!("round {round}: {opened} descriptors opened, then refused");
    }
    // Many processes at once: what there is in all may end first.
    let ends = pipe(0);
    check!(ends.is_ok(), "a pipe: {ends:?}");
    let [from, to] = ends.unwrap_or_default();
    const MANY: usize = 24;
    let mut children = [0; MANY];
    for child in &mut children {
        let made = spawn(|| {
            const ENFILE: Errno = Errno(23);
            let (_, refused) = open_all();
            let closed = close(to);
            let waited = read(from, &mut [0]);
            i32::from(
                closed.is_err() || waited != Ok(0) || !matches!(refused, Errno::EMFILE | ENFILE),
            )
        });
        check!(made.is_ok(), "a child: {made:?}");
        *child = made.unwrap_or(-1);
    }
    check!(close(to).is_ok() && close(from).is_ok(), "the pipe is closed");
    for child in children {
        let ended = wait(child);
        check!(ended == Ok((child, Ended::Exit(0))), "a child: {ended:?}");
    }
    let (opened, _) = open_all();
    check!(opened == DESCRIPTORS - 3, "all can be opened again: {opened}");
    println!("{MANY} processes that opened all they could are gone, and so is what they had open");
}

/// Opens files until there are no more descriptors: how many, and how that was refused.
fn open_all() -> (usize, Errno) {
    let mut opened = 0;
    loop {
        match open(c"/dev/null", 0, 0) {
            Ok(_) => opened += 1,
            Err(error) => return (opened, error),
        }
    }
}

/// Each child makes children, as long as there are any.
fn processes(most: usize) {
    for round in 1..=2 {
        let ends = pipe(0);
        check!(ends.is_ok(), "a pipe: {ends:?}");
        let [from, to] = ends.unwrap_or_default();
        let mut made = 0;
        let refused = loop {
            if made == most {
                break Errno::EAGAIN;
            }
            match fork() {
                Ok(Some(_)) => made += 1,
                Ok(None) => {
                    // No child of a child is left either, when it comes to that.
                    let below = fork();
                    if below == Ok(None) {
                        exit(0);
                    }
                    let waited = close(to).and_then(|()| read(from, &mut [0]));
                    let reaped = below.map_or(Ok(()), |_| wait(-1).map(drop));
                    exit(i32::from(waited != Ok(0) || reaped.is_err()));
                }
                Err(error) => break error,
            }
        };
        check!(
            made > 0 && matches!(refused, Errno::EAGAIN | Errno::ENOMEM),
            "refused: {refused:?}"
        );
        check!(close(to).is_ok() && close(from).is_ok(), "the pipe is closed");
        for _ in 0..made {
            let ended = wait(-1);
            check!(ended.is_ok_and(|(_, ended)| ended == Ended::Exit(0)), "a child: {ended:?}");
        }
        check!(wait(-1) == Err(Errno::ECHILD), "no child is left");
        println!("round {round}: processes until there were no more, and all reaped");
    }
    let ended = run(|| 0);
    check!(ended == Ended::Exit(0), "a child can be made again: {ended:?}");
}
