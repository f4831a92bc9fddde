//! Two pages become one: what is checked, and the order of what is done.
//!
//! Nothing that was found out before is believed. The entries of both frames are made read-only,
//! processors forget what they have cached, and only then are the frames compared, word by word:
//! nobody can write between the comparison and the merge. If they differ everything is put back.
//! The frame that goes is written by nobody from the flush on; it is scrubbed like any other.

use super::candidates::{Candidate, Candidates, Pair, Side};
use super::records::{Backing, EntryPlace, MAX_ENTRIES};
use crate::call::Work;
use crate::domain::Slot;
use crate::format::{Entry, Format};
use crate::frame::{GroupKey, Owned, Type};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::{Mfn, Pfn};

/// Words that are compared at a time.
const BLOCK: usize = 64;

/// Why a pair was not merged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unmerged {
    /// A page has another frame by now, is not to be shared, or shares one already; or its domain
    /// is gone.
    Stale,
    /// Something beyond the entries that were found names a frame: a grant, a registration, a
    /// table that is being validated.
    Unmovable,
    /// The domains are not of one group.
    OtherGroup,
    /// The contents differ.
    Differs,
    /// The tables of what is shared are full.
    NoRoom,
    /// The reserve is short: nothing more is merged.
    NoReserve,
}

/// A page with a frame of its own that can be moved, as has just been checked.
pub(crate) struct Own<'a> {
    pub(crate) slot: Slot,
    pub(crate) page: Pfn,
    pub(crate) frame: Mfn,
    pub(crate) places: &'a [EntryPlace],
}

impl<P: Platform> State<P> {
    pub(super) fn count_merge(&mut self, result: Result<(), Unmerged>) {
        let totals = self.sharing_totals();
        if totals.saved() > self.sharing.peak.saved() {
            self.sharing.peak = totals;
        }
        let counters = &mut self.sharing.counters;
        match result {
            Ok(()) => counters.merged += 1,
            Err(Unmerged::Differs) => counters.differed += 1,
            Err(Unmerged::Stale | Unmerged::Unmovable | Unmerged::OtherGroup) => {
                counters.unmovable += 1;
            }
            Err(Unmerged::NoRoom | Unmerged::NoReserve) => counters.no_room += 1,
        }
    }

    /// Merges a pair, or says why not; then nothing has changed.
    pub(super) fn merge_pair<M: Machine>(
        &mut self,
        machine: &mut M,
        candidates: &Candidates,
        pair: Pair,
    ) -> Result<(), Unmerged> {
        if !self.has_spare_frames(1) {
            return Err(Unmerged::NoReserve);
        }
        let second = candidates.find(pair.second).ok_or(Unmerged::Stale)?;
        let second = self.own(machine, second)?;
        let group = self.group_of(second.slot);
        match pair.first {
            Side::Frame(frame) => self.merge_with_frame(machine, group, frame, &second),
            Side::Page(name) => {
                let slot = Slot::of(name.domain).ok_or(Unmerged::Stale)?;
                if let Some(index) = self.sharing.records.find_page(slot, name.page) {
                    // One that is away is nobody's to be like.
                    let page = self.sharing.records.page(index);
                    let frame = page.shared_frame().ok_or(Unmerged::Stale)?;
                    return self.merge_with_frame(machine, group, frame, &second);
                }
                let first = candidates.find(name).ok_or(Unmerged::Stale)?;
                let first = self.own(machine, first)?;
                if self.group_of(first.slot) != group {
                    return Err(Unmerged::OtherGroup);
                }
                self.merge_own(machine, group, &first, &second)
            }
        }
    }

    /// Checks that a page has the frame that it had, and that the entries which were found are
    /// all that names it.
    pub(crate) fn own<'a, M: Machine>(
        &self,
        machine: &M,
        candidate: &'a Candidate,
    ) -> Result<Own<'a>, Unmerged> {
        let Candidate { name, frame, places, overflow } = candidate;
        if self.own_frame_of(machine, *name) != Some(*frame) {
            return Err(Unmerged::Stale);
        }
        let slot = Slot::of(name.domain).ok_or(Unmerged::Stale)?;
        // A call that gives an extent has checked frames that it has not released yet, and one that
        // takes an extent has frames that the guest does not know of: neither may move.
        if matches!(self.vcpu(slot).work, Some(Work::Give(_) | Work::Take(_))) {
            return Err(Unmerged::Stale);
        }
        let owned = self.frames.owned_by(*frame, name.domain).map_err(|_| Unmerged::Stale)?;
        let movable = matches!(owned.kind, Type::None | Type::Writable)
            && !*overflow
            && owned.references as usize == 1 + places.len();
        if !movable {
            return Err(Unmerged::Unmovable);
        }
        for place in places {
            let table = self.frames.owned_by(place.table, name.domain);
            let value = machine.read(place.table, usize::from(place.index));
            let maps = table.is_ok_and(Owned::is_leaf_table)
                && matches!(
                    P::Format::decode(value, Level::L1),
                    Ok(Entry::Leaf(leaf)) if leaf.frame == *frame
                );
            if !maps {
                return Err(Unmerged::Stale);
            }
        }
        Ok(Own { slot, page: name.page, frame: *frame, places })
    }

    /// Two pages with frames of their own: that of the first becomes the shared one.
    fn merge_own<M: Machine>(
        &mut self,
        machine: &mut M,
        group: GroupKey,
        first: &Own<'_>,
        second: &Own<'_>,
    ) -> Result<(), Unmerged> {
        if first.frame == second.frame {
            return Err(Unmerged::Stale);
        }
        if !self.sharing.records.make_room(2, first.places.len() + second.places.len()) {
            return Err(Unmerged::NoRoom);
        }
        let writable = [self.protect(machine, first), self.protect(machine, second)];
        self.flush_protected(machine, writable[0] | writable[1], &[first.frame, second.frame]);
        let Some(zero) = self.compare(machine, first.frame, second.frame) else {
            unprotect::<P::Format, M>(machine, first, writable[0]);
            unprotect::<P::Format, M>(machine, second, writable[1]);
            return Err(Unmerged::Differs);
        };
        self.give_up_writing(first.frame);
        self.frames.begin_sharing(first.frame, group, zero);
        let index =
            self.sharing.records.add_page(first.slot, first.page, Backing::Shared(first.frame));
        for (at, place) in first.places.iter().enumerate() {
            self.sharing.records.add_entry(index, *place, writable[0] >> at & 1 != 0);
        }
        self.now_shares(first.slot);
        self.move_page(machine, second, writable[1], first.frame);
        Ok(())
    }

    /// A page with a frame of its own and one that is shared already.
    fn merge_with_frame<M: Machine>(
        &mut self,
        machine: &mut M,
        group: GroupKey,
        frame: Mfn,
        page: &Own<'_>,
    ) -> Result<(), Unmerged> {
        let shared = self.frames.shared(frame).ok_or(Unmerged::Stale)?;
        if shared.group != group {
            return Err(Unmerged::OtherGroup);
        }
        let most = crate::frame::COUNT_MAX - u32::from(MAX_ENTRIES);
        if shared.sharers >= most || shared.entries >= most {
            return Err(Unmerged::NoRoom);
        }
        if !self.sharing.records.make_room(1, page.places.len()) {
            return Err(Unmerged::NoRoom);
        }
        let writable = self.protect(machine, page);
        self.flush_protected(machine, writable, &[page.frame]);
        if self.compare(machine, frame, page.frame).is_none() {
            unprotect::<P::Format, M>(machine, page, writable);
            return Err(Unmerged::Differs);
        }
        self.move_page(machine, page, writable, frame);
        Ok(())
    }

    /// Makes a page's entries read-only: a bit for each that was not.
    fn protect<M: Machine>(&self, machine: &mut M, own: &Own<'_>) -> u32 {
        let mut writable = 0;
        for (at, place) in own.places.iter().enumerate() {
            let index = usize::from(place.index);
            let old = machine.fetch_and(place.table, index, !P::Format::WRITE);
            writable |= u32::from(old & P::Format::WRITE != 0) << at;
        }
        writable
    }

    /// Makes processors forget what they may write of the frames, be it through an entry that was
    /// writable until now or through one that went before.
    fn flush_protected<M: Machine>(&mut self, machine: &mut M, writable: u32, frames: &[Mfn]) {
        if writable != 0 {
            self.tlb.flush(machine);
        }
        for frame in frames {
            let epoch = self.frames.held(*frame).epoch;
            self.tlb.flush_since(machine, epoch);
        }
    }

    /// Compares two frames in full: `None` when they differ, else whether they are zeros.
    fn compare<M: Machine>(&self, machine: &M, first: Mfn, second: Mfn) -> Option<bool> {
        let mut any = 0;
        for start in (0..FRAME_WORDS).step_by(BLOCK) {
            let mut differ = 0;
            for word in start..start + BLOCK {
                let (one, other) = (machine.read(first, word), machine.read(second, word));
                differ |= one ^ other;
                any |= one;
            }
            if differ != 0 {
                return None;
            }
        }
        Some(any == 0)
    }

    /// The frame's entries are all for reading now.
    fn give_up_writing(&mut self, frame: Mfn) {
        let owned = self.frames.held(frame);
        owned.type_count = 0;
        owned.kind = Type::None;
    }

    /// No entry names the frame any more, since now.
    pub(crate) fn give_up_entries(&mut self, frame: Mfn) {
        self.give_up_writing(frame);
        let now = self.tlb.now();
        let owned = self.frames.held(frame);
        owned.references = 1;
        owned.epoch = now;
    }

    /// Counts a page as one without a frame of its own instead of a frame as owned.
    pub(crate) fn now_shares(&mut self, slot: Slot) {
        let domain = self.domain_mut(slot);
        domain.frames -= 1;
        domain.movable.shared_pages += 1;
    }

    /// Backs a page by a shared frame: its entries first, then its P2M slot,
    /// then its frame goes.
    fn move_page<M: Machine>(&mut self, machine: &mut M, own: &Own<'_>, writable: u32, frame: Mfn) {
        let index = self.sharing.records.add_page(own.slot, own.page, Backing::Shared(frame));
        for (at, place) in own.places.iter().enumerate() {
            let word = usize::from(place.index);
            let value = P::Format::with_frame(machine.read(place.table, word), frame);
            machine.exchange(place.table, word, value);
            self.sharing.records.add_entry(index, *place, writable >> at & 1 != 0);
        }
        self.frames.add_sharer(frame, own.places.len() as u32);
        self.domain(own.slot).movable.write_slot(machine, own.page, frame);
        self.give_up_entries(own.frame);
        self.frames.release(own.frame);
        self.now_shares(own.slot);
    }
}

fn unprotect<F: Format, M: Machine>(machine: &mut M, own: &Own<'_>, writable: u32) {
    for (at, place) in own.places.iter().enumerate() {
        if writable >> at & 1 != 0 {
            machine.fetch_or(place.table, usize::from(place.index), F::WRITE);
        }
    }
}
