//! The frame table: one [`Frame`] for each frame of memory, and the lists of those that
//! nobody owns. The lists are linked both ways, so that a frame leaves one wherever it is.

use super::extent::Blocks;
use super::{Frame, GroupKey, Link, Owned, Shared};
use crate::machine::Machine;
use crate::planted::{Bug, Planted};
use crate::share::SharingTotals;
use crate::tlb::{Epoch, Tlb};
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

/// Every frame from `base` on, and two lists.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FrameTable {
    base: Mfn,
    pub(super) frames: Vec<Frame>,
    free: List,
    dirty: List,
    pub(super) blocks: Blocks,
    /// What is shared.
    pub(crate) sharing: SharingTotals,
    planted: Planted,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct List {
    head: Link,
    length: u32,
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

    /// Frames that nobody owns, scrubbed or not.
    pub fn unowned(&self) -> u64 {
        u64::from(self.free.length) + u64::from(self.dirty.length)
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

    #[inline(always)]
    fn index(&self, frame: Mfn) -> Option<usize> {
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

    /// The state of a frame that pages share.
    pub(crate) fn shared(&self, frame: Mfn) -> Option<&Shared> {
        match self.get(frame) {
            Ok(Frame::Shared(shared)) => Some(shared),
            _ => None,
        }
    }

    /// The state of a frame that pages share, to be changed.
    pub(crate) fn shared_mut(&mut self, frame: Mfn) -> Option<&mut Shared> {
        match self.index(frame).map(|index| &mut self.frames[index]) {
            Some(Frame::Shared(shared)) => Some(shared),
            _ => None,
        }
    }

    /// Makes an owned frame one that pages share. The one page that it backs so far has all
    /// the references but the owner's, all for reading.
    pub(crate) fn begin_sharing(&mut self, frame: Mfn, group: GroupKey, zero: bool) {
        let owned = *self.held(frame);
        debug_assert!(owned.type_count == 0 && owned.kind == super::Type::None);
        let (entries, epoch) = (owned.references - 1, owned.epoch);
        let index = (frame.0 - self.base.0) as usize;
        self.frames[index] = Frame::Shared(Shared { sharers: 1, entries, epoch, group, zero });
        self.sharing.frames += 1;
        self.count_sharer(zero, true);
    }

    fn count_sharer(&mut self, zero: bool, more: bool) {
        let SharingTotals { pages, zero_pages, .. } = &mut self.sharing;
        for count in [Some(pages), zero.then_some(zero_pages)].into_iter().flatten() {
            *count = if more { *count + 1 } else { *count - 1 };
        }
    }

    /// Adds a page to a shared frame, with so many entries.
    pub(crate) fn add_sharer(&mut self, frame: Mfn, entries: u32) {
        let Some(shared) = self.shared_mut(frame) else { return };
        shared.sharers += 1;
        shared.entries += entries;
        let zero = shared.zero;
        self.count_sharer(zero, true);
    }

    /// Makes a frame that a single page is backed by the frame of that page's domain again,
    /// named by nothing.
    pub(crate) fn end_sharing(&mut self, frame: Mfn, owner: DomainId) {
        if let Some(Shared { sharers: 1, entries: 0, epoch, zero, .. }) =
            self.shared(frame).copied()
        {
            self.sharing.frames -= 1;
            self.count_sharer(zero, false);
            let index = (frame.0 - self.base.0) as usize;
            self.frames[index] = Frame::Owned(Owned { epoch, ..Owned::new(owner) });
        }
    }

    /// Takes one page away from a shared frame, which goes with the last.
    pub(crate) fn drop_sharer(&mut self, frame: Mfn) {
        let Some(shared) = self.shared_mut(frame) else { return };
        debug_assert!(shared.sharers > 0, "a sharer that it has not");
        shared.sharers -= 1;
        let Shared { sharers, entries, epoch, zero, .. } = *shared;
        self.count_sharer(zero, false);
        if sharers == 0 {
            self.sharing.frames -= 1;
            debug_assert!(entries == 0, "an entry without a sharer");
            self.push_dirty((frame.0 - self.base.0) as usize, epoch);
        }
    }

    /// Takes a frame for `domain`: scrubbed, referenced by nothing else.
    pub(crate) fn take<M: Machine>(
        &mut self,
        machine: &mut M,
        tlb: &mut Tlb,
        domain: DomainId,
    ) -> Option<Mfn> {
        if self.free.head.is_none() {
            self.scrub_one(machine, tlb);
        }
        let index = index_of(self.free.head?);
        self.unlink_free(index);
        self.frames[index] = Frame::Owned(Owned::new(domain));
        let frame = Mfn(self.base.0 + index as u64);
        self.blocks.lost(frame, 1);
        Some(frame)
    }

    /// Gives a frame back that nothing refers to any more; it is dirty until scrubbed.
    pub(crate) fn release(&mut self, frame: Mfn) {
        let owned = *self.held(frame);
        debug_assert!(owned.is_unreferenced() && owned.type_count == 0);
        let index = (frame.0 - self.base.0) as usize;
        self.push_dirty(index, owned.epoch);
    }

    /// Puts a frame that is on no list before the dirty ones.
    fn push_dirty(&mut self, index: usize, epoch: Epoch) {
        self.frames[index] = Frame::Dirty { next: self.dirty.head, previous: None, epoch };
        self.joined_dirty(index, index);
        self.blocks.gained(Mfn(self.base.0 + index as u64), 1);
    }

    /// The first of the dirty list.
    pub(super) fn dirty_head(&self) -> Link {
        self.dirty.head
    }

    /// A chain of dirty frames, one after another in the table, was put before the list.
    pub(super) fn joined_dirty(&mut self, last: usize, first: usize) {
        if let Some(head) = self.dirty.head {
            self.set_previous(index_of(head), link(last));
        }
        let count = (last - first) as u32 + 1;
        self.dirty = List { head: link(first), length: self.dirty.length + count };
    }

    fn set_previous(&mut self, index: usize, link: Link) {
        if let Frame::Free { previous, .. } | Frame::Dirty { previous, .. } =
            &mut self.frames[index]
        {
            *previous = link;
        }
    }

    fn set_next(&mut self, index: usize, link: Link) {
        if let Frame::Free { next, .. } | Frame::Dirty { next, .. } = &mut self.frames[index] {
            *next = link;
        }
    }

    /// Takes a free frame off its list, wherever it is; its state is the caller's to change.
    pub(super) fn unlink_free(&mut self, index: usize) {
        let Frame::Free { next, previous } = self.frames[index] else {
            unreachable!("the free list holds free frames")
        };
        match previous {
            Some(previous) => self.set_next(index_of(previous), next),
            None => self.free.head = next,
        }
        if let Some(next) = next {
            self.set_previous(index_of(next), previous);
        }
        self.free.length -= 1;
    }

    /// Flushes (if need be) and scrubs one dirty frame, in this order: a processor with a
    /// writable translation could write after the scrub (XSA-511). False when none is dirty.
    pub(crate) fn scrub_one<M: Machine>(&mut self, machine: &mut M, tlb: &mut Tlb) -> bool {
        let Some(head) = self.dirty.head else { return false };
        self.scrub(machine, tlb, Mfn(self.base.0 + index_of(head) as u64))
    }

    /// The same of one frame, wherever it is on the list. False when it is not dirty.
    pub(crate) fn scrub<M: Machine>(&mut self, machine: &mut M, tlb: &mut Tlb, frame: Mfn) -> bool {
        let Some(index) = self.index(frame) else { return false };
        let Frame::Dirty { next, previous, epoch } = self.frames[index] else { return false };
        if !self.planted.has(Bug::ScrubWithoutFlush) {
            tlb.flush_since(machine, epoch);
        }
        if !self.planted.has(Bug::ScrubForgotten) {
            machine.zero(frame);
        }
        match previous {
            Some(previous) => self.set_next(index_of(previous), next),
            None => self.dirty.head = next,
        }
        if let Some(next) = next {
            self.set_previous(index_of(next), previous);
        }
        self.dirty.length -= 1;
        self.frames[index] = Frame::Free { next: self.free.head, previous: None };
        if let Some(head) = self.free.head {
            self.set_previous(index_of(head), link(index));
        }
        self.free = List { head: link(index), length: self.free.length + 1 };
        true
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
fn link(index: usize) -> Link {
    NonZeroU32::new(index as u32 + 1)
}

fn index_of(link: NonZeroU32) -> usize {
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
