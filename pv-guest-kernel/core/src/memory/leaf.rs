//! 512 entries that follow one another: [`Leaf`]; and how many of them there may be: [`Leaves`].

use super::entry::Entry;
use crate::NoPage;
use alloc::{boxed::Box, vec::Vec};
use core::ops::{ControlFlow, Range};

/// Entries of a leaf.
pub(super) const LEAF: usize = 512;

/// 512 entries.
#[derive(Debug)]
pub(super) struct Leaf {
    set: [u64; LEAF / 64],
    count: u32,
    entries: [Entry; LEAF],
}

impl Leaf {
    #[inline]
    pub(super) fn get(&self, at: usize) -> Entry {
        self.entries[at]
    }

    /// Sets an entry, not to [`Entry::EMPTY`].
    #[inline]
    pub(super) fn set(&mut self, at: usize, entry: Entry) {
        let bit = 1 << (at % 64);
        self.count += u32::from(self.set[at / 64] & bit == 0);
        self.set[at / 64] |= bit;
        self.entries[at] = entry;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Calls `visit` with every entry that is set, and leaves none.
    #[inline]
    pub(super) fn drain(&mut self, mut visit: impl FnMut(Entry)) {
        for word in 0..LEAF / 64 {
            let mut bits = core::mem::take(&mut self.set[word]);
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                visit(core::mem::replace(&mut self.entries[at], Entry::EMPTY));
            }
        }
        self.count = 0;
    }

    /// All entries that are set.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Entry)> {
        let set = |(at, _): &(usize, &Entry)| self.set[at / 64] >> (at % 64) & 1 == 1;
        self.entries.iter().enumerate().filter(set).map(|(at, entry)| (at, *entry))
    }

    /// The words of the set that a range touches, and in each the bits of the range.
    #[inline]
    fn words(range: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
        let words = if range.is_empty() { 0..0 } else { range.start / 64..range.end.div_ceil(64) };
        words.map(move |word| {
            let mut bits = !0;
            if word == range.start / 64 {
                bits &= !0 << (range.start % 64);
            }
            if word == range.end / 64 {
                bits &= (1 << (range.end % 64)) - 1;
            }
            (word, bits)
        })
    }

    pub(super) fn has_any(&self, range: Range<usize>) -> bool {
        Leaf::words(range).any(|(word, bits)| self.set[word] & bits != 0)
    }

    /// Calls `visit` with every entry of the range that is set, in order, until it breaks. It
    /// may change the entry.
    #[inline]
    pub(super) fn visit(
        &mut self,
        range: Range<usize>,
        mut visit: impl FnMut(usize, &mut Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for (word, mask) in Leaf::words(range) {
            let mut bits = self.set[word] & mask;
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let at = word * 64 + bit as usize;
                let flow = visit(at, &mut self.entries[at]);
                if self.entries[at] == Entry::EMPTY {
                    self.set[word] &= !(1 << bit);
                    self.count -= 1;
                }
                flow?;
            }
        }
        ControlFlow::Continue(())
    }
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

    pub(super) fn take(&mut self) -> Result<Box<Leaf>, NoPage> {
        if self.are_out() {
            return Err(NoPage);
        }
        self.used += 1;
        Ok(self.spare.pop().unwrap_or_else(|| {
            Box::new(Leaf { set: [0; LEAF / 64], count: 0, entries: [Entry::EMPTY; LEAF] })
        }))
    }

    pub(super) fn give(&mut self, leaf: Box<Leaf>) {
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
