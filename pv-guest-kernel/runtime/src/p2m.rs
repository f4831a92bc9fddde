//! The P2M: which machine frame backs each page of the guest, and the way back.
//!
//! The guest numbers its memory `0..n` without a gap; the machine frames behind lie anywhere.
//! A page that the balloon has given away is a *hole*: it has no frame.

use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{Mfn, Pfn, extent::EXTENT_FRAMES};
use zerocopy::{FromBytes, IntoBytes};

/// The map. Storage is the caller's: one [`Mfn`] a page, and an index of the frames.
#[derive(Debug)]
pub struct P2m<'a> {
    /// Atomic, as the hypervisor changes what backs a page that may share a frame.
    frames: &'a [AtomicU64],
    /// Open addressing over the frame's number: page + 1, or 0 for an empty slot.
    index: &'a mut [u32],
    holes: u64,
    /// No page before this one is a hole.
    hint: usize,
    /// Whether pages share frames: then what holes are made of and filled with is not indexed.
    shares: bool,
}

/// A change of the map that would break it; nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapConflict {
    /// The page is beyond the end of the map.
    NoPage(Pfn),
    /// The page has a frame already.
    Backed(Pfn),
    /// The page is a hole already.
    Hole(Pfn),
    /// The frame backs another page.
    Used(Mfn),
    /// No frame has this number.
    BadFrame(Mfn),
}

impl<'a> P2m<'a> {
    /// Slots of the index that `pages` pages need: a power of two, at most half of it used.
    pub const fn index_slots(pages: u64) -> usize {
        (pages * 2).next_power_of_two() as usize
    }

    /// The map over what the hypervisor wrote, with an index of its own.
    ///
    /// # Errors
    /// [`MapConflict::BadFrame`] or [`MapConflict::Used`]: what stands in `frames` is no map.
    ///
    /// # Panics
    /// If `index` is not as long as [`index_slots`](Self::index_slots) says.
    pub fn new(frames: &'a mut [Mfn], index: &'a mut [u32]) -> Result<P2m<'a>, MapConflict> {
        let needed = Self::index_slots(frames.len() as u64);
        assert!(index.len() == needed, "the index of this map has {needed} slots");
        index.fill(0);
        let Ok(frames) = <[AtomicU64]>::mut_from_bytes(frames.as_mut_bytes()) else {
            panic!("a frame's number is a word")
        };
        let mut map = P2m { frames, index, holes: 0, hint: 0, shares: false };
        for page in 0..map.frames.len() {
            let frame = map.slot(page);
            if frame == Mfn::NONE {
                map.holes += 1;
                continue;
            }
            map.check_new(frame)?;
            map.index_insert(frame, page as u32);
        }
        Ok(map)
    }

    /// Pages of the guest, holes included.
    pub const fn pages(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Pages without a frame.
    pub const fn holes(&self) -> u64 {
        self.holes
    }

    /// The frame behind a page; `None` for a hole and beyond the end.
    pub fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        let slot = self.frames.get(usize::try_from(page.0).ok()?)?;
        let frame = Mfn(slot.load(Ordering::Relaxed));
        (frame != Mfn::NONE).then_some(frame)
    }

    /// Whether an extent of the machine, 512 frames of which the first is a multiple of as many, is
    /// behind the pages from `first`. It looks at each of them.
    pub fn is_extent(&self, first: Pfn) -> bool {
        let Some(head) = self.frame_of(first) else { return false };
        let is_next = |at| self.frame_of(Pfn(first.0 + at)) == Some(Mfn(head.0 + at));
        head.0.is_multiple_of(EXTENT_FRAMES) && (1..EXTENT_FRAMES).all(is_next)
    }

    /// The page that a frame backs; `None` if the frame is not the guest's.
    pub fn page_of(&self, frame: Mfn) -> Option<Pfn> {
        self.index_find(frame).map(|slot| Pfn(self.index[slot] as u64 - 1))
    }

    /// The lowest hole.
    pub fn first_hole(&mut self) -> Option<Pfn> {
        if self.holes == 0 {
            return None;
        }
        let from_hint = &self.frames[self.hint..];
        self.hint +=
            from_hint.iter().position(|slot| slot.load(Ordering::Relaxed) == Mfn::NONE.0)?;
        Some(Pfn(self.hint as u64))
    }

    /// Takes the frame of a page away; the frame that it was.
    ///
    /// # Errors
    /// [`MapConflict::NoPage`], [`MapConflict::Hole`].
    pub fn make_hole(&mut self, page: Pfn) -> Result<Mfn, MapConflict> {
        if page.0 >= self.pages() {
            return Err(MapConflict::NoPage(page));
        }
        let frame = self.frame_of(page).ok_or(MapConflict::Hole(page))?;
        if !self.shares {
            self.index_remove(frame);
        }
        self.set_slot(page, Mfn::NONE);
        self.holes += 1;
        self.hint = self.hint.min(page.0 as usize);
        Ok(frame)
    }

    /// Gives a hole a frame.
    ///
    /// # Errors
    /// [`MapConflict::NoPage`], [`MapConflict::Backed`], [`MapConflict::BadFrame`],
    /// [`MapConflict::Used`].
    pub fn fill_hole(&mut self, page: Pfn, frame: Mfn) -> Result<(), MapConflict> {
        if page.0 >= self.pages() {
            return Err(MapConflict::NoPage(page));
        }
        if self.frame_of(page).is_some() {
            return Err(MapConflict::Backed(page));
        }
        self.check_new(frame)?;
        self.set_slot(page, frame);
        if !self.shares {
            self.index_insert(frame, page.0 as u32);
        }
        self.holes -= 1;
        Ok(())
    }

    /// Lengths of the runs in which both numbers go up by one together, in order of page:
    /// `(first page, first frame, pages)`. Holes are left out.
    pub fn runs(&self) -> impl Iterator<Item = (Pfn, Mfn, u64)> + '_ {
        let mut next = 0;
        core::iter::from_fn(move || {
            while next < self.frames.len() && self.slot(next) == Mfn::NONE {
                next += 1;
            }
            let first = next;
            let frame = Mfn(self.frames.get(first)?.load(Ordering::Relaxed));
            while next < self.frames.len()
                && self.slot(next) != Mfn::NONE
                && self.slot(next).0 == frame.0 + (next - first) as u64
            {
                next += 1;
            }
            Some((Pfn(first as u64), frame, (next - first) as u64))
        })
    }

    /// Forgets which frame backs a page, before that may change: [`page_of`](Self::page_of) finds
    /// it no more. From the first time on no page whose hole is filled is found by its frame.
    pub fn let_move(&mut self, page: Pfn) {
        self.shares = true;
        if let Some(frame) = self.frame_of(page) {
            self.index_remove(frame);
        }
    }

    fn slot(&self, page: usize) -> Mfn {
        Mfn(self.frames[page].load(Ordering::Relaxed))
    }

    fn set_slot(&mut self, page: Pfn, frame: Mfn) {
        self.frames[page.0 as usize].store(frame.0, Ordering::Relaxed);
    }

    fn check_new(&self, frame: Mfn) -> Result<(), MapConflict> {
        if frame > Mfn::MAX {
            return Err(MapConflict::BadFrame(frame));
        }
        if !self.shares && self.index_find(frame).is_some() {
            return Err(MapConflict::Used(frame));
        }
        Ok(())
    }

    /// Where the search for a frame begins (Fibonacci hashing).
    fn home(&self, frame: Mfn) -> usize {
        let hash = frame.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.index.len() - 1)
    }

    fn index_find(&self, frame: Mfn) -> Option<usize> {
        let mut slot = self.home(frame);
        while self.index[slot] != 0 {
            if self.slot(self.index[slot] as usize - 1) == frame {
                return Some(slot);
            }
            slot = (slot + 1) & (self.index.len() - 1);
        }
        None
    }

    fn index_insert(&mut self, frame: Mfn, page: u32) {
        let mut slot = self.home(frame);
        while self.index[slot] != 0 {
            slot = (slot + 1) & (self.index.len() - 1);
        }
        self.index[slot] = page + 1;
    }

    /// Takes an entry out and moves those behind it up, so that no search meets a gap.
    fn index_remove(&mut self, frame: Mfn) {
        let Some(mut gap) = self.index_find(frame) else { return };
        let mask = self.index.len() - 1;
        let mut slot = gap;
        loop {
            self.index[gap] = 0;
            loop {
                slot = (slot + 1) & mask;
                if self.index[slot] == 0 {
                    return;
                }
                let home = self.home(self.slot(self.index[slot] as usize - 1));
                // The entry may fill the gap unless its home lies behind the gap.
                if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(gap) & mask {
                    break;
                }
            }
            self.index[gap] = self.index[slot];
            gap = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn an_extent_is_aligned_and_has_no_gap() {
        let mut frames: std::vec::Vec<Mfn> = (1024..1024 + 513).map(Mfn).collect();
        let mut index = std::vec![0; P2m::index_slots(513)];
        let mut map = P2m::new(&mut frames, &mut index).unwrap();
        assert!(map.is_extent(Pfn(0)));
        assert!(!map.is_extent(Pfn(1)), "its frames begin at no multiple of 512");
        map.make_hole(Pfn(511)).unwrap();
        assert!(!map.is_extent(Pfn(0)));
        map.fill_hole(Pfn(511), Mfn(77)).unwrap();
        assert!(!map.is_extent(Pfn(0)));
        assert!(!map.is_extent(Pfn(513)), "there is no such page");
    }

    #[test]
    fn a_page_that_may_move_is_not_found_by_its_frame() {
        let mut frames = [Mfn(10), Mfn(11), Mfn(12), Mfn(13)];
        let mut index = [0; P2m::index_slots(4)];
        let mut map = P2m::new(&mut frames, &mut index).unwrap();
        (1..4).for_each(|page| map.let_move(Pfn(page)));
        assert_eq!(map.page_of(Mfn(10)), Some(Pfn(0)));
        assert_eq!(map.page_of(Mfn(11)), None);
        // As the hypervisor does: two pages share a frame.
        map.frames[1].store(12, Ordering::Relaxed);
        assert_eq!(map.frame_of(Pfn(1)), Some(Mfn(12)));
        // However often holes are made and filled, the index does not fill up.
        for round in 0..100 {
            assert_eq!(map.make_hole(Pfn(3)).map(|_| map.holes()), Ok(1));
            assert_eq!(map.fill_hole(Pfn(3), Mfn(20 + round)), Ok(()));
        }
        assert_eq!(map.page_of(Mfn(119)), None);
        assert_eq!(map.page_of(Mfn(10)), Some(Pfn(0)));
    }
}
