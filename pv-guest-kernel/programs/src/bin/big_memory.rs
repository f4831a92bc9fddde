//! Uses more memory than there may be, and looks whether all of it stays as it was written: for a
//! machine that swaps. Arguments: pages, rounds of random reads and writes, and the seed.
//!
//! A process and its child have the same memory and change it at the same time, so that pages
//! that are shared are swapped too, and come back to each of them on its own.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is written and read by address")]

use kernel_programs::calls::{
    Ended, MAP_PRIVATE, PAGE, exit, fork, load_word, new_memory, store_word, wait,
};
use kernel_programs::{Random, Start, check, println, program};

program!(main);

/// Words of a page that are written and looked at.
const PLACES: [usize; 3] = [0, PAGE / 2, PAGE - 8];
/// Every so many pages one stays as it came: zero.
const ZERO: usize = 16;
/// Pages that are touched much oftener than others: a share of all.
const HOT: usize = 8;

/// What a page holds that was changed so often, by the parent (0) or the child (1).
fn mark(page: usize, version: u64, who: u64) -> u64 {
    ((page as u64) << 24 | version << 1 | who).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

struct Memory {
    at: usize,
    /// Eight bytes for each page: its version, and who wrote it. It is swapped as well.
    versions: usize,
    pages: usize,
}

impl Memory {
    fn version(&self, page: usize) -> (u64, u64) {
        // SAFETY: the table is ours.
        let word = unsafe { load_word(self.versions + page * 8) };
        (word >> 1, word & 1)
    }

    fn change(&self, page: usize, who: u64) {
        let version = self.version(page).0 + 1;
        // SAFETY: the memory and the table are ours.
        unsafe {
            store_word(self.versions + page * 8, version << 1 | who);
            for place in PLACES {
                store_word(self.at + page * PAGE + place, mark(page, version, who));
            }
        }
    }

    fn verify(&self, page: usize, when: &str) {
        let (version, who) = self.version(page);
        let expected = if version == 0 { 0 } else { mark(page, version, who) };
        for place in PLACES {
            // SAFETY: the memory is ours.
            let found = unsafe { load_word(self.at + page * PAGE + place) };
            check!(
                found == expected,
                "{when}: page {page}, byte {place}, version {version} of {who}: {found:#x}, not {expected:#x}"
            );
        }
    }

    fn verify_all(&self, when: &str) {
        (0..self.pages).for_each(|page| self.verify(page, when));
    }

    /// Reads and writes here and there, in a part of it most.
    fn use_it(&self, random: &mut Random, rounds: usize, who: u64, when: &str) {
        for _ in 0..rounds {
            let among = if random.below(4) == 0 { self.pages } else { self.pages / HOT + 1 };
            let page = random.below(among);
            self.verify(page, when);
            if random.below(3) == 0 && !page.is_multiple_of(ZERO) {
                self.change(page, who);
            }
        }
    }
}

fn main(start: &Start) -> i32 {
    let (Some(pages), Some(rounds)) = (start.number(1), start.number(2)) else {
        println!("big-memory PAGES ROUNDS [SEED]");
        return 2;
    };
    let seed = start.number(3).unwrap_or(1) as u64;
    let at = new_memory(pages * PAGE, MAP_PRIVATE);
    let versions = new_memory((pages * 8).next_multiple_of(PAGE), MAP_PRIVATE);
    check!(at.is_ok() && versions.is_ok(), "memory: {at:?}, {versions:?}");
    let memory = Memory { at: at.unwrap_or(0), versions: versions.unwrap_or(0), pages };
    memory.verify_all("new memory");
    for page in (0..pages).filter(|page| !page.is_multiple_of(ZERO)) {
        memory.change(page, 0);
    }
    memory.verify_all("all that was written");
    println!("{pages} pages written and read");
    let mut random = Random::new(seed);
    memory.use_it(&mut random, rounds, 0, "one process");
    memory.verify_all("after one process");
    println!("one process: {rounds} pages used at random, and all are as they should be");
    let child = fork();
    check!(child.is_ok(), "a child: {child:?}");
    let Ok(Some(child)) = child else {
        memory.use_it(&mut Random::new(seed + 1), rounds, 1, "the child");
        memory.verify_all("after the child");
        exit(0);
    };
    memory.use_it(&mut random, rounds, 0, "the parent");
    memory.verify_all("after the parent");
    let ended = wait(child);
    check!(ended == Ok((child, Ended::Exit(0))), "the child ended: {ended:?}");
    memory.verify_all("when the child has ended");
    println!("two processes: neither saw what the other wrote");
    0
}
