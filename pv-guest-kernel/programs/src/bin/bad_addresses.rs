//! Every system call with addresses that are none of the process's, or that it may not use so: the
//! kernel refuses them, or ends the process; the program that made the process goes on.
//!
//! The calls are made by children that are nobody's and alone in their group, so that a call that
//! does something all the same does it to them.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "calls are made with addresses that are wrong")]

use kernel_programs::arch::{SPARE_ADDRESS, call};
use kernel_programs::calls::{
    Ended, Errno, Info, MAP_PRIVATE, MAP_SHARED, PAGE, PROT_READ, Reaction, SIGALRM, alarm,
    become_nobody, duplicate, exit, leave_group, load_word, new_memory, open, own_number, pipe,
    protect, react, spawn, store_word, unmap, wait_or_kill, write,
};
use kernel_programs::random::sum;
use kernel_programs::{Start, check, println, program};

program!(main);

/// Numbers of calls that are made.
const NUMBERS: usize = 501;
/// Positions of arguments.
const POSITIONS: usize = 6;
/// What stands in the other positions: nothing; a pipe to read and lengths; a pipe to write.
const PATTERNS: [(usize, usize); 3] = [(0, 0), (3, 512), (4, 512)];
/// Children that a call may cost before the next number's turn.
const CHILDREN: usize = 4;
/// Milliseconds after which a call that waits is ended, and a child that does not end.
const PATIENCE: usize = 30;
const CHILD_PATIENCE: usize = 3000;

/// Addresses of each kind.
const KINDS: usize = 5;
/// Calls of a number.
const CALLS: usize = PATTERNS.len() * POSITIONS * KINDS;
/// Where in the page shared with children the calls are counted that were refused for an address.
const REFUSED_AT: usize = 8;

/// Addresses.
struct Bad {
    list: [usize; KINDS],
}

fn main(_: &Start) -> i32 {
    let memory = new_memory(4 * PAGE, MAP_PRIVATE);
    let counter = new_memory(PAGE, MAP_SHARED);
    check!(memory.is_ok() && counter.is_ok(), "memory: {memory:?}, {counter:?}");
    let (memory, counter) = (memory.unwrap_or(0), counter.unwrap_or(0));
    // SAFETY: nobody uses these pages.
    let changed =
        unsafe { [protect(memory + PAGE, PAGE, PROT_READ), unmap(memory + 3 * PAGE, PAGE)] };
    check!(changed == [Ok(()); 2], "pages are changed: {changed:?}");
    let bad = Bad {
        list: [
            // Nothing is there, and it is no signal either; it may only be read; it ends in what is not there; the kernel's
            // half; far from everything.
            2040,
            memory + PAGE,
            memory + 3 * PAGE - 1,
            usize::MAX - 2 * PAGE + 1,
            SPARE_ADDRESS + 12345,
        ],
    };
    let kept = [0x5a_u8; 4096];
    check!(react(SIGALRM, Reaction::Handle(tick, 0, 0)).is_ok(), "a handler");
    let mut made = 0;
    for number in 0..NUMBERS {
        made += one_number(number, &bad, counter);
        check!(sum(1, &kept) == sum(1, &[0x5a; 4096]), "after call {number} memory is another");
    }
    check!(alarm(0).is_ok(), "the timer is stopped");
    let still = open(c"/dev/null", 0, 0);
    check!(still.is_ok(), "files can still be opened: {still:?}");
    // SAFETY: no child is left that the page is shared with.
    let refused = unsafe { load_word(counter + REFUSED_AT) };
    // Some end the child that makes them; and each kernel has calls that the others have not.
    check!(made > NUMBERS * CALLS / 2 && refused > 100, "{made} calls, {refused} refused so");
    println!("{NUMBERS} system calls with bad addresses in each argument: the others go on");
    0
}

extern "C" fn tick(_: usize, _: &Info, _: usize) {}

/// All calls of a number, by as few children as they leave alive: how many were made.
fn one_number(number: usize, bad: &Bad, counter: usize) -> usize {
    // SAFETY: the page is shared with one child at a time.
    unsafe { store_word(counter, 0) };
    for _ in 0..CHILDREN {
        let child = spawn(|| {
            prepare();
            loop {
                // SAFETY: as above.
                let index = unsafe { load_word(counter) } as usize;
                if index >= CALLS {
                    exit(0);
                }
                // SAFETY: as above. If the call does not come back, the next child goes on.
                unsafe { store_word(counter, index as u64 + 1) };
                if one_call(number, bad, index) == -(Errno::EFAULT.0 as isize) {
                    // SAFETY: as above.
                    unsafe {
                        store_word(counter + REFUSED_AT, load_word(counter + REFUSED_AT) + 1)
                    };
                }
            }
        });
        check!(child.is_ok(), "a child for call {number}: {child:?}");
        check!(alarm(CHILD_PATIENCE).is_ok(), "a timer");
        let ended = child.ok().and_then(wait_or_kill);
        check!(alarm(0).is_ok(), "the timer is stopped");
        check!(ended != Some(Ended::Exit(101)), "call {number}: a child could not be prepared");
        // SAFETY: as above.
        if unsafe { load_word(counter) } as usize >= CALLS {
            break;
        }
    }
    // SAFETY: as above.
    unsafe { load_word(counter) as usize }
}

/// What a child is before it makes calls.
fn prepare() {
    let ok = || -> Result<(), Errno> {
        leave_group()?;
        become_nobody()?;
        // What is read and written by mistake is a pipe's, and what is printed goes nowhere.
        let nothing = open(c"/dev/null", 2, 0)?;
        for file in 0..3 {
            duplicate(nothing, file)?;
        }
        let [from, to] = pipe(0)?;
        duplicate(from, 13)?;
        duplicate(to, 14)?;
        duplicate(13, 3)?;
        duplicate(14, 4)?;
        write(4, &[1; 2048])?;
        react(SIGALRM, Reaction::Default)
    };
    if ok().is_err() {
        exit(101);
    }
}

fn one_call(number: usize, bad: &Bad, index: usize) -> isize {
    let (pattern, rest) = (index % PATTERNS.len(), index / PATTERNS.len());
    let (position, which) = (rest % POSITIONS, rest / POSITIONS);
    let (first, others) = PATTERNS[pattern];
    let mut arguments = [others; 6];
    arguments[0] = first;
    arguments[position] = bad.list[which];
    let own = own_number();
    let _ = alarm(PATIENCE);
    // SAFETY: nothing is safe here, which is the point: whatever becomes of it is the child's.
    let result = unsafe { call(number, arguments) };
    if own_number() != own {
        // The call made a process.
        exit(0);
    }
    result
}
