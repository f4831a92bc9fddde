//! What an address space has at each of its pages: [`PageMap`], the kernel's own truth, so that
//! fork and eviction never read the machine's tables.
//!
//! Entries lie in leaves of 512 (2 MiB of addresses); the leaves are few, and sorted. A leaf
//! knows which of its entries are set, so that to walk it costs what is in it.

use super::{
    entry::Entry,
    leaf::{LEAF, Leaf, Leaves},
};
use crate::NoPage;
use alloc::{boxed::Box, vec::Vec};
use core::ops::{ControlFlow, Range};

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
            Ok(index) => self.leaves[index].1.get(page as usize % LEAF),
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
        leaf.set(page as usize % LEAF, entry);
    }

    /// Calls `visit` with every entry of the range that is set, in order, until it breaks. It
    /// may change the entry; who makes it [`Entry::EMPTY`] prunes the range. Whether it broke.
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

    /// How many leaves it has, and how many of them for nothing.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn leaves(&self) -> (usize, usize) {
        (self.leaves.len(), self.leaves.iter().filter(|(_, leaf)| leaf.is_empty()).count())
    }

    /// All entries that are set.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Entry)> {
        self.leaves.iter().flat_map(|(number, leaf)| {
            let base = number * LEAF as u64;
            leaf.iter().map(move |(at, entry)| (base + at as u64, entry))
        })
    }

    /// Calls `visit` with every entry of the range that is set, in order; it may change the
    /// entry as in [`walk`](Self::walk), and `to` has the entry that it returns, which is not
    /// [`Entry::EMPTY`]. When it breaks, the page to go on with is returned.
    ///
    /// # Errors
    /// What `visit` returns; [`NoPage`] when there are as many leaves as there may be. `to` has
    /// what came before.
    #[inline]
    pub(super) fn copy(
        &mut self,
        to: &mut PageMap,
        range: Range<u64>,
        leaves: &mut Leaves,
        mut visit: impl FnMut(u64, &mut Entry) -> Result<(Entry, ControlFlow<()>), NoPage>,
    ) -> Result<Option<u64>, NoPage> {
        let mut index = match self.find(range.start / LEAF as u64) {
            Ok(index) | Err(index) => index,
        };
        while let Some((number, leaf)) = self.leaves.get_mut(index) {
            let base = *number * LEAF as u64;
            if base >= range.end {
                break;
            }
            let from = range.start.saturating_sub(base).min(LEAF as u64) as usize;
            let until = (range.end - base).min(LEAF as u64) as usize;
            if leaf.has_any(from..until) {
                to.reserve(base, leaves)?;
                let copy = &mut to.leaves[to.last].1;
                let mut next = Ok(None);
                let _ = leaf.visit(from..until, |at, entry| {
                    let (other, flow) = match visit(base + at as u64, entry) {
                        Ok(visited) => visited,
                        Err(NoPage) => {
                            next = Err(NoPage);
                            return ControlFlow::Break(());
                        }
                    };
                    copy.set(at, other);
                    if flow.is_break() {
                        next = Ok(Some(base + at as u64 + 1));
                    }
                    flow
                });
                if next != Ok(None) {
                    return next;
                }
            }
            index += 1;
        }
        Ok(None)
    }

    /// Calls `visit` with every entry, and gives back all leaves.
    pub(super) fn drain(&mut self, leaves: &mut Leaves, mut visit: impl FnMut(Entry)) {
        self.last = 0;
        for (_, mut leaf) in self.leaves.drain(..) {
            leaf.drain(&mut visit);
            leaves.give(leaf);
        }
    }

    /// Gives back the leaves of a range that have nothing in them.
    pub(super) fn prune(&mut self, range: Range<u64>, leaves: &mut Leaves) {
        let of = |page: u64| page / LEAF as u64;
        let first = self.leaves.partition_point(|(number, _)| *number < of(range.start));
        let end = self.leaves.partition_point(|(number, _)| *number <= of(range.end));
        for index in (first..end).rev() {
            if self.leaves[index].1.is_empty() {
                leaves.give(self.leaves.remove(index).1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::entry::{NUMBER, Slot},
        *,
    };
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
