//! Copy on write, over many generations: each process finds what its parent had written at the
//! time of the fork, and nothing of what any other writes since.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is written and read by address")]

use kernel_programs::calls::{
    Ended, MAP_PRIVATE, MAP_SHARED, PAGE, exit, fork, load_word, new_memory, run, store_word, wait,
};
use kernel_programs::{Start, check, println, program};

program!(main);

const PAGES: usize = 48;
const GENERATIONS: u64 = 40;
const SIBLINGS: u64 = 8;

/// What a process writes into a page: each another.
fn mark(process: u64, page: usize) -> u64 {
    (process << 32 | page as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Pages of every process's own, as long as nobody writes them.
struct Memory {
    at: usize,
    /// Who wrote each page last, as this process sees it.
    written: [u64; PAGES],
}

impl Memory {
    fn write(&mut self, process: u64, page: usize) {
        self.written[page] = process;
        for word in [0, PAGE / 2, PAGE - 8] {
            // SAFETY: the memory is ours, and pages are aligned.
            unsafe { store_word(self.at + page * PAGE + word, mark(process, page)) };
        }
    }

    fn verify(&self, who: &str, generation: u64) {
        for page in 0..PAGES {
            for word in [0, PAGE / 2, PAGE - 8] {
                // SAFETY: the memory is ours, and pages are aligned.
                let found = unsafe { load_word(self.at + page * PAGE + word) };
                let expected = mark(self.written[page], page);
                check!(
                    found == expected,
                    "{who} of generation {generation}, page {page}, byte {word}: {found:#x}, not {expected:#x}"
                );
            }
        }
    }
}

fn main(_: &Start) -> i32 {
    let at = new_memory(PAGES * PAGE, MAP_PRIVATE);
    check!(at.is_ok(), "memory: {at:?}");
    let mut memory = Memory { at: at.unwrap_or(0), written: [0; PAGES] };
    for page in 0..PAGES {
        memory.write(0, page);
    }
    let ended = run(|| generation(&mut memory, 1));
    check!(ended == Ended::Exit(0), "the first generation ended: {ended:?}");
    memory.verify("the ancestor", 0);
    println!("{GENERATIONS} generations: each found what its parent had written, and nothing else");
    siblings(&mut memory);
    shared();
    0
}

/// A process of a generation: it makes the next one, and both write at the same time.
fn generation(memory: &mut Memory, number: u64) -> i32 {
    memory.verify("a child", number);
    if number == GENERATIONS {
        return 0;
    }
    for page in (number as usize % 3..PAGES).step_by(3) {
        memory.write(number, page);
    }
    let child = fork();
    check!(child.is_ok(), "generation {number} has a child: {child:?}");
    let Ok(Some(child)) = child else {
        exit(generation(memory, number + 1));
    };
    // The child writes too; neither may see the other's.
    for page in (number as usize % 2..PAGES).step_by(2) {
        memory.write(1000 + number, page);
    }
    memory.verify("a parent", number);
    let ended = wait(child);
    check!(ended == Ok((child, Ended::Exit(0))), "the child of generation {number}: {ended:?}");
    memory.verify("a parent whose child has ended", number);
    0
}

/// Many children of one process at the same time.
fn siblings(memory: &mut Memory) {
    let mut children = [0; SIBLINGS as usize];
    for (index, place) in children.iter_mut().enumerate() {
        let own = 2000 + index as u64;
        // Between one child and the next the parent changes its memory.
        memory.write(own, index);
        let child = fork();
        check!(child.is_ok(), "sibling {index}: {child:?}");
        match child {
            Ok(Some(child)) => *place = child,
            _ => {
                memory.verify("a sibling", own);
                for page in 0..PAGES {
                    memory.write(own + 1000, page);
                }
                memory.verify("a sibling that has written", own);
                exit(0);
            }
        }
    }
    for child in children {
        let ended = wait(child);
        check!(ended == Ok((child, Ended::Exit(0))), "a sibling ended: {ended:?}");
    }
    memory.verify("the parent of siblings", 0);
    println!("{SIBLINGS} siblings: none saw what another wrote");
}

/// Memory that is shared is not copied.
fn shared() {
    let at = new_memory(PAGE, MAP_SHARED);
    check!(at.is_ok(), "shared memory: {at:?}");
    let at = at.unwrap_or(0);
    // SAFETY: the page is ours, and our children's.
    unsafe { store_word(at, 1) };
    for _ in 0..3 {
        let ended = run(|| {
            // SAFETY: as above; only one child runs at a time.
            unsafe { store_word(at, load_word(at) * 10) };
            0
        });
        check!(ended == Ended::Exit(0), "a child ended: {ended:?}");
    }
    // SAFETY: as above.
    let found = unsafe { load_word(at) };
    check!(found == 1000, "what three children wrote to shared memory: {found}");
    println!("shared memory stays shared");
}
