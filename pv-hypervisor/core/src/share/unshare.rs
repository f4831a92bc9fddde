//! A page that shares a frame gets one of its own: because it is written, or because its domain
//! asks.

use super::records::{EntryPlace, Index, MAX_ENTRIES};
use crate::Outcome;
use crate::domain::{MAX_DOMAINS, Slot, Trap};
use crate::format::{Entry, Format};
use crate::frame::Shared;
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::RunState;
use hypercall_abi::addr::Level;
use hypercall_abi::trap::{Cause, FaultAccess};
use hypercall_abi::{Error, Mfn, Pfn, VirtAddr};

/// Words that are copied at a time.
const BLOCK: usize = 64;

/// Records of a table that one step of a domain's end looks at.
const PLACES_A_STEP: usize = 64;

impl<P: Platform> State<P> {
    /// A page fault that is the hypervisor's own: a write through an entry that permits it as soon
    /// as the page has a frame of its own. `None`: it is the guest's.
    #[cold]
    #[inline(never)]
    pub(crate) fn fault_on_shared<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        trap: Trap,
    ) -> Option<Outcome> {
        if trap.cause != Cause::PageFault || trap.code & FaultAccess::WRITE.bits() == 0 {
            return None;
        }
        let root = self.vcpu(slot).root()?;
        let place = self.leaf_place(machine, root, VirtAddr(trap.address)).ok()?;
        let (_, entry) =
            self.sharing.records.find_entry(EntryPlace::new(place.table, place.index))?;
        if !entry.writable {
            return None;
        }
        match self.unshare(machine, entry.page) {
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

    /// Wakes the vCPUs that wait for a frame, if there is one.
    pub(crate) fn wake_for_frames(&mut self) {
        if self.frames.unowned() == 0 {
            return;
        }
        self.sharing.waiting = false;
        for index in 0..MAX_DOMAINS {
            let Some(vcpu) = &mut self.vcpus[index] else { continue };
            if core::mem::take(&mut vcpu.waits_for_frame) {
                self.wake(Slot(index as u16));
            }
        }
    }

    /// Gives a page a frame of its own, if it shares one.
    ///
    /// # Errors
    /// [`Error::NoMemory`], with nothing changed.
    pub(crate) fn unshare_page<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        page: Pfn,
    ) -> Result<(), Error> {
        match self.sharing.records.find_page(slot, page) {
            Some(index) => self.unshare(machine, index).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Gives a page a frame of its own with the same content: the frame that it has, if no other
    /// page is backed by that. Its entries permit again what they did.
    fn unshare<M: Machine>(&mut self, machine: &mut M, index: Index) -> Result<Mfn, Error> {
        let record = *self.sharing.records.page(index);
        let (slot, page) = (record.slot, Pfn(record.page.into()));
        let alone = matches!(self.frames.shared(record.frame), Some(Shared { sharers: 1, .. }));
        let frame = if alone {
            record.frame
        } else {
            let frame = self.take_frame(machine, slot).ok_or(Error::NoMemory)?;
            copy(machine, record.frame, frame);
            frame
        };
        let mut places = heapless::Vec::<(EntryPlace, bool), { MAX_ENTRIES as usize }>::new();
        while let Some(entry) = self.sharing.records.take_entry(index) {
            // As many as a page may have find room.
            let _ = places.push(entry);
        }
        let now = self.tlb.now();
        if let Some(shared) = self.frames.shared_mut(record.frame) {
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
            self.frames.drop_sharer(record.frame);
        }
        for (place, writable) in places {
            let word = usize::from(place.index);
            let value = P::Format::with_frame(machine.read(place.table, word), frame);
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
        self.sharing.counters.broken += 1;
        Ok(frame)
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
        if let Some((index, _)) = self.sharing.records.find_entry(place) {
            self.sharing.records.remove_entry(index);
        }
    }

    /// One bounded step of giving up the pages of a domain that ends, from that record on: the
    /// next, unless all have been looked at. No entry maps them any more.
    pub(crate) fn end_shares(&mut self, slot: Slot, cursor: usize) -> Option<usize> {
        let end = self.sharing.records.page_places();
        let stop = (cursor + PLACES_A_STEP).min(end);
        for place in cursor..stop {
            let Some((index, page)) = self.sharing.records.nth_page(place) else { continue };
            if page.slot == slot {
                let frame = page.frame;
                self.sharing.records.remove_page(index);
                self.frames.drop_sharer(frame);
                self.domain_mut(slot).movable.shared_pages -= 1;
            }
        }
        (stop < end).then_some(stop)
    }

    /// The entry that an update which names a page leaves in that place, when the page shares a
    /// frame: for reading, and recorded.
    pub(crate) fn map_shared<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        place: EntryPlace,
        index: Index,
        value: u64,
    ) -> Result<(), Error> {
        let page = *self.sharing.records.page(index);
        let shared = self.frames.shared(page.frame).ok_or(Error::NotOwner)?;
        if page.entries >= MAX_ENTRIES
            || shared.entries >= crate::frame::COUNT_MAX
            || !self.sharing.records.make_room(0, 1)
        {
            return Err(Error::QuotaExceeded);
        }
        let new = P::Format::with_frame(value, page.frame) & !P::Format::WRITE;
        let old = machine.exchange(place.table, usize::from(place.index), new);
        let domain = self.domain(slot).id;
        if let Ok(Entry::Leaf(leaf)) = P::Format::decode(old, Level::L1)
            && !self.release_leaf(slot, domain, leaf)
        {
            self.release_shared(place, leaf.frame);
        }
        self.sharing.records.add_entry(index, place, value & P::Format::WRITE != 0);
        if let Some(shared) = self.frames.shared_mut(page.frame) {
            shared.entries += 1;
        }
        Ok(())
    }
}

fn copy<M: Machine>(machine: &mut M, from: Mfn, to: Mfn) {
    let mut words = [0; BLOCK];
    for start in (0..FRAME_WORDS).step_by(BLOCK) {
        machine.read_block(from, start, &mut words);
        machine.write_block(to, start, &words);
    }
}
