//! Pages on their way to the swap device and back. The device works by itself: a transfer begins, and
//! some steps later it has ended.
//!
//! A page that is being written is in its frame still, and may be used: then what was written is of no
//! use, and its place is free when the transfer has ended, not before. A page that is being read has its
//! frame already, which is nobody else's as long as the device writes it: a domain that ends meanwhile
//! waits for that.

use super::Reclaim;
use super::swap::SwapPlace;
use crate::domain::EndReason;
use crate::machine::{Direction, Machine, Transfer};
use crate::platform::Platform;
use crate::share::{Away, Backing, Page, PageIndex, PageName};
use crate::state::State;
use hypercall_abi::{Error, Mfn, Pfn};

/// Pages that are being written at most, and pages that are being read.
pub(super) const MAX_WRITING: usize = 8;
pub(super) const MAX_READING: usize = 8;

/// Transfers that one step looks at, of those that have ended.
const ENDED_A_STEP: usize = 4;

/// A page that is being written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Writing {
    pub(super) name: PageName,
    pub(super) frame: Mfn,
    pub(super) place: SwapPlace,
    /// It has been used since: what is written is not what is in it.
    pub(super) used: bool,
}

/// A page that is being read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Reading {
    index: PageIndex,
    place: SwapPlace,
}

impl Reclaim {
    /// Whether the swap device is at work.
    pub(crate) fn has_transfers(&self) -> bool {
        !self.writing.is_empty() || !self.reading.is_empty()
    }

    /// The places that pages are being written to.
    pub(crate) fn written_places(&self) -> impl Iterator<Item = SwapPlace> {
        self.writing.iter().map(|writing| writing.place)
    }

    /// The pages that are being read, and from where.
    pub(crate) fn read_pages(&self) -> impl Iterator<Item = (PageIndex, SwapPlace)> {
        self.reading.iter().map(|reading| (reading.index, reading.place))
    }
}

#[cfg(test)]
impl Reclaim {
    pub(crate) fn corrupt_writing(&mut self, name: PageName, frame: Mfn, place: SwapPlace) {
        self.writing.push(Writing { name, frame, place, used: false });
    }

    pub(crate) fn corrupt_reading(&mut self, index: PageIndex, place: SwapPlace) {
        self.reading.push(Reading { index, place });
    }
}

impl<P: Platform> State<P> {
    /// Begins to write a page that is away and in that frame. False: no transfer can begin now.
    pub(super) fn begin_writing<M: Machine>(
        &mut self,
        machine: &mut M,
        name: PageName,
        frame: Mfn,
        place: SwapPlace,
    ) -> bool {
        let transfer = Transfer { place: place.number(), frame, direction: Direction::Out };
        let begun = self.reclaim.writing.len() < MAX_WRITING && machine.swap_begin(transfer);
        if begun {
            self.reclaim.writing.push(Writing { name, frame, place, used: false });
            self.sharing.waiting = true;
        }
        begun
    }

    /// Begins to read a page that lies in that place into a frame, if a transfer can begin now.
    ///
    /// # Errors
    /// [`Error::NoMemory`], with nothing changed.
    pub(super) fn begin_reading<M: Machine>(
        &mut self,
        machine: &mut M,
        index: PageIndex,
        place: SwapPlace,
    ) -> Result<Away, Error> {
        if self.reclaim.reading.len() >= MAX_READING {
            return Ok(Away::Swapped(place));
        }
        let slot = self.sharing.records.page(index).slot;
        let frame = self.frame_for_fetch(machine, slot)?;
        let transfer = Transfer { place: place.number(), frame, direction: Direction::In };
        if machine.swap_begin(transfer) {
            self.reclaim.reading.push(Reading { index, place });
            self.sharing.waiting = true;
            return Ok(Away::Reading { place, frame });
        }
        self.frames.drop_sharer(frame);
        Ok(Away::Swapped(place))
    }

    /// Looks which transfers have ended; whether any had. Only between calls and faults of guests: a
    /// domain ends whose page cannot be read.
    pub(crate) fn end_transfers<M: Machine>(&mut self, machine: &mut M) -> bool {
        let mut any = false;
        for _ in 0..ENDED_A_STEP {
            let Some((transfer, well)) = machine.swap_ended() else { break };
            any = true;
            match transfer.direction {
                Direction::Out => self.end_writing(machine, transfer, well),
                Direction::In => self.end_reading(machine, transfer, well),
            }
        }
        any
    }

    fn end_writing<M: Machine>(&mut self, machine: &mut M, transfer: Transfer, well: bool) {
        let is_it = |writing: &Writing| writing.place.number() == transfer.place;
        let Some(at) = self.reclaim.writing.iter().position(is_it) else { return };
        let Writing { name, frame, place, used } = self.reclaim.writing.swap_remove(at);
        match self.still_in(name, frame).filter(|_| !used) {
            Some(index) if well => {
                self.reclaim.counters.swapped += 1;
                self.leave_frame(index, frame, Away::Swapped(place));
            }
            Some(index) => {
                self.reclaim.counters.failed += 1;
                self.reclaim.swap.give_back(place);
                self.stays(machine, index);
            }
            None => self.reclaim.swap.give_back(place),
        }
    }

    fn end_reading<M: Machine>(&mut self, machine: &mut M, transfer: Transfer, well: bool) {
        let is_it = |reading: &Reading| reading.place.number() == transfer.place;
        let Some(at) = self.reclaim.reading.iter().position(is_it) else { return };
        let Reading { index, place } = self.reclaim.reading.swap_remove(at);
        self.reclaim.swap.give_back(place);
        let Page { slot, page, .. } = *self.sharing.records.page(index);
        let away = Away::Frame(transfer.frame);
        self.sharing.records.set_backing(index, Backing::Away(away));
        if !well {
            self.reclaim.counters.failed += 1;
            self.end(machine, slot, EndReason::LostPage(Pfn(page.into())));
        }
    }
}
