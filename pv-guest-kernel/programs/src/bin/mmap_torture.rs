//! Random `mmap`, `munmap`, `mprotect`, `brk` and writes, against a record of what should be there.
//! Arguments: rounds, and the seed.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "memory is mapped, written and read by address")]

use kernel_programs::arch::SPARE_ADDRESS;
use kernel_programs::calls::{
    Ended, MAP_FIXED, MAP_PRIVATE, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, brk, can_read,
    can_write, load, map, pipe, protect, run, store, unmap,
};
use kernel_programs::{Random, Start, check, println, program};

program!(main);

const PAGES: usize = 96;
const ROUNDS: usize = 2000;

/// A page as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Page {
    /// Nothing is there.
    Absent,
    /// It is there, with that protection, and every byte that was written is this.
    Mapped { protection: usize, byte: u8 },
}

/// Bytes of a page that are written and looked at.
const PLACES: [usize; 3] = [0, 1234, PAGE - 1];

struct Torture {
    random: Random,
    pages: [Page; PAGES],
    ends: [i32; 2],
    heap: usize,
    heap_end: usize,
    counts: [usize; 6],
}

fn main(start: &Start) -> i32 {
    let rounds = start.number(1).unwrap_or(ROUNDS);
    let seed = start.number(2).unwrap_or(1) as u64;
    let ends = pipe(0);
    check!(ends.is_ok(), "a pipe: {ends:?}");
    // SAFETY: this only asks.
    let heap = unsafe { brk(0) }.next_multiple_of(PAGE);
    // SAFETY: the heap has not been used.
    check!(unsafe { brk(heap) } == heap, "the heap begins at a page");
    let mut torture = Torture {
        random: Random::new(seed),
        pages: [Page::Absent; PAGES],
        ends: ends.unwrap_or_default(),
        heap,
        heap_end: heap,
        counts: [0; 6],
    };
    for _ in 0..rounds {
        torture.step();
        if torture.random.below(64) == 0 {
            torture.verify();
        }
    }
    torture.verify();
    // A child has the same, and can change it without harm.
    let ended = run(|| {
        torture.verify();
        for _ in 0..rounds / 10 {
            torture.step();
        }
        torture.verify();
        0
    });
    check!(ended == Ended::Exit(0), "a child ended: {ended:?}");
    torture.verify();
    let [maps, unmaps, protects, writes, grows, shrinks] = torture.counts;
    println!(
        "{maps} mappings made, {unmaps} taken away, {protects} protected, {writes} pages written"
    );
    println!("the heap grew {grows} times and shrank {shrinks} times");
    println!("memory was always as it should be");
    0
}

fn address(page: usize) -> usize {
    SPARE_ADDRESS + page * PAGE
}

impl Torture {
    fn range(&mut self) -> (usize, usize) {
        let first = self.random.below(PAGES);
        (first, 1 + self.random.below((PAGES - first).min(12)))
    }

    fn protection(&mut self) -> usize {
        [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE][self.random.below(4)]
    }

    fn step(&mut self) {
        match self.random.below(8) {
            0 | 1 => self.map(),
            2 => self.unmap(),
            3 => self.protect(),
            4 | 5 => self.write(),
            6 => self.grow(),
            _ => self.probe(),
        }
    }

    fn map(&mut self) {
        let ((first, count), protection) = (self.range(), self.protection());
        // SAFETY: nothing but this record relies on these pages.
        let found =
            unsafe { map(address(first), count * PAGE, protection, MAP_PRIVATE | MAP_FIXED) };
        check!(found == Ok(address(first)), "mmap of {count} pages from {first}: {found:?}");
        self.pages[first..first + count].fill(Page::Mapped { protection, byte: 0 });
        self.counts[0] += 1;
    }

    fn unmap(&mut self) {
        let (first, count) = self.range();
        // SAFETY: nothing but this record relies on these pages.
        let done = unsafe { unmap(address(first), count * PAGE) };
        // Nothing need be there.
        check!(done.is_ok(), "munmap of {count} pages from {first}: {done:?}");
        self.pages[first..first + count].fill(Page::Absent);
        self.counts[1] += 1;
    }

    fn protect(&mut self) {
        let ((first, count), new) = (self.range(), self.protection());
        // SAFETY: nothing but this record relies on these pages.
        let done = unsafe { protect(address(first), count * PAGE, new) };
        let pages = &mut self.pages[first..first + count];
        let whole = pages.iter().all(|page| *page != Page::Absent);
        check!(done.is_ok() == whole, "mprotect of {count} pages from {first}: {done:?}");
        // Up to a hole it is done all the same.
        for page in pages.iter_mut() {
            let Page::Mapped { protection, .. } = page else { break };
            *protection = new;
        }
        self.counts[2] += 1;
    }

    fn write(&mut self) {
        let page = self.random.below(PAGES);
        let new = self.random.word() as u8;
        if let Page::Mapped { protection, byte } = &mut self.pages[page]
            && *protection & PROT_WRITE != 0
        {
            for place in PLACES {
                // SAFETY: the record says that it may be written.
                unsafe { store(address(page) + place, new) };
            }
            *byte = new;
            self.counts[3] += 1;
        }
    }

    /// The kernel's own accesses agree with the record.
    fn probe(&mut self) {
        let page = self.random.below(PAGES);
        let place = address(page) + PLACES[self.random.below(PLACES.len())];
        let protection = match self.pages[page] {
            Page::Absent => PROT_NONE,
            Page::Mapped { protection, .. } => protection,
        };
        let readable = can_read(self.ends, place);
        check!(readable == (protection & PROT_READ != 0), "page {page} can be read: {readable}");
        let byte = if let Page::Mapped { byte, .. } = self.pages[page] { byte } else { 0 };
        // SAFETY: it is written with what is there.
        let writable = unsafe { can_write(self.ends, place, byte) };
        check!(
            writable == (protection & PROT_WRITE != 0),
            "page {page} can be written: {writable}"
        );
    }

    /// Moves the end of the heap, whose bytes tell their place.
    fn grow(&mut self) {
        let end = self.heap + self.random.below(32) * PAGE;
        let old = self.heap_end;
        // SAFETY: nothing but this record relies on the heap.
        check!(unsafe { brk(end) } == end, "the heap ends where it was asked to");
        self.heap_end = end;
        self.counts[if end > old { 4 } else { 5 }] += usize::from(end != old);
        for page in (old..end).step_by(PAGE) {
            // SAFETY: the heap reaches there.
            let found = unsafe { load(page + 77) };
            check!(found == 0, "a new page of the heap is zero, not {found}");
            // SAFETY: as above.
            unsafe { store(page + 77, tag(page - self.heap)) };
        }
    }

    fn verify(&self) {
        for (number, page) in self.pages.iter().enumerate() {
            let Page::Mapped { protection, byte } = *page else { continue };
            if protection & PROT_READ == 0 {
                continue;
            }
            for place in PLACES {
                // SAFETY: the record says that it may be read.
                let found = unsafe { load(address(number) + place) };
                check!(found == byte, "page {number}, byte {place}: {found}, not {byte}");
            }
        }
        for page in (self.heap..self.heap_end).step_by(PAGE) {
            // SAFETY: the heap reaches there.
            let found = unsafe { load(page + 77) };
            check!(found == tag(page - self.heap), "a page of the heap lost its byte");
        }
    }
}

fn tag(offset: usize) -> u8 {
    (offset / PAGE) as u8 ^ 0x5a
}
