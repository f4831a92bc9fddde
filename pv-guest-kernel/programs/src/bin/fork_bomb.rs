//! Makes children until there can be no more, or as many as its argument says, all alive at once;
//! then ends and reaps them all, and can make children again.
#![no_std]
#![no_main]

use kernel_programs::calls::{Ended, Errno, close, pipe, read, run, spawn, try_wait, wait};
use kernel_programs::{Start, check, println, program};

program!(main);

/// Children at most, if no argument says.
const MOST: usize = 100_000;

fn main(start: &Start) -> i32 {
    let most = start.number(1).unwrap_or(MOST);
    for round in 1..=2 {
        let made = bomb(most);
        println!("round {round}: {made} children alive at once, all reaped");
    }
    let ended = run(|| 7);
    check!(ended == Ended::Exit(7), "a child can be made again: {ended:?}");
    println!("and one more");
    0
}

/// One round: how many children there were.
fn bomb(most: usize) -> usize {
    // Each waits for the pipe's other end to be closed.
    let ends = pipe(0);
    check!(ends.is_ok(), "a pipe: {ends:?}");
    let [from, to] = ends.unwrap_or_default();
    let mut made = 0;
    let refused = loop {
        if made == most {
            break None;
        }
        let child = spawn(|| {
            let closed = close(to);
            i32::from(closed.is_err() || read(from, &mut [0]) != Ok(0))
        });
        match child {
            Ok(_) => made += 1,
            Err(error) => break Some(error),
        }
    };
    let expected = refused.is_none_or(|error| error == Errno::EAGAIN || error == Errno::ENOMEM);
    check!(expected, "refused with {refused:?} after {made}");
    check!(made > 0, "there is a child");
    check!(try_wait(-1) == Ok(None), "none has ended");
    check!(close(to).is_ok() && close(from).is_ok(), "the pipe is closed");
    for number in 0..made {
        let ended = wait(-1).map(|(_, ended)| ended);
        check!(ended == Ok(Ended::Exit(0)), "child {number} ended: {ended:?}");
    }
    check!(wait(-1) == Err(Errno::ECHILD), "no child is left");
    made
}
