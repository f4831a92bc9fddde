//! The frame table: one [`Frame`] for each frame of memory, how it is made, and how a frame is looked
//! at.

use super::extent::Blocks;
use super::spare::Queue;
use super::{Frame, Link, Owned};
use crate::planted::Planted;
use crate::share::SharingTotals;
use crate::spare::SpareTable;
use crate::tlb::Epoch;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use hypercall_abi::{DomainId, Error, Mfn};

/// A stretch of machine memory, as the boot code found it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Region {
    /// Its first frame.
    pub start: Mfn,
    /// Frames in it.
    pub count: u64,
    /// What it is.
    pub kind: RegionKind,
}

/// What a stretch of memory is. Where regions overlap the later kind here wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RegionKind {
    /// Memory for guests.
    Free,
    /// The hypervisor's image, heap and tables.
    Hypervisor,
    /// Not to be touched.
    Reserved,
}

/// Every frame from `base` on, and the lists of those that nobody owns.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct FrameTable {
    pub(super) base: Mfn,
    pub(super) frames: Vec<Frame>,
    pub(super) free: List,
    pub(super) dirty: List,
    pub(super) queue: Queue,
    pub(super) blocks: Blocks,
    /// Which pages frames of the queue keep. Elsewhere, so that what every call looks at lies close together.
    pub(crate) kept: Box<SpareTable>,
    /// What is shared.
    pub(crate) sharing: SharingTotals,
    pub(super) planted: Planted,
}

impl Clone for FrameTable {
    fn clone(&self) -> Self {
        FrameTable {
            frames: self.frames.clone(),
            blocks: self.blocks.clone(),
            kept: self.kept.clone(),
            ..*self
        }
    }

    /// Without new memory: a model checker copies a table at each of its steps.
    fn clone_from(&mut self, other: &Self) {
        let FrameTable { base, frames, free, dirty, queue, blocks, kept, sharing, planted } = other;
        (self.base, self.free, self.dirty, self.queue) = (*base, *free, *dirty, *queue);
        self.frames.clone_from(frames);
        self.blocks.clone_from(blocks);
        self.kept.clone_from(kept);
        (self.sharing, self.planted) = (*sharing, *planted);
    }
}

/// A list through the frames themselves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct List {
    pub(super) head: Link,
    pub(super) length: u32,
}

impl List {
    const EMPTY: List = List { head: None, length: 0 };
}

impl FrameTable {
    /// The table of that memory. Free memory starts dirty: firmware has been there. Its list
    /// is in an order that scatters: frame after frame lies `stride` apart.
    ///
    /// It spans the hypervisor's own frames too, so that a guest that names one is told whose
    /// it is. Returns `None` when there is no free memory, when all spans more than 2^32 frames
    /// or when the table itself finds no room.
    pub fn new(memory: &[Region], stride: u64) -> Option<FrameTable> {
        let known = memory.iter().filter(|region| region.kind != RegionKind::Reserved);
        let base = known.clone().map(|region| region.start.0).min()?;
        let end = known.map(|region| region.start.0.saturating_add(region.count)).max()?;
        let span = usize::try_from(end.checked_sub(base)?).ok()?;
        if span == 0 || span >= u32::MAX as usize || end > Mfn::MAX.0 {
            return None;
        }
        let mut frames = Vec::new();
        frames.try_reserve_exact(span).ok()?;
        frames.resize(span, Frame::Reserved);
        let mut table = FrameTable {
            base: Mfn(base),
            frames,
            free: List::EMPTY,
            dirty: List::EMPTY,
            queue: Queue::EMPTY,
            kept: Box::new(SpareTable::OFF),
            blocks: Blocks::new(Mfn(base), span)?,
            sharing: SharingTotals::default(),
            planted: Planted::default(),
        };
        for kind in [RegionKind::Free, RegionKind::Hypervisor, RegionKind::Reserved] {
            let frame = match kind {
                RegionKind::Free => {
                    Frame::Dirty { next: None, previous: None, epoch: Epoch::NEVER }
                }
                RegionKind::Hypervisor => Frame::Hypervisor,
                RegionKind::Reserved => Frame::Reserved,
            };
            for region in memory.iter().filter(|region| region.kind == kind) {
                let start = region.start.0.max(base);
                let stop = region.start.0.saturating_add(region.count).min(end);
                for number in start..stop {
                    table.frames[(number - base) as usize] = frame;
                }
            }
        }
        table.link_dirty(stride);
        (table.dirty.length > 0).then_some(table)
    }

    /// Puts every dirty frame on the list, `stride` apart (made coprime to the span, so that
    /// each is met once).
    fn link_dirty(&mut self, stride: u64) {
        let span = self.frames.len() as u64;
        let mut stride = stride.max(1);
        while gcd(stride, span) != 1 {
            stride += 1;
        }
        let stride = stride % span;
        let mut index = 0u64;
        for _ in 0..span {
            if let Frame::Dirty { epoch, .. } = self.frames[index as usize] {
                self.push_dirty(index as usize, epoch);
            }
            index += stride;
            if index >= span {
                index -= span;
            }
        }
    }

    #[cfg(feature = "planted")]
    pub(crate) fn plant(&mut self, planted: Planted) {
        self.planted = planted;
    }

    /// Number of the first frame.
    pub fn base(&self) -> Mfn {
        self.base
    }

    /// Frames in the table.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the table has no frame; it never has none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Every frame with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Mfn, &Frame)> {
        let base = self.base.0;
        self.frames.iter().enumerate().map(move |(index, frame)| (Mfn(base + index as u64), frame))
    }

    /// Frames that nobody owns: scrubbed or not, and whether they keep a page or not.
    pub fn unowned(&self) -> u64 {
        u64::from(self.free.length) + u64::from(self.dirty.length) + u64::from(self.spare_length())
    }

    /// Frames on the free list and on the dirty list.
    pub fn list_lengths(&self) -> (u32, u32) {
        (self.free.length, self.dirty.length)
    }

    /// Frames met on a list, in its order; at most as many as the table has, so that a list
    /// that has become a ring ends too.
    pub fn walk_list(&self, free: bool) -> impl Iterator<Item = Mfn> {
        let mut link = if free { self.free.head } else { self.dirty.head };
        let limit = self.frames.len() + 1;
        core::iter::from_fn(move || {
            let index = index_of(link?);
            link = match *self.frames.get(index)? {
                Frame::Free { next, .. } if free => next,
                Frame::Dirty { next, .. } if !free => next,
                _ => None,
            };
            Some(Mfn(self.base.0 + index as u64))
        })
        .take(limit)
    }

    pub(super) fn number(&self, index: usize) -> Mfn {
        Mfn(self.base.0 + index as u64)
    }

    #[inline(always)]
    pub(super) fn index(&self, frame: Mfn) -> Option<usize> {
        let index = frame.0.wrapping_sub(self.base.0);
        if index < self.frames.len() as u64 { Some(index as usize) } else { None }
    }

    /// The state of a frame.
    ///
    /// # Errors
    /// [`Error::BadFrame`]: no memory has that number.
    #[inline(always)]
    pub fn get(&self, frame: Mfn) -> Result<&Frame, Error> {
        match self.index(frame).map(|index| &self.frames[index]) {
            None | Some(Frame::Reserved) => Err(Error::BadFrame),
            Some(state) => Ok(state),
        }
    }

    /// The first frame of some, counted from that of the lowest number, of which something holds.
    pub(crate) fn position(
        &self,
        range: core::ops::Range<usize>,
        holds: impl Fn(&Frame) -> bool,
    ) -> Option<usize> {
        let start = range.start;
        self.frames[range].iter().position(holds).map(|at| start + at)
    }

    /// The state of a frame that some domain owns.
    ///
    /// # Errors
    /// [`Error::BadFrame`] and [`Error::NotOwner`]: nobody's, or the hypervisor's.
    /// [`Error::Moved`]: one that pages share.
    #[inline(always)]
    pub(crate) fn owned(&self, frame: Mfn) -> Result<&Owned, Error> {
        match self.index(frame).map(|index| &self.frames[index]) {
            Some(Frame::Owned(owned)) => Ok(owned),
            other => Err(not_owned(other)),
        }
    }

    /// The state of a frame that some domain owns, to be changed.
    ///
    /// # Errors
    /// As [`owned`](Self::owned).
    #[inline(always)]
    pub(crate) fn owned_mut(&mut self, frame: Mfn) -> Result<&mut Owned, Error> {
        match self.index(frame).map(|index| &mut self.frames[index]) {
            Some(Frame::Owned(owned)) => Ok(owned),
            other => Err(not_owned(other.as_deref())),
        }
    }

    /// The state of a frame that `domain` owns.
    ///
    /// # Errors
    /// [`Error::BadFrame`] and [`Error::NotOwner`].
    #[inline(always)]
    pub(crate) fn owned_by(&self, frame: Mfn, domain: DomainId) -> Result<&Owned, Error> {
        let owned = self.owned(frame)?;
        if owned.owner == domain { Ok(owned) } else { Err(Error::NotOwner) }
    }

    /// The state of a frame that a check has found to be owned.
    #[inline(always)]
    pub(crate) fn held(&mut self, frame: Mfn) -> &mut Owned {
        let index = frame.0.wrapping_sub(self.base.0) as usize;
        match &mut self.frames[index] {
            Frame::Owned(owned) => owned,
            other => not_held(frame, other),
        }
    }

    /// The state of a frame that some domain owns, as a live entry says; `None`: pages share it.
    #[inline(always)]
    pub(crate) fn mapped(&mut self, frame: Mfn) -> Option<&mut Owned> {
        let index = frame.0.wrapping_sub(self.base.0) as usize;
        match &mut self.frames[index] {
            Frame::Owned(owned) => Some(owned),
            _ => None,
        }
    }
}

#[cfg(test)]
impl FrameTable {
    /// The state of any frame, for the tests of the audit to corrupt.
    pub(crate) fn corrupt(&mut self, frame: Mfn) -> &mut Frame {
        &mut self.frames[(frame.0 - self.base.0) as usize]
    }

    /// What the first block counts, and the first of the whole blocks.
    pub(crate) fn corrupt_blocks(&mut self) -> (&mut u16, &mut Link) {
        self.blocks.corrupt()
    }

    /// The length that a list believes it has.
    pub(crate) fn corrupt_length(&mut self, free: bool) -> &mut u32 {
        if free { &mut self.free.length } else { &mut self.dirty.length }
    }
}

/// Links count from one, so that none is zero.
pub(super) fn link(index: usize) -> Link {
    NonZeroU32::new(index as u32 + 1)
}

pub(super) fn index_of(link: NonZeroU32) -> usize {
    link.get() as usize - 1
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Why a frame is not one that some domain owns. Apart, so that a frame that is costs one comparison.
#[cold]
#[inline(never)]
fn not_owned(frame: Option<&Frame>) -> Error {
    match frame {
        None | Some(Frame::Reserved) => Error::BadFrame,
        Some(Frame::Shared(_)) => Error::Moved,
        Some(_) => Error::NotOwner,
    }
}

#[cold]
#[inline(never)]
fn not_held(frame: Mfn, state: &Frame) -> ! {
    unreachable!("{frame:?} was checked to be owned, it is {state:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> [Region; 3] {
        [
            Region { start: Mfn(16), count: 48, kind: RegionKind::Free },
            Region { start: Mfn(20), count: 2, kind: RegionKind::Hypervisor },
            Region { start: Mfn(21), count: 3, kind: RegionKind::Reserved },
        ]
    }

    /// Clauses: FRAME.1
    /// Advisories: XSA-245 XSA-282
    #[test]
    fn regions_are_honoured_and_the_later_kind_wins() {
        let table = FrameTable::new(&regions(), 7).unwrap();
        assert_eq!((table.base(), table.len()), (Mfn(16), 48));
        assert_eq!(table.get(Mfn(15)), Err(Error::BadFrame));
        assert_eq!(table.get(Mfn(64)), Err(Error::BadFrame));
        assert_eq!(table.get(Mfn(u64::MAX)), Err(Error::BadFrame));
        assert_eq!(table.get(Mfn(20)), Ok(&Frame::Hypervisor));
        assert_eq!(table.get(Mfn(21)), Err(Error::BadFrame));
        assert_eq!(table.unowned(), 48 - 4);
        // Whatever the boot loader has left in memory is scrubbed before a domain sees it.
        let is_dirty = |frame| matches!(table.get(Mfn(frame)), Ok(Frame::Dirty { .. }));
        assert!((16..20).chain(24..64).all(is_dirty));
    }

    /// Advisories: XSA-245
    #[test]
    fn the_list_meets_every_frame_once_whatever_the_stride() {
        for stride in [0, 1, 2, 3, 16, 48, 1000] {
            let table = FrameTable::new(&regions(), stride).unwrap();
            let mut met: Vec<u64> = table.walk_list(false).map(|frame| frame.0).collect();
            let order = met.clone();
            met.sort_unstable();
            met.dedup();
            assert_eq!(met.len(), 44, "stride {stride}");
            if stride == 7 {
                assert!(order.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
            }
        }
    }

    #[test]
    fn no_memory_is_no_table() {
        assert!(FrameTable::new(&[], 1).is_none());
        let all = [Region { start: Mfn(0), count: u64::MAX, kind: RegionKind::Free }];
        assert!(FrameTable::new(&all, 1).is_none());
    }
}
