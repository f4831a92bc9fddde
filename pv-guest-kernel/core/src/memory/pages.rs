//! What an address space has at each of its pages: [`PageMap`], the kernel's own truth, so that
//! fork and eviction never read the machine's tables.
//!
//! Entries lie in leaves of 512 (2 MiB of addresses); the leaves are few, and sorted. A leaf
//! knows which of its entries are set, so that to walk it costs what is in it.

use crate::{NoPage, Pfn};
use alloc::{boxed::Box, vec::Vec};
use core::ops::{ControlFlow, Range};

/// Entries of a leaf.
const LEAF: usize = 512;

/// A place in the swap area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub u32);

/// What there is at one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry(u32);

const PRESENT: u32 = 1 << 31;
const SWAPPED: u32 = 1 << 30;
const MAPPED: u32 = 1 << 29;
const WRITABLE: u32 = 1 << 28;
const NUMBER: u32 = WRITABLE - 1;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nothing yet.
    Empty,
    /// A page is in memory.
    Present(Pfn),
    /// It is in the swap area.
    Swapped(Slot),
}

impl Entry {
    pub(super) const EMPTY: Entry = Entry(0);

    /// A page that is in memory and that no table of the machine maps.
    pub(super) fn hidden(page: Pfn) -> Entry {
        Entry(PRESENT | page.0 as u32)
    }

    /// A page that the machine's tables map.
    #[inline]
    pub(super) fn mapped(page: Pfn, writable: bool) -> Entry {
        Entry(PRESENT | MAPPED | if writable { WRITABLE } else { 0 } | page.0 as u32)
    }

    pub(super) fn swapped(slot: Slot) -> Entry {
        Entry(SWAPPED | slot.0)
    }

    #[inline]
    pub(super) fn state(self) -> State {
        if self.0 & PRESENT != 0 {
            State::Present(Pfn((self.0 & NUMBER).into()))
        } else if self.0 & SWAPPED != 0 {
            State::Swapped(Slot(self.0 & NUMBER))
        } else {
            State::Empty
        }
    }

    /// The machine's tables map it.
    #[inline]
    pub(super) fn is_mapped(self) -> bool {
        self.0 & MAPPED != 0
    }

    /// The machine's tables let the process write it.
    #[inline]
    pub(super) fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// The page that the process itself could read (or write) now without a fault.
    #[inline]
    pub(super) fn reachable(self, write: bool) -> Option<Pfn> {
        let needed = PRESENT | MAPPED | if write { WRITABLE } else { 0 };
        (self.0 & needed == needed).then_some(Pfn((self.0 & NUMBER).into()))
    }
}

/// 512 entries.
#[derive(Debug)]
pub(super) struct Leaf {
    set: [u64; LEAF / 64],
    count: u32,
    entries: [u32; LEAF],
}

/// Leaves for all address spaces: they are the kernel's heap, and a process may not have all
/// of it.
#[derive(Debug)]
pub(super) struct Leaves {
    /// Empty ones for the next who needs one, so that a short life costs no zeroing.
    #[expect(clippy::vec_box, reason = "leaves go from one map to another, and are large")]
    spare: Vec<Box<Leaf>>,
    used: usize,
    limit: usize,
}

/// Spare leaves that are kept.
const SPARE: usize = 32;

impl Leaves {
    pub(super) fn new(limit: usize) -> Leaves {
        Leaves { spare: Vec::with_capacity(SPARE), used: 0, limit }
    }

    /// Whether there are as many as there may be.
    pub(super) fn are_out(&self) -> bool {
        self.used >= self.limit
    }

    /// Bytes of the heap that they take.
    pub(super) fn bytes(&self) -> u64 {
        ((self.used + self.spare.len()) * size_of::<Leaf>()) as u64
    }

    fn take(&mut self) -> Result<Box<Leaf>, NoPage> {
        if self.are_out() {
            return Err(NoPage);
        }
        self.used += 1;
        Ok(self.spare.pop().unwrap_or_else(|| {
            Box::new(Leaf { set: [0; LEAF / 64], count: 0, entries: [0; LEAF] })
        }))
    }

    fn give(&mut self, leaf: Box<Leaf>) {
        self.used -= 1;
        if self.spare.len() < SPARE {
            self.spare.push(leaf);
        }
    }

    /// How many are in use.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

/// Entries by the number of their page.
#[derive(Debug, Default)]
pub(super) struct PageMap {
    /// By the number of the leaf.
    leaves: Vec<(u64, Box<Leaf>)>,
    /// Where the last one asked for was.
    last: usize,
}

impl PageMap {
    /// Where a leaf is, or would be.
    #[inline]
    fn find(&mut self, number: u64) -> Result<usize, usize> {
        if let Some((there, _)) = self.leaves.get(self.last)
            && *there == number
        {
            return Ok(self.last);
        }
        let found = self.leaves.binary_search_by_key(&number, |(there, _)| *there);
        if let Ok(index) = found {
            self.last = index;
        }
        found
    }

    /// The entry of a page.
    #[inline]
    pub(super) fn get(&mut self, page: u64) -> Entry {
        match self.find(page / LEAF as u64) {
            Ok(index) => Entry(self.leaves[index].1.entries[page as usize % LEAF]),
            Err(_) => Entry::EMPTY,
        }
    }

    /// Makes sure that an entry can be set.
    ///
    /// # Errors
    /// [`NoPage`]: there are as many leaves as there may be.
    #[inline]
    pub(super) fn reserve(&mut self, page: u64, leaves: &mut Leaves) -> Result<(), NoPage> {
        let number = page / LEAF as u64;
        if let Err(index) = self.find(number) {
            self.leaves.insert(index, (number, leaves.take()?));
            self.last = index;
        }
        Ok(())
    }

    /// Sets an entry, not to [`Entry::EMPTY`], for which [`reserve`](Self::reserve) made room
    /// or which is set.
    ///
    /// # Panics
    /// If there is no room.
    #[inline]
    pub(super) fn set(&mut self, page: u64, entry: Entry) {
        let Ok(index) = self.find(page / LEAF as u64) else {
            panic!("page {page:#x} has no leaf");
        };
        let leaf = &mut self.leaves[index].1;
        let at = page as usize % LEAF;
        let bit = 1 << (at % 64);
        leaf.count += u32::from(leaf.set[at / 64] & bit == 0);
        leaf.set[at / 64] |= bit;
        leaf.entries[at] = entry.0;
    }

    /// Calls `visit` with every entry of the range that is set, in order, until it breaks. It
    /// may change the entry, but not to [`Entry::EMPTY`]. Whether it broke.
    #[inline]
    pub(super) fn walk(
        &mut self,
        range: Range<u64>,
        mut visit: impl FnMut(u64, &mut Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut index = match self.find(range.start / LEAF as u64) {
            Ok(index) | Err(index) => index,
        };
        while let Some((number, leaf)) = self.leaves.get_mut(index) {
            let base = *number * LEAF as u64;
            if base >= range.end {
                break;
            }
            let from = range.start.saturating_sub(base).min(LEAF as u64) as usize;
            let to = (range.end - base).min(LEAF as u64) as usize;
            leaf.visit(from..to, |at, entry| visit(base + at as u64, entry))?;
            index += 1;
        }
        ControlFlow::Continue(())
    }

    /// As [`walk`](Self::walk), and entries may become [`Entry::EMPTY`]: leaves with nothing
    /// in them come back.
    #[inline]
    pub(super) fn visit(
        &mut self,
        range: Range<u64>,
        leaves: &mut Leaves,
        visit: impl FnMut(u64, &mut Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let flow = self.walk(range.clone(), visit);
        self.prune(range, leaves);
        flow
    }

    /// All entries that are set.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Entry)> {
        self.leaves.iter().flat_map(|(number, leaf)| {
            let base = number * LEAF as u64;
            leaf.set.iter().enumerate().filter(|(_, set)| **set != 0).flat_map(
                move |(word, set)| {
                    let bits = (0..64).filter(move |bit| set >> bit & 1 == 1);
                    bits.map(move |bit| word * 64 + bit)
                        .map(move |at| (base + at as u64, Entry(leaf.entries[at])))
                },
            )
        })
    }

    /// Gives back the leaves of a range that have nothing in them.
    pub(super) fn prune(&mut self, range: Range<u64>, leaves: &mut Leaves) {
        let of = |page: u64| page / LEAF as u64;
        let first = self.leaves.partition_point(|(number, _)| *number < of(range.start));
        let end = self.leaves.partition_point(|(number, _)| *number <= of(range.end));
        for index in (first..end).rev() {
            if self.leaves[index].1.count == 0 {
                leaves.give(self.leaves.remove(index).1);
            }
        }
    }
}

impl Leaf {
    #[inline]
    fn visit(
        &mut self,
        range: Range<usize>,
        mut visit: impl FnMut(usize, &mut Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if range.is_empty() {
            return ControlFlow::Continue(());
        }
        for word in range.start / 64..=(range.end - 1) / 64 {
            let mut bits = self.set[word];
            if word == range.start / 64 {
                bits &= !0 << (range.start % 64);
            }
            if word == (range.end - 1) / 64 {
                bits &= !0 >> (63 - (range.end - 1) % 64);
            }
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let at = word * 64 + bit as usize;
                let mut entry = Entry(self.entries[at]);
                let flow = visit(at, &mut entry);
                self.entries[at] = entry.0;
                if entry == Entry::EMPTY {
                    self.set[word] &= !(1 << bit);
                    self.count -= 1;
                }
                flow?;
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Set(u64, u32),
        Clear(u64, u64),
        Stop(u64, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let page = prop_oneof![0..40u64, 500..530u64, 1020..1030u64, 100_000..100_700u64];
        prop_oneof![
            (page.clone(), 0..NUMBER).prop_map(|(page, number)| Step::Set(page, number)),
            (page.clone(), 0..700u64).prop_map(|(page, length)| Step::Clear(page, length)),
            (page, 0..9usize).prop_map(|(page, count)| Step::Stop(page, count)),
        ]
    }

    proptest! {
        #[test]
        fn a_map_of_pages_is_a_map(steps in prop::collection::vec(step(), 1..80)) {
            let mut leaves = Leaves::new(usize::MAX);
            let mut map = PageMap::default();
            let mut model = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Set(page, number) => {
                        map.reserve(page, &mut leaves).unwrap();
                        map.set(page, Entry::swapped(Slot(number)));
                        model.insert(page, number);
                    }
                    Step::Clear(page, length) => {
                        let range = page..page + length;
                        let mut seen = Vec::new();
                        let _ = map.visit(range.clone(), &mut leaves, |page, entry| {
                            seen.push((page, *entry));
                            *entry = Entry::EMPTY;
                            ControlFlow::Continue(())
                        });
                        let expected: Vec<_> = model
                            .range(range.clone())
                            .map(|(page, number)| (*page, Entry::swapped(Slot(*number))))
                            .collect();
                        prop_assert_eq!(seen, expected);
                        model.retain(|page, _| !range.contains(page));
                    }
                    Step::Stop(page, count) => {
                        let mut seen = 0;
                        let _ = map.visit(page..u64::MAX, &mut leaves, |_, _| {
                            seen += 1;
                            if seen > count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                        });
                        prop_assert_eq!(seen, model.range(page..).count().min(count + 1));
                    }
                }
                for page in (0..1100).chain(100_000..100_710) {
                    let expected = model.get(&page).map_or(Entry::EMPTY, |number| Entry::swapped(Slot(*number)));
                    prop_assert_eq!(map.get(page), expected);
                }
                let regions: alloc::collections::BTreeSet<_> = model.keys().map(|page| page / 512).collect();
                prop_assert_eq!(leaves.used(), regions.len());
            }
        }
    }

    #[test]
    fn leaves_are_limited_and_come_back() {
        let mut leaves = Leaves::new(1);
        let mut map = PageMap::default();
        map.reserve(3, &mut leaves).unwrap();
        assert_eq!(map.reserve(512, &mut leaves), Err(NoPage));
        map.prune(3..4, &mut leaves);
        map.reserve(512, &mut leaves).unwrap();
    }
}
