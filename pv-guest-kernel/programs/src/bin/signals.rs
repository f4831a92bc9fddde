//! Signals: handlers, masks, interrupted calls and calls made again, nesting, children, timers,
//! process groups.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use kernel_programs::calls::{
    Ended, Errno, Info, Reaction, SA_NODEFER, SA_RESETHAND, SA_RESTART, SIGALRM, SIGCHLD, SIGKILL,
    SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, alarm, close, hold_back, kill, leave_group, own_number,
    parent_number, pending, pipe, react, read, run, set_of, sleep, spawn, wait, wait_for_signal,
    write,
};
use kernel_programs::{Start, check, println, program};

program!(main);

static COUNT: AtomicUsize = AtomicUsize::new(0);
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static DEEPEST: AtomicUsize = AtomicUsize::new(0);
static END: AtomicI32 = AtomicI32::new(-1);

fn main(_: &Start) -> i32 {
    handlers();
    masks();
    suspended();
    interrupted();
    made_again();
    sleeping();
    nested();
    once();
    children();
    pipes();
    defaults();
    groups();
    registers();
    0
}

/// Sets what a signal does, and starts counting anew.
fn set(signal: usize, reaction: Reaction) {
    let done = react(signal, reaction);
    check!(done.is_ok(), "the reaction to signal {signal}: {done:?}");
    COUNT.store(0, Relaxed);
}

fn raise(signal: usize) {
    let sent = kill(own_number(), signal);
    check!(sent.is_ok(), "signal {signal} is sent: {sent:?}");
}

fn counted() -> usize {
    COUNT.load(Relaxed)
}

extern "C" fn count(signal: usize, info: &Info, _: usize) {
    check!(info.signal == signal as i32, "the handler is told {} of {signal}", info.signal);
    COUNT.fetch_add(1, Relaxed);
}

fn handlers() {
    set(SIGUSR1, Reaction::Handle(count, 0, 0));
    for _ in 0..10 {
        raise(SIGUSR1);
    }
    check!(counted() == 10, "{} of 10 came", counted());
    set(SIGUSR1, Reaction::Ignore);
    raise(SIGUSR1);
    check!(counted() == 0, "an ignored signal runs nothing");
    let refused = react(SIGKILL, Reaction::Ignore);
    check!(refused == Err(Errno::EINVAL), "the last signal cannot be ignored: {refused:?}");
    println!("handlers run");
}

fn masks() {
    set(SIGUSR1, Reaction::Handle(count, 0, 0));
    let old = hold_back(set_of(SIGUSR1));
    check!(old == Ok(0), "nothing was held back: {old:?}");
    raise(SIGUSR1);
    raise(SIGUSR1);
    check!(counted() == 0, "a signal that is held back does not come");
    check!(pending() == Ok(set_of(SIGUSR1)), "it is pending: {:?}", pending());
    let ended = run(|| i32::from(pending() != Ok(0)));
    check!(ended == Ended::Exit(0), "a child has none pending: {ended:?}");
    check!(hold_back(0) == Ok(set_of(SIGUSR1)), "it was held back");
    check!(counted() == 1, "it comes once: {}", counted());
    check!(pending() == Ok(0), "none is pending");
    // What cannot be held back is not.
    check!(hold_back(u64::MAX).is_ok(), "all are held back");
    let held = hold_back(0);
    check!(held.is_ok_and(|held| held & set_of(SIGKILL) == 0), "but for the last: {held:?}");
    println!("masks hold signals back");
}

fn suspended() {
    set(SIGUSR1, Reaction::Handle(count, 0, 0));
    check!(hold_back(set_of(SIGUSR1)) == Ok(0), "one is held back");
    raise(SIGUSR1);
    let ended = wait_for_signal(0);
    check!(ended == Errno::EINTR && counted() == 1, "it came while waiting: {ended:?}");
    raise(SIGUSR1);
    check!(counted() == 1, "it is held back again");
    check!(hold_back(0) == Ok(set_of(SIGUSR1)) && counted() == 2, "until it is not");
    println!("waiting for a signal changes the mask for as long");
}

/// A pipe in which nothing is.
fn empty_pipe() -> [i32; 2] {
    let ends = pipe(0);
    check!(ends.is_ok(), "a pipe: {ends:?}");
    ends.unwrap_or_default()
}

fn shut([from, to]: [i32; 2]) {
    check!(close(from).is_ok() && close(to).is_ok(), "the pipe is closed");
}

fn interrupted() {
    set(SIGALRM, Reaction::Handle(count, 0, 0));
    let ends = empty_pipe();
    check!(alarm(30).is_ok(), "a timer");
    let found = read(ends[0], &mut [0]);
    check!(found == Err(Errno::EINTR) && counted() == 1, "the read ended: {found:?}");
    shut(ends);
    let child = spawn(|| {
        let _ = sleep(100_000);
        0
    });
    check!(child.is_ok(), "a child: {child:?}");
    check!(alarm(30).is_ok(), "a timer");
    let found = child.and_then(wait);
    check!(found == Err(Errno::EINTR) && counted() == 2, "the wait ended: {found:?}");
    let child = child.unwrap_or(-1);
    check!(kill(child, SIGTERM).is_ok(), "the child is ended");
    check!(wait(child) == Ok((child, Ended::Signal(SIGTERM))), "and reaped");
    println!("a signal interrupts calls that wait");
}

extern "C" fn feed(_: usize, _: &Info, _: usize) {
    COUNT.fetch_add(1, Relaxed);
    check!(write(END.load(Relaxed), b"x") == Ok(1), "a byte is written");
}

fn made_again() {
    set(SIGALRM, Reaction::Handle(feed, SA_RESTART, 0));
    let ends = empty_pipe();
    END.store(ends[1], Relaxed);
    check!(alarm(30).is_ok(), "a timer");
    let mut byte = [0];
    let found = read(ends[0], &mut byte);
    check!(found == Ok(1) && byte == *b"x" && counted() == 1, "the read was made again: {found:?}");
    shut(ends);
    println!("a call that a handler interrupted is made again where that is asked for");
}

fn sleeping() {
    set(SIGALRM, Reaction::Handle(count, SA_RESTART, 0));
    check!(alarm(30).is_ok(), "a timer");
    // Sleep is not made again, whatever is asked for.
    let slept = sleep(60_000);
    let left =
        slept.map_or_else(|(error, left)| (error == Errno::EINTR).then_some(left), |()| None);
    check!(left.is_some_and(|left| (1..60_000).contains(&left)), "the sleep ended: {slept:?}");
    check!(sleep(5).is_ok(), "a sleep that nothing interrupts");
    check!(alarm(60_000).is_ok() && alarm(0).is_ok(), "a timer can be stopped");
    println!("a sleep that is interrupted says what was left");
}

extern "C" fn deeper(signal: usize, _: &Info, _: usize) {
    let depth = DEPTH.fetch_add(1, Relaxed) + 1;
    DEEPEST.fetch_max(depth, Relaxed);
    if COUNT.fetch_add(1, Relaxed) < 8 {
        raise(if signal == SIGUSR1 { SIGUSR2 } else { SIGUSR1 });
    }
    DEPTH.fetch_sub(1, Relaxed);
}

fn nest(flags: usize, mask: u64) -> (usize, usize) {
    set(SIGUSR1, Reaction::Handle(deeper, flags, mask));
    set(SIGUSR2, Reaction::Handle(deeper, flags, mask));
    DEEPEST.store(0, Relaxed);
    raise(SIGUSR1);
    (counted(), DEEPEST.load(Relaxed))
}

fn nested() {
    let without = nest(SA_NODEFER, 0);
    check!(without == (9, 9), "handlers within handlers: {without:?}");
    let same = nest(0, 0);
    check!(same == (9, 2), "the same signal waits for its handler's end: {same:?}");
    let both = nest(0, set_of(SIGUSR1) | set_of(SIGUSR2));
    check!(both == (9, 1), "both wait: {both:?}");
    set(SIGUSR1, Reaction::Default);
    set(SIGUSR2, Reaction::Default);
    println!("handlers nest as deep as their masks let them");
}

fn once() {
    let ended = run(|| {
        set(SIGUSR1, Reaction::Handle(count, SA_RESETHAND, 0));
        raise(SIGUSR1);
        check!(counted() == 1, "the handler ran");
        raise(SIGUSR1);
        0
    });
    check!(ended == Ended::Signal(SIGUSR1), "the second was the default: {ended:?}");
    println!("a handler for one signal is for one");
}

fn children() {
    set(SIGCHLD, Reaction::Handle(count, 0, 0));
    let parent = own_number();
    check!(hold_back(set_of(SIGCHLD)) == Ok(0), "ends of children are held back");
    for number in 0..5 {
        let child = spawn(|| if parent_number() == parent { number } else { 100 });
        check!(child.is_ok(), "a child: {child:?}");
        while counted() != number as usize + 1 {
            check!(wait_for_signal(0) == Errno::EINTR, "the end of a child is told");
        }
        let found = child.and_then(wait);
        check!(
            found.is_ok_and(|(_, ended)| ended == Ended::Exit(number)),
            "child {number}: {found:?}"
        );
    }
    check!(hold_back(0).is_ok(), "nothing is held back");
    set(SIGCHLD, Reaction::Default);
    println!("the end of each child is told");
}

fn pipes() {
    set(SIGPIPE, Reaction::Handle(count, 0, 0));
    let [from, to] = empty_pipe();
    check!(close(from).is_ok(), "nobody reads");
    let written = write(to, b"x");
    check!(written == Err(Errno::EPIPE) && counted() == 1, "the writer is told: {written:?}");
    check!(close(to).is_ok(), "the pipe is closed");
    set(SIGPIPE, Reaction::Default);
    println!("a writer without a reader is told");
}

fn defaults() {
    for signal in [SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGKILL] {
        let ended = run(|| {
            raise_default(signal);
            0
        });
        check!(ended == Ended::Signal(signal), "signal {signal} ends a process: {ended:?}");
    }
    let ended = run(|| {
        raise(SIGCHLD);
        3
    });
    check!(ended == Ended::Exit(3), "the end of a child ends nobody: {ended:?}");
    let ended = run(|| {
        set(SIGUSR1, Reaction::Handle(count, 0, 0));
        let ended = run(|| {
            raise(SIGUSR1);
            i32::from(counted() != 1)
        });
        i32::from(ended != Ended::Exit(0) || counted() != 0)
    });
    check!(
        ended == Ended::Exit(0),
        "a child has its parent's handlers, and its own signals: {ended:?}"
    );
    check!(kill(own_number(), 0).is_ok(), "no signal is one too");
    check!(kill(own_number(), 100) == Err(Errno::EINVAL), "there are not so many");
    println!("what signals do by themselves is right");
}

fn raise_default(signal: usize) {
    let _ = react(signal, Reaction::Default);
    raise(signal);
}

fn groups() {
    let ended = run(|| {
        check!(leave_group().is_ok(), "a group of its own");
        set(SIGUSR1, Reaction::Handle(count, 0, 0));
        check!(hold_back(set_of(SIGUSR1)).is_ok(), "the signal is held back");
        let work = || {
            while counted() == 0 {
                let _ = wait_for_signal(0);
            }
            0
        };
        let children = [spawn(work), spawn(work), spawn(work)];
        check!(kill(0, SIGUSR1).is_ok(), "a signal to the group");
        for child in children {
            let ended = child.and_then(wait);
            check!(ended.is_ok_and(|(_, ended)| ended == Ended::Exit(0)), "a child: {ended:?}");
        }
        check!(hold_back(0).is_ok() && counted() == 1, "the sender is of the group");
        0
    });
    check!(ended == Ended::Exit(0), "the group's first ended: {ended:?}");
    println!("a signal to a group comes to each of it");
}

extern "C" fn again(_: usize, _: &Info, _: usize) {
    COUNT.fetch_add(1, Relaxed);
    let _ = alarm(10);
}

/// A computation that signals interrupt anywhere comes out as it would without.
fn registers() {
    set(SIGALRM, Reaction::Handle(again, 0, 0));
    check!(alarm(10).is_ok(), "a timer");
    let step = |[a, b, c, d]: [u64; 4]| {
        let a = a.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(d);
        [a, b ^ a.rotate_left(7), c.wrapping_add(b), d.rotate_right(3) ^ c]
    };
    let (mut state, mut steps) = ([1, 2, 3, 4], 0_u64);
    while counted() < 10 {
        for _ in 0..1000 {
            state = step(state);
        }
        steps += 1000;
    }
    set(SIGALRM, Reaction::Ignore);
    check!(alarm(0).is_ok(), "the timer is stopped");
    let mut quiet = [1, 2, 3, 4];
    for _ in 0..steps {
        quiet = step(quiet);
    }
    check!(state == quiet, "after {steps} steps {state:x?}, not {quiet:x?}");
    println!("signals leave registers as they were");
}
