//! What system calls, faults and processes cost, in the manner of lmbench (McVoy and Staelin 1996)
//! as far as Barham et al. (2003) report it. Each row is measured several times; the median counts.
//!
//! The first two arguments are the shell and the program that are executed, as they lie elsewhere
//! where the program is tried on another kernel; the file is made where it is started.
//!
//! | further arguments | what |
//! |---|---|
//! | none | does everything once, and prints the names of the rows |
//! | `measure` | prints a line for each row: `lmbench NAME COUNT`, in ticks of the counter |
//! | `repeat NAME N` | does a row's operation N times, and prints nothing: for who counts elsewhere |
//!
//! | row | one operation |
//! |---|---|
//! | `null_call` | `getppid` |
//! | `fork_exit` | a child that ends, and is waited for; the parent has written [`WRITTEN`] pages |
//! | `fork_exec` | the child executes the program, without an output |
//! | `sh_c` | the child executes `sh -c` with the program |
//! | `mmap` | [`MAPPED`] pages of a file mapped shared, every fourth of a tenth of them written, unmapped |
//! | `protection_fault` | a store to a page that is read-only: handler, return |
//! | `page_fault` | a page of a file is read for the first time, and none near it was before |
//! | `page_fault_zero` | a page of no file is written for the first time, and the one before it was not |
//! | `fill` | as that, in order, so that a kernel can foresee it |
//! | `switch_2`, `switch_16` | a word through a ring of pipes with so many processes, a hop; the pipe's own cost subtracted |
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is read and written by address")]

use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use kernel_programs::arch::counter;
use kernel_programs::calls::{
    Ended, Info, MAP_PRIVATE, MAP_SHARED, O_CREAT, O_TRUNC, PAGE, PROT_READ, PROT_WRITE, Reaction,
    SIGKILL, SIGSEGV, close, exec, exec_with, kill, load, map_file, new_memory, open, own_number,
    parent_number, pipe, protect, react, read_all, run, spawn, store, unlink, unmap, wait,
    write_all,
};
use kernel_programs::{Start, check, println, program};

program!(main);

/// Pages that the process has written when it forks.
const WRITTEN: usize = 32;
/// Pages of the file that `mmap` maps.
const MAPPED: usize = 1024;
/// Pages that a kernel may map around a fault in a file, as Linux does: `page_fault` touches one
/// of each so many, so that each touch is a fault.
const AROUND: usize = 16;
/// A number without a divisor of `MAPPED / AROUND`: in steps of it no fault is near the last.
const STEP: usize = 23;
/// Processes of the larger ring.
const RING: usize = 16;

const FILE: &CStr = c"lmbench.file";

/// What everything is done with, and how often.
#[derive(Clone, Copy)]
struct Plan<'a> {
    shell: &'a CStr,
    program: &'a CStr,
    times: Times,
}

/// How often everything is done.
#[derive(Clone, Copy)]
struct Times {
    /// Measurements of a row, of which the median counts; odd.
    runs: usize,
    /// Cheap operations in one measurement.
    cheap: u64,
    /// Operations with processes in one measurement.
    dear: u64,
}

const MEASURE: Times = Times { runs: 9, cheap: 200, dear: 4 };
const ONCE: Times = Times { runs: 1, cheap: 1, dear: 1 };
const MOST_RUNS: usize = 9;

/// A row: its name, and what measures one operation.
type Row = (&'static str, fn(Plan) -> u64);

const ROWS: [Row; 11] = [
    ("null_call", |plan| null_call(plan.times)),
    ("fork_exit", |plan| child(plan.times, || 0)),
    ("fork_exec", |plan| child(plan.times, || quietly(|| exec(plan.program)))),
    ("sh_c", |plan| {
        let become_it = || exec_with(plan.shell, [c"sh", c"-c", plan.program]);
        child(plan.times, || quietly(become_it))
    }),
    ("mmap", |plan| with_file(|file| map_and_unmap(plan.times, file))),
    ("protection_fault", |plan| protection_fault(plan.times)),
    ("page_fault", |plan| with_file(|file| file_faults(plan.times, file))),
    ("page_fault_zero", |plan| first_writes(plan.times, |index, count| count - 1 - index)),
    ("fill", |plan| first_writes(plan.times, |index, _| index)),
    ("switch_2", |plan| context_switch(plan.times, 2)),
    ("switch_16", |plan| context_switch(plan.times, RING)),
];

fn main(start: &Start) -> i32 {
    let (Some(shell), Some(program)) = (start.argument(1), start.argument(2)) else {
        println!("lmbench SHELL PROGRAM [measure | repeat NAME N]");
        return 2;
    };
    let plan = |times| Plan { shell, program, times };
    let word = |index| start.argument(index).and_then(|word| word.to_str().ok());
    write_pages();
    match word(3) {
        Some("repeat") => {
            let row = ROWS.iter().find(|(name, _)| word(4) == Some(name));
            let count = start.number(5).unwrap_or(0) as u64;
            let Some((_, measure)) = row.filter(|_| count > 0) else {
                println!("repeat NAME N: a row, and how often");
                return 2;
            };
            measure(plan(Times { runs: 1, cheap: count, dear: count }));
        }
        Some("measure") => ROWS.iter().for_each(|(name, measure)| {
            println!("lmbench {name} {}", measure(plan(MEASURE)));
        }),
        _ => ROWS.iter().for_each(|(name, measure)| {
            measure(plan(ONCE));
            println!("{name}");
        }),
    }
    0
}

/// The median of several measurements, each of so many operations, for one operation.
fn median(times: Times, operations: u64, mut measurement: impl FnMut() -> u64) -> u64 {
    let mut counts = [0; MOST_RUNS];
    let counts = &mut counts[..times.runs];
    counts.iter_mut().for_each(|count| *count = measurement());
    counts.sort_unstable();
    counts[times.runs / 2] / operations
}

/// What some work takes.
fn taken(work: impl FnOnce()) -> u64 {
    let before = counter();
    work();
    counter() - before
}

fn write_pages() {
    let memory = new_memory(WRITTEN * PAGE, MAP_PRIVATE);
    check!(memory.is_ok(), "memory: {memory:?}");
    let memory = memory.unwrap_or(0);
    for page in 0..WRITTEN {
        // SAFETY: the memory is ours.
        unsafe { store(memory + page * PAGE, 1) };
    }
}

fn null_call(times: Times) -> u64 {
    median(times, times.cheap, || taken(|| (0..times.cheap).for_each(|_| _ = parent_number())))
}

/// Makes a child and waits for it.
fn child(times: Times, work: impl Fn() -> i32) -> u64 {
    let once = || {
        let ended = run(&work);
        check!(ended == Ended::Exit(0), "a child ended: {ended:?}");
    };
    median(times, times.dear, || taken(|| (0..times.dear).for_each(|_| once())))
}

/// Becomes another program, which has no output.
fn quietly(become_it: impl FnOnce() -> kernel_programs::Errno) -> i32 {
    let closed = close(1);
    let why = become_it();
    check!(closed.is_err(), "a program: {why:?}");
    1
}

/// Does something with a file that has all its pages.
fn with_file(work: impl FnOnce(i32) -> u64) -> u64 {
    const O_RDWR: usize = 2;
    let file = open(FILE, O_RDWR | O_CREAT | O_TRUNC, 0o600);
    check!(file.is_ok(), "a file: {file:?}");
    let file = file.unwrap_or(-1);
    for page in 0..MAPPED {
        let written = write_all(file, &[page as u8; PAGE]);
        check!(written.is_ok(), "page {page} of the file: {written:?}");
    }
    let count = work(file);
    let closed = close(file).and_then(|()| unlink(FILE));
    check!(closed.is_ok(), "the file goes: {closed:?}");
    count
}

fn map_and_unmap(times: Times, file: i32) -> u64 {
    let once = || {
        let memory = map_file(file, MAPPED * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
        check!(memory.is_ok(), "the file is mapped: {memory:?}");
        let memory = memory.unwrap_or(0);
        for page in (0..MAPPED / 10).step_by(4) {
            // SAFETY: the mapping is ours.
            unsafe { store(memory + page * PAGE, page as u8) };
        }
        // SAFETY: nobody uses it any more.
        let unmapped = unsafe { unmap(memory, MAPPED * PAGE) };
        check!(unmapped.is_ok(), "it is unmapped: {unmapped:?}");
    };
    median(times, times.dear, || taken(|| (0..times.dear).for_each(|_| once())))
}

/// Faults that are to come before the page becomes writable.
static FAULTS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_fault(_: usize, info: &Info, _: usize) {
    if FAULTS.fetch_sub(1, Relaxed) == 1 {
        // SAFETY: it becomes what it was.
        let mended = unsafe { protect(info.address & !(PAGE - 1), PAGE, PROT_READ | PROT_WRITE) };
        check!(mended.is_ok(), "the page is writable: {mended:?}");
    }
}

fn protection_fault(times: Times) -> u64 {
    let memory = new_memory(PAGE, MAP_PRIVATE);
    check!(memory.is_ok(), "memory: {memory:?}");
    let memory = memory.unwrap_or(0);
    let set = react(SIGSEGV, Reaction::Handle(on_fault, 0, 0));
    check!(set.is_ok(), "a handler: {set:?}");
    // SAFETY: the memory is ours; the handler makes it writable in the end.
    let count = median(times, times.cheap, || unsafe {
        store(memory, 1);
        let protected = protect(memory, PAGE, PROT_READ);
        check!(protected.is_ok(), "the page is read-only: {protected:?}");
        FAULTS.store(times.cheap as usize, Relaxed);
        taken(|| store(memory, 2))
    });
    let set = react(SIGSEGV, Reaction::Default);
    check!(set.is_ok(), "no handler: {set:?}");
    count
}

fn file_faults(times: Times, file: i32) -> u64 {
    const FAULTS: usize = MAPPED / AROUND;
    let once = || {
        let memory = map_file(file, MAPPED * PAGE, PROT_READ, MAP_SHARED);
        check!(memory.is_ok(), "the file is mapped: {memory:?}");
        let memory = memory.unwrap_or(0);
        let count = taken(|| {
            for part in (0..FAULTS).map(|index| index * STEP % FAULTS) {
                let page = part * AROUND + part % AROUND;
                // SAFETY: the mapping is ours.
                let found = unsafe { load(memory + page * PAGE) };
                check!(found == page as u8, "page {page} of the file: {found}");
            }
        });
        // SAFETY: nobody uses it any more.
        let unmapped = unsafe { unmap(memory, MAPPED * PAGE) };
        check!(unmapped.is_ok(), "it is unmapped: {unmapped:?}");
        count
    };
    let operations = times.dear * FAULTS as u64;
    median(times, operations, || (0..times.dear).map(|_| once()).sum())
}

/// Pages are written for the first time, in the order that `page` gives.
fn first_writes(times: Times, page: fn(usize, usize) -> usize) -> u64 {
    let pages = times.cheap as usize;
    let length = pages * PAGE;
    median(times, times.cheap, || {
        let memory = new_memory(length, MAP_PRIVATE);
        check!(memory.is_ok(), "memory: {memory:?}");
        let memory = memory.unwrap_or(0);
        let count = taken(|| {
            for index in 0..pages {
                // SAFETY: the memory is ours.
                unsafe { store(memory + page(index, pages) * PAGE, 1) };
            }
        });
        // SAFETY: nobody uses it any more.
        let unmapped = unsafe { unmap(memory, length) };
        check!(unmapped.is_ok(), "it is unmapped: {unmapped:?}");
        count
    })
}

/// Bytes of what goes round.
const WORD: usize = 4;

/// A hop of a word: read from one pipe and written to another.
fn hop(from: i32, to: i32) {
    let mut word = [0; WORD];
    let read = read_all(from, &mut word);
    check!(read == Ok(WORD), "a word is read: {read:?}");
    let written = write_all(to, &word);
    check!(written.is_ok(), "a word is written: {written:?}");
}

fn context_switch(times: Times, processes: usize) -> u64 {
    let mut pipes = [[0; 2]; RING];
    let pipes = &mut pipes[..processes];
    for ends in pipes.iter_mut() {
        let made = pipe(0);
        check!(made.is_ok(), "a pipe: {made:?}");
        *ends = made.unwrap_or([-1; 2]);
    }
    let own = own_number();
    let mut children = [0; RING];
    for index in 1..processes {
        let (from, to) = (pipes[index - 1][0], pipes[index][1]);
        let child = spawn(|| {
            while parent_number() == own {
                hop(from, to);
            }
            0
        });
        check!(child.is_ok(), "process {index} of the ring: {child:?}");
        children[index] = child.unwrap_or(0);
    }
    let [first, last] = [pipes[0][1], pipes[processes - 1][0]];
    let round = || {
        let written = write_all(first, &[7; WORD]);
        check!(written.is_ok(), "a word goes round: {written:?}");
        let mut word = [0; WORD];
        let read = read_all(last, &mut word);
        check!(read == Ok(WORD) && word == [7; WORD], "the word is back: {read:?}");
    };
    // So that everyone has touched what it touches.
    round();
    let hops = times.cheap * processes as u64;
    let with_switches = median(times, hops, || taken(|| (0..times.cheap).for_each(|_| round())));
    for child in &children[1..processes] {
        let ended = kill(*child, SIGKILL).and_then(|()| wait(*child));
        check!(ended == Ok((*child, Ended::Signal(SIGKILL))), "it ends: {ended:?}");
    }
    // The same hops by one process: what the pipes and calls take. A child of a ring asks for its
    // parent each time, so this does too.
    let [from, to] = pipes[0];
    let written = write_all(to, &[7; WORD]);
    check!(written.is_ok(), "a word: {written:?}");
    let hop_alone = || {
        check!(parent_number() != own, "its own parent");
        hop(from, to);
    };
    let alone = median(times, times.cheap, || taken(|| (0..times.cheap).for_each(|_| hop_alone())));
    for ends in pipes {
        let closed = close(ends[0]).and_then(|()| close(ends[1]));
        check!(closed.is_ok(), "a pipe is closed: {closed:?}");
    }
    with_switches.saturating_sub(alone)
}
