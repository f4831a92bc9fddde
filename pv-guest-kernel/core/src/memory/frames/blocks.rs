//! Pages in stock, free ones or holes, by the block of 512 that they lie in: [`Stock`].
//!
//! The balloon moves whole blocks when it can. So single pages are taken from blocks that are in
//! use anyway, and a block that the stock has whole is broken only when there is no other. To
//! take a page, to put one back, and to take a whole block all go without a search.

use alloc::vec::Vec;

/// Pages of a block.
pub const BLOCK: u64 = 512;

/// The end of a chain, of pages or of blocks.
pub(super) const NONE: u32 = (1 << 29) - 1;

/// A block: the chain of its pages in stock, and its neighbours on the list that it is on.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u32,
    next: u32,
    previous: u32,
    pages: u16,
    /// Whether it is worth to be kept whole.
    kept_whole: bool,
}

/// Pages in stock. Which page follows another in a block's chain stands in the pages' records.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    blocks: Vec<Block>,
    /// The first blocks of two lists: of those that single pages come from, and of those that are
    /// kept whole and are.
    loose: u32,
    whole: u32,
    /// Blocks on the second.
    wholes: u64,
    /// Blocks that are worth to be kept whole, whatever of them is in stock.
    kept_whole: u64,
}

impl Stock {
    /// An empty stock for that many pages, whose blocks are kept whole or not.
    pub(super) fn new(span: u64, kept_whole: bool) -> Stock {
        let block = Block { first: NONE, next: NONE, previous: NONE, pages: 0, kept_whole };
        let count = span.div_ceil(BLOCK);
        let blocks = alloc::vec![block; count as usize];
        let kept_whole = if kept_whole { count } else { 0 };
        Stock { blocks, loose: NONE, whole: NONE, wholes: 0, kept_whole }
    }

    /// Puts a page in; what its record is to name as the next of its chain.
    #[inline]
    pub(super) fn put(&mut self, page: u32) -> u32 {
        let index = page / BLOCK as u32;
        let block = &mut self.blocks[index as usize];
        let next = core::mem::replace(&mut block.first, page);
        block.pages += 1;
        let pages = block.pages;
        if pages == 1 {
            self.link(index);
        } else if u64::from(pages) == BLOCK && block.kept_whole {
            self.unlink(index, false);
            self.link(index);
        }
        next
    }

    /// The page that [`take`](Self::take) takes; [`NONE`] for an empty stock.
    #[inline]
    pub(super) fn next(&self) -> u32 {
        let list = if self.loose == NONE { self.whole } else { self.loose };
        self.blocks.get(list as usize).map_or(NONE, |block| block.first)
    }

    /// Takes the page that [`next`](Self::next) named; `behind` is the next of its chain.
    #[inline]
    pub(super) fn take(&mut self, page: u32, behind: u32) {
        let index = page / BLOCK as u32;
        let was_whole = self.is_whole(index);
        let block = &mut self.blocks[index as usize];
        block.first = behind;
        block.pages -= 1;
        let is_empty = block.pages == 0;
        if was_whole || is_empty {
            self.unlink(index, was_whole);
        }
        if was_whole {
            self.link(index);
        }
    }

    /// Takes all pages of a block that is whole: the first.
    pub(super) fn take_whole(&mut self) -> Option<u32> {
        let index = self.whole;
        let block = self.blocks.get_mut(index as usize)?;
        (block.first, block.pages) = (NONE, 0);
        self.unlink(index, true);
        Some(index * BLOCK as u32)
    }

    /// Whole blocks.
    pub(super) fn wholes(&self) -> u64 {
        self.wholes
    }

    /// Blocks that are worth to be kept whole.
    pub(super) fn kept_whole(&self) -> u64 {
        self.kept_whole
    }

    /// Whether the block of a page is worth to be kept whole, from now on.
    pub(super) fn keep_whole(&mut self, page: u32, kept_whole: bool) {
        let index = page / BLOCK as u32;
        if self.blocks[index as usize].kept_whole == kept_whole {
            return;
        }
        let linked = self.blocks[index as usize].pages > 0;
        if linked {
            self.unlink(index, self.is_whole(index));
        }
        self.blocks[index as usize].kept_whole = kept_whole;
        if kept_whole {
            self.kept_whole += 1;
        } else {
            self.kept_whole -= 1;
        }
        if linked {
            self.link(index);
        }
    }

    /// The first pages of all chains.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn chains(&self) -> impl Iterator<Item = u32> {
        [self.loose, self.whole].into_iter().flat_map(|list| {
            core::iter::successors(self.blocks.get(list as usize), |block| {
                self.blocks.get(block.next as usize)
            })
            .map(|block| block.first)
        })
    }

    #[inline]
    fn is_whole(&self, index: u32) -> bool {
        let block = &self.blocks[index as usize];
        block.kept_whole && u64::from(block.pages) == BLOCK
    }

    /// Puts a block at the front of the list that it belongs on.
    fn link(&mut self, index: u32) {
        let whole = self.is_whole(index);
        let list = if whole { &mut self.whole } else { &mut self.loose };
        let next = core::mem::replace(list, index);
        self.wholes += u64::from(whole);
        if let Some(next) = self.blocks.get_mut(next as usize) {
            next.previous = index;
        }
        let block = &mut self.blocks[index as usize];
        (block.next, block.previous) = (next, NONE);
    }

    /// Takes a block off the list that it is on.
    fn unlink(&mut self, index: u32, whole: bool) {
        let Block { next, previous, .. } = self.blocks[index as usize];
        let list = if whole { &mut self.whole } else { &mut self.loose };
        match self.blocks.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => *list = next,
        }
        self.wholes -= u64::from(whole);
        if let Some(next) = self.blocks.get_mut(next as usize) {
            next.previous = previous;
        }
    }
}
