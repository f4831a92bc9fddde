//! Blocks: 512 frames of which the first is a multiple of 512, and which of them nobody owns
//! anything of. They are found without a search: a block counts its unowned frames, and the blocks
//! whose count is full are on a list.

use super::table::FrameTable;
use super::{Frame, Link, Owned};
use alloc::vec::Vec;
use core::num::NonZeroU32;
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{DomainId, Error, Mfn};

/// One block: how many of its frames nobody owns, and its neighbours on the list if that is all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Block {
    unowned: u16,
    next: Link,
    previous: Link,
}

/// Every block that has a frame in the table, and the list of the whole ones.
#[derive(PartialEq, Eq, Hash, Debug)]
pub(super) struct Blocks {
    first: u64,
    blocks: Vec<Block>,
    whole: Link,
}

impl Clone for Blocks {
    fn clone(&self) -> Self {
        Blocks { blocks: self.blocks.clone(), ..*self }
    }

    fn clone_from(&mut self, other: &Self) {
        (self.first, self.whole) = (other.first, other.whole);
        self.blocks.clone_from(&other.blocks);
    }
}

impl Blocks {
    /// Blocks of a table of so many frames from `base` on, none of which is unowned. `None`: there is
    /// no room for them.
    pub(super) fn new(base: Mfn, frames: usize) -> Option<Blocks> {
        let first = base.0 / EXTENT_FRAMES;
        let count = (base.0 + frames as u64).div_ceil(EXTENT_FRAMES) - first;
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count as usize).ok()?;
        blocks.resize(count as usize, Block { unowned: 0, next: None, previous: None });
        Some(Blocks { first, blocks, whole: None })
    }

    fn of(&self, frame: Mfn) -> usize {
        (frame.0 / EXTENT_FRAMES - self.first) as usize
    }

    /// So many frames of one block, this among them, are nobody's now.
    #[inline(always)]
    pub(super) fn gained(&mut self, frame: Mfn, frames: u16) {
        let index = self.of(frame);
        self.blocks[index].unowned += frames;
        if u64::from(self.blocks[index].unowned) == EXTENT_FRAMES {
            let next = self.whole;
            if let Some(next) = next {
                self.blocks[place(next)].previous = link(index);
            }
            let block = &mut self.blocks[index];
            (block.next, block.previous) = (next, None);
            self.whole = link(index);
        }
    }

    /// So many frames of one block, this among them, are somebody's now.
    #[inline(always)]
    pub(super) fn lost(&mut self, frame: Mfn, frames: u16) {
        let index = self.of(frame);
        let Block { unowned, next, previous } = self.blocks[index];
        if u64::from(unowned) == EXTENT_FRAMES {
            match previous {
                Some(previous) => self.blocks[place(previous)].next = next,
                None => self.whole = next,
            }
            if let Some(next) = next {
                self.blocks[place(next)].previous = previous;
            }
        }
        self.blocks[index] = Block { unowned: unowned - frames, next: None, previous: None };
    }

    /// Whole blocks as the list has them, at most as many as there are blocks.
    fn listed(&self) -> impl Iterator<Item = Mfn> {
        let mut link = self.whole;
        core::iter::from_fn(move || {
            let index = place(link?);
            link = self.blocks.get(index)?.next;
            Some(Mfn((self.first + index as u64) * EXTENT_FRAMES))
        })
        .take(self.blocks.len() + 1)
    }

    #[cfg(test)]
    pub(super) fn corrupt(&mut self) -> (&mut u16, &mut Link) {
        (&mut self.blocks[0].unowned, &mut self.whole)
    }
}

impl FrameTable {
    /// The first frame of a block that nobody owns a frame of, if there is one.
    pub fn whole_block(&self) -> Option<Mfn> {
        self.blocks.listed().next()
    }

    /// The first frames of all of these blocks; at most as many as there are blocks and one, so that a
    /// list that has become a ring ends too.
    pub fn whole_blocks(&self) -> impl Iterator<Item = Mfn> {
        self.blocks.listed()
    }

    /// Frames of each block that the table counts as nobody's, by the block's first frame.
    pub fn block_counts(&self) -> impl Iterator<Item = (Mfn, u16)> {
        let first = self.blocks.first;
        self.blocks
            .blocks
            .iter()
            .enumerate()
            .map(move |(index, block)| (Mfn((first + index as u64) * EXTENT_FRAMES), block.unowned))
    }

    /// Frames of the block that begins there which nobody owns.
    pub(crate) fn block_unowned(&self, first: Mfn) -> u16 {
        self.blocks.blocks[self.blocks.of(first)].unowned
    }

    /// Whether a domain may give the extent that begins there.
    ///
    /// # Errors
    /// [`Error::BadFrame`]: it is not aligned, or not all of it is memory; else
    /// [`Error::NotOwner`]: not all of it is the domain's; else [`Error::Busy`].
    pub(crate) fn check_extent(&self, first: Mfn, domain: DomainId) -> Result<(), Error> {
        if !first.0.is_multiple_of(EXTENT_FRAMES) {
            return Err(Error::BadFrame);
        }
        let start = first.0.checked_sub(self.base().0).ok_or(Error::BadFrame)? as usize;
        let end = start.checked_add(EXTENT_FRAMES as usize).ok_or(Error::BadFrame)?;
        let (mut foreign, mut busy) = (false, false);
        for frame in self.frames.get(start..end).ok_or(Error::BadFrame)? {
            match frame {
                Frame::Owned(owned) if owned.owner == domain => busy |= !owned.is_unreferenced(),
                Frame::Reserved => return Err(Error::BadFrame),
                _ => foreign = true,
            }
        }
        match (foreign, busy) {
            (true, _) => Err(Error::NotOwner),
            (false, true) => Err(Error::Busy),
            (false, false) => Ok(()),
        }
    }

    /// Gives some frames in a row back, of one block, that were checked; they are dirty until scrubbed,
    /// and lie on the list in their order.
    pub(crate) fn release_run(&mut self, first: Mfn, frames: u64) {
        let start = (first.0 - self.base().0) as usize;
        let end = start + frames as usize;
        let mut next = self.dirty_head();
        for index in (start..end).rev() {
            let previous = if index == start { None } else { link(index - 1) };
            let epoch = match self.frames[index] {
                Frame::Owned(owned) => owned.epoch,
                _ => unreachable!("the run was checked to be owned"),
            };
            self.frames[index] = Frame::Dirty { next, previous, epoch };
            next = link(index);
        }
        self.joined_dirty(end - 1, start);
        self.blocks.gained(first, frames as u16);
    }

    /// Takes a frame that is free, wherever it is on the list.
    pub(crate) fn take_free(&mut self, frame: Mfn, domain: DomainId) {
        let index = (frame.0 - self.base().0) as usize;
        self.unlink_free(index);
        self.frames[index] = Frame::Owned(Owned::new(domain));
        self.blocks.lost(frame, 1);
    }
}

fn link(index: usize) -> Link {
    NonZeroU32::new(index as u32 + 1)
}

fn place(link: NonZeroU32) -> usize {
    link.get() as usize - 1
}
