//! Whole blocks, as the balloon moves them.

use super::{BLOCK, Frames, Kind, LOW};
use crate::Pfn;

impl Frames {
    /// Says whether an extent of the machine is behind the [`BLOCK`] pages from `first`, a multiple of
    /// as many: then they are kept together as long as other pages are free. A page of them that is
    /// made a hole ends that.
    pub fn set_extent(&mut self, first: Pfn, is_extent: bool) {
        self.free.keep_whole(first.0 as u32, is_extent);
    }

    /// Takes a block with an extent behind it of which every page is free, for the kernel: the first
    /// of its [`BLOCK`] pages, each of which has one use. It takes those too that are kept back.
    pub fn take_extent(&mut self) -> Option<Pfn> {
        self.free.take_whole().map(|first| self.taken_whole(first, Kind::Free))
    }

    /// Blocks that have an extent behind them, whoever uses their pages.
    pub fn extents(&self) -> u64 {
        self.free.kept_whole()
    }

    /// Blocks of which every page is a hole.
    pub fn hole_blocks(&self) -> u64 {
        self.holes.wholes()
    }

    /// Takes a block of holes to give it memory: as [`fill_hole`](Self::fill_hole), [`BLOCK`] at a
    /// time.
    pub fn fill_hole_block(&mut self) -> Option<Pfn> {
        self.holes.take_whole().map(|first| self.taken_whole(first, Kind::Hole))
    }

    fn taken_whole(&mut self, first: u32, from: Kind) -> Pfn {
        let pages = first as usize..first as usize + BLOCK as usize;
        self.records[pages].fill((Kind::Kernel as u32) << LOW | 1);
        self.counts[from as usize] -= BLOCK;
        self.counts[Kind::Kernel as usize] += BLOCK;
        Pfn(first.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::frames;
    use super::*;
    use crate::NoPage;

    #[test]
    fn a_block_stays_whole_as_long_as_there_are_other_pages() {
        let mut frames = frames(4 * BLOCK - 1);
        frames.set_extent(Pfn(BLOCK), true);
        frames.set_extent(Pfn(2 * BLOCK), true);
        // Block 0 lacks page 0, and of block 3 nothing is known.
        let taken: alloc::vec::Vec<Pfn> =
            (1..2 * BLOCK).map(|_| frames.take(Kind::Anonymous).unwrap()).collect();
        assert!(taken.iter().all(|page| [0, 3].contains(&(page.0 / BLOCK))));
        assert_eq!(frames.extents(), 2);
        let first = frames.take_extent().unwrap();
        assert_eq!(frames.count(Kind::Kernel), BLOCK);
        // The last is broken when nothing else is left, and whole again when its page is back.
        let page = frames.take(Kind::File).unwrap();
        assert_eq!(frames.take_extent(), None);
        assert!(frames.give(page));
        let other = frames.take_extent().unwrap();
        assert_eq!(first.0 + other.0, 3 * BLOCK);
        assert_eq!(frames.take(Kind::Kernel), Err(NoPage));
        // One that was ballooned away page by page is no extent when its pages come back.
        for page in (first.0..first.0 + BLOCK).map(Pfn) {
            frames.make_hole(page);
        }
        assert_eq!((frames.hole_blocks(), frames.chained().1), (1, BLOCK));
        assert_eq!(frames.extents(), 1);
        while let Some(page) = frames.fill_hole() {
            assert!(frames.give(page));
        }
        assert_eq!(frames.take_extent(), None);
        assert_eq!(frames.chained(), (BLOCK, 0));
    }

    #[test]
    fn single_frames_fill_broken_blocks_of_holes_first() {
        let mut frames = frames(3 * BLOCK - 1);
        while let Ok(page) = frames.take(Kind::Kernel) {
            frames.make_hole(page);
        }
        assert_eq!(frames.hole_blocks(), 2);
        let filled: alloc::vec::Vec<Pfn> =
            (1..BLOCK).map(|_| frames.fill_hole().unwrap()).collect();
        assert!(filled.iter().all(|page| page.0 < BLOCK));
        let first = frames.fill_hole_block().unwrap();
        assert_eq!((first.0 % BLOCK, frames.hole_blocks()), (0, 1));
        assert_eq!((frames.count(Kind::Hole), frames.count(Kind::Kernel)), (BLOCK, 2 * BLOCK - 1));
    }
}
