//! A page that shares a frame, or was put away, gets a frame of its own: because it is used, or
//! because its domain asks.

use super::PageName;
use super::records::{Away, Backing, EntryPlace, Index, MAX_ENTRIES};
use crate::Outcome;
use crate::domain::{Slot, Trap};
use crate::format::Format;
use crate::frame::Shared;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::Place;
use crate::state::State;
use crate::vcpu::RunState;
use hypercall_abi::addr::Level;
use hypercall_abi::trap::{Cause, FaultAccess};
use hypercall_abi::{Error, Mfn, Pfn, VirtAddr};

/// Records of a table that one step of a domain's end looks at.
const PLACES_A_STEP: usize = 32;

impl<P: Platform> State<P> {
    /// A page fault that is the hypervisor's own: an access to a page that is away, or a write
    /// through an entry that permits it as soon as the page has a frame of its own. `None`: it is
    /// the guest's.
    #[cold]
    #[inline(never)]
    pub(crate) fn fault_on_shared<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        trap: Trap,
    ) -> Option<Outcome> {
        if trap.cause != Cause::PageFault {
            return None;
        }
        let root = self.vcpu(slot).root()?;
        let place = self.leaf_place(machine, root, VirtAddr(trap.address)).ok()?;
        let (_, entry) =
            self.sharing.records.find_entry(EntryPlace::new(place.table, place.index))?;
        let page = entry.page;
        let backing = self.sharing.records.page(page).backing;
        if let Backing::Away(away) = backing {
            // One that waits for the device tries again and again.
            self.reclaim.counters.faults += u64::from(!matches!(away, Away::Reading { .. }));
        } else if !entry.writable || trap.code & FaultAccess::WRITE.bits() == 0 {
            return None;
        }
        match self.unshare(machine, page) {
            // While the device brings it the others have their turn. It does so soon: nobody is woken
            // for it.
            Ok(false) if self.is_being_read(page) => {
                self.scheduler.end_slice();
                Some(Outcome::Reschedule)
            }
            // A page that has come back in part faults again, and goes on: others have their turn
            // meanwhile, and nothing is to be remembered for this one.
            Ok(_) => Some(Outcome::Return),
            Err(_) => {
                // The write is made again when there is a frame for it.
                self.sharing.waiting = true;
                self.sharing.counters.waits += 1;
                let vcpu = self.vcpu_mut(slot);
                vcpu.waits_for_frame = true;
                vcpu.state = RunState::Blocked;
                Some(Outcome::Reschedule)
            }
        }
    }

    /// Whether nothing can be done for a page until the swap device has done its part.
    fn is_being_read(&self, page: Index) -> bool {
        let backing = self.sharing.records.page(page).backing;
        matches!(backing, Backing::Away(Away::Reading { .. } | Away::Swapped(_)))
    }

    /// Wakes the vCPUs that wait for a frame, if there is one.
    pub(crate) fn wake_for_frames(&mut self) {
        if self.frames.unowned() == 0 {
            return;
        }
        self.sharing.waiting = self.reclaim.has_transfers();
        for index in 0..self.used_slots {
            let Some(vcpu) = &mut self.vcpus[index] else { continue };
            if core::mem::take(&mut vcpu.waits_for_frame) {
                self.wake(Slot(index as u16));
            }
        }
    }

    /// Does a bounded piece of giving a page a frame of its own, if it has none. False: there is
    /// more to do.
    ///
    /// # Errors
    /// [`Error::NoMemory`], with nothing changed.
    pub(crate) fn unshare_page<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        page: Pfn,
    ) -> Result<bool, Error> {
        match self.sharing.records.find_page(slot, page) {
            Some(index) => self.unshare(machine, index),
            None => Ok(true),
        }
    }

    /// Does a bounded piece of giving a page a frame of its own with the same content; false:
    /// there is more to do. It is the frame that the page has, if no other page is backed by that.
    /// Its entries permit again what they did.
    pub(crate) fn unshare<M: Machine>(
        &mut self,
        machine: &mut M,
        index: Index,
    ) -> Result<bool, Error> {
        let record = *self.sharing.records.page(index);
        let (slot, page) = (record.slot, Pfn(record.page.into()));
        let (Backing::Shared(backing) | Backing::Away(Away::Frame(backing))) = record.backing
        else {
            return self.fetch_piece(machine, index).map(|()| false);
        };
        let away = record.is_away();
        let alone = matches!(self.frames.shared(backing), Some(Shared { sharers: 1, .. }));
        let frame = if alone {
            backing
        } else {
            let frame = self.take_frame(machine, slot).ok_or(Error::NoMemory)?;
            machine.copy_frame(backing, frame);
            frame
        };
        let mut places = heapless::Vec::<(EntryPlace, bool), { MAX_ENTRIES as usize }>::new();
        while let Some(entry) = self.sharing.records.take_entry(index) {
            // As many as a page may have find room.
            let _ = places.push(entry);
        }
        let now = self.tlb.now();
        // The entries of a page that is away name no frame.
        if !away && let Some(shared) = self.frames.shared_mut(backing) {
            shared.entries -= places.len() as u32;
            shared.epoch = now;
        }
        self.sharing.records.remove_page(index);
        let domain = self.domain_mut(slot);
        domain.movable.shared_pages -= 1;
        if alone {
            domain.gained_frame();
            let id = domain.id;
            self.frames.end_sharing(frame, id);
            // Others may have it cached that are backed by it no more.
            self.tlb.flush(machine);
        } else {
            self.frames.drop_sharer(backing);
        }
        for (place, writable) in places {
            let word = usize::from(place.index);
            let value = P::Format::back(machine.read(place.table, word), frame);
            let owned = self.frames.held(frame);
            if writable {
                owned.add_writable();
                machine.exchange(place.table, word, value | P::Format::WRITE);
            } else {
                owned.add_reference();
                machine.exchange(place.table, word, value);
            }
        }
        self.domain(slot).movable.write_slot(machine, page, frame);
        // Whoever has the page mapped must see what is written from now on.
        self.tlb.flush(machine);
        if away {
            let domain = self.domain(slot).id;
            self.reclaim.came_back(PageName { domain, page });
        } else {
            self.sharing.counters.broken += 1;
        }
        Ok(true)
    }

    /// An entry that names a shared frame goes.
    #[cold]
    #[inline(never)]
    pub(crate) fn release_shared(&mut self, place: EntryPlace, frame: Mfn) {
        let now = self.tlb.now();
        if let Some(shared) = self.frames.shared_mut(frame) {
            shared.entries -= 1;
            shared.epoch = now;
        }
        self.release_away(place);
    }

    /// An entry of a page that is away goes: it names no frame.
    #[cold]
    #[inline(never)]
    pub(crate) fn release_away(&mut self, place: EntryPlace) {
        if let Some((index, _)) = self.sharing.records.find_entry(place) {
            self.sharing.records.remove_entry(index);
        }
    }

    /// One bounded step of giving up the pages of a domain that ends, from that record on: the
    /// next, unless all have been looked at. No entry maps them any more.
    pub(crate) fn end_shares<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        cursor: usize,
    ) -> Option<usize> {
        let end = self.sharing.records.page_places();
        let stop = (cursor + PLACES_A_STEP).min(end);
        for place in cursor..stop {
            let Some((index, page)) = self.sharing.records.nth_page(place) else { continue };
            if page.slot == slot {
                let page = *page;
                if matches!(page.backing, Backing::Away(Away::Reading { .. })) {
                    // The device writes its frame.
                    let _ = self.end_transfers(machine);
                    return Some(place);
                }
                self.sharing.records.remove_page(index);
                self.forget_content(&page);
                self.domain_mut(slot).movable.shared_pages -= 1;
            }
        }
        (stop < end).then_some(stop)
    }

    /// The entry that an update which names a page leaves in that place, when the page has no frame
    /// of its own: for reading, or marked as that of a page that is away; and recorded.
    pub(crate) fn map_shared<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        place: EntryPlace,
        index: Index,
        value: u64,
    ) -> Result<(), Error> {
        let page = *self.sharing.records.page(index);
        let shared = page.shared_frame().and_then(|frame| self.frames.shared(frame));
        if page.entries >= MAX_ENTRIES
            || shared.is_some_and(|shared| shared.entries >= crate::frame::COUNT_MAX)
            || !self.sharing.records.make_room(0, 1)
        {
            return Err(Error::QuotaExceeded);
        }
        let new = match page.shared_frame() {
            Some(frame) => P::Format::with_frame(value, frame) & !P::Format::WRITE,
            None => P::Format::away(value),
        };
        let old = machine.exchange(place.table, usize::from(place.index), new);
        let domain = self.domain(slot).id;
        let EntryPlace { table, index: word } = place;
        let at = Place { table, index: usize::from(word), level: Level::L1 };
        // An entry of level 1 names no table that would have to be taken apart.
        let _ = self.release_entry(slot, domain, at, old);
        self.sharing.records.add_entry(index, place, value & P::Format::WRITE != 0);
        if let Some(shared) = page.shared_frame().and_then(|frame| self.frames.shared_mut(frame)) {
            shared.entries += 1;
        }
        Ok(())
    }
}
