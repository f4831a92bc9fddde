//! Who goes when memory is out and nothing can be reclaimed: [`choose`], and the record of it.

use super::{Kind, Memory, Usage};
use crate::Platform;
use core::fmt;

/// A process that could be ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its number.
    pub process: u32,
    /// What its address space takes.
    pub usage: Usage,
}

impl Candidate {
    /// Pages that it has, in memory or swapped, its tables included.
    pub fn pages(&self) -> u64 {
        self.usage.resident() + self.usage.swapped + self.usage.tables
    }
}

/// The process to end: the one with the most pages in memory and in the swap area; of equals,
/// the youngest. Never the first process, which all others need.
pub fn choose(candidates: impl IntoIterator<Item = Candidate>) -> Option<Candidate> {
    candidates
        .into_iter()
        .filter(|candidate| candidate.process != 1)
        .max_by_key(|candidate| (candidate.pages(), candidate.process))
}

/// What was short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Short {
    /// No page is free, and there is no swap area.
    NoSwap,
    /// No page is free, and no slot of the swap area.
    SwapFull,
    /// No page is free, and those that are in use cannot be swapped.
    Unswappable,
    /// The kernel has no heap for more maps of memory.
    Leaves,
    /// The kernel has no heap for more page tables.
    Tables,
}

/// That a process was ended for its memory: who, why, and how much; its text is one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended<'a> {
    /// Who.
    pub who: Candidate,
    /// What its program is called, as the process likes it.
    pub name: &'a [u8],
    /// Why.
    pub why: Short,
    /// Pages that were free.
    pub free: u64,
    /// Of so many.
    pub total: u64,
}

impl<'a> Ended<'a> {
    /// The record of ending a process now.
    pub fn new<P: Platform>(memory: &Memory<P>, who: Candidate, name: &'a [u8]) -> Ended<'a> {
        let why = match (memory.swap.total(), memory.swap.free()) {
            _ if memory.leaves.are_out() => Short::Leaves,
            _ if memory.frames.tables_are_out() => Short::Tables,
            (0, _) => Short::NoSwap,
            (_, 0) => Short::SwapFull,
            _ => Short::Unswappable,
        };
        let (free, total) = (memory.frames.count(Kind::Free), memory.frames.total());
        Ended { who, name, why, free, total }
    }
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { anonymous, file, shared, swapped, tables, .. } = self.who.usage;
        let why = match self.why {
            Short::NoSwap => "there is no swap area",
            Short::SwapFull => "the swap area is full",
            Short::Tables => "there are as many page tables as there may be",
            Short::Leaves => "the kernel's maps of memory take all that they may",
            Short::Unswappable => "nothing that is left can be swapped",
        };
        write!(
            f,
            "out of memory: ended process {} ({}) with {} pages in memory ({anonymous} private, \
             {file} of files, {shared} shared), {swapped} swapped, {tables} tables; {} of {} pages \
             were free, and {why}",
            self.who.process,
            self.name.escape_ascii(),
            self.who.usage.resident(),
            self.free,
            self.total,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn candidate(process: u32, anonymous: u64, swapped: u64) -> Candidate {
        Candidate { process, usage: Usage { anonymous, swapped, ..Usage::default() } }
    }

    #[test]
    fn the_largest_goes_and_never_the_first_process() {
        let all = [candidate(1, 900, 0), candidate(2, 5, 0), candidate(3, 3, 3)];
        assert_eq!(choose(all).map(|chosen| chosen.process), Some(3));
        assert_eq!(choose([candidate(1, 900, 0)]), None);
        let equals = [candidate(5, 2, 2), candidate(4, 4, 0)];
        assert_eq!(choose(equals).map(|chosen| chosen.process), Some(5));
    }

    #[test]
    fn the_record_says_who_why_and_how_much() {
        let who = candidate(7, 40, 2);
        let ended = Ended { who, name: b"a\nb", why: Short::SwapFull, free: 3, total: 64 };
        let line = ended.to_string();
        assert!(line.contains(r"process 7 (a\nb) with 40 pages"), "{line}");
        assert!(line.contains("2 swapped") && line.contains("3 of 64"), "{line}");
        assert!(line.contains("the swap area is full"), "{line}");
    }
}
