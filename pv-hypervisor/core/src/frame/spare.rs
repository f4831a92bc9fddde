//! Frames that nobody owns and that keep a page of a guest's: they stand in a queue of their own, in
//! which the page that was not used for longest goes first, and only when no other frame is left.
//!
//! Such a frame has been flushed since a guest had it: nobody but the hypervisor writes to it, and what it
//! keeps is scrubbed as the content of any other before a domain has the frame.

use super::table::{index_of, link};
use super::{Frame, FrameTable, Link};
use crate::machine::Machine;
use crate::spare::{Place, RecordIndex};
use crate::tlb::{Epoch, Tlb};
use hypercall_abi::calls::spare_put::SpareName;
use hypercall_abi::{DomainId, Mfn};

/// The queue through the frames themselves: the next of a frame was used after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Queue {
    oldest: Link,
    youngest: Link,
    length: u32,
}

impl Queue {
    pub(super) const EMPTY: Queue = Queue { oldest: None, youngest: None, length: 0 };
}

impl FrameTable {
    /// Frames that keep pages.
    pub(crate) fn spare_length(&self) -> u32 {
        self.queue.length
    }

    /// The frames of the queue from the oldest on, at most as many as the table has and one.
    pub(crate) fn walk_spare(&self) -> impl Iterator<Item = Mfn> {
        let mut link = self.queue.oldest;
        core::iter::from_fn(move || {
            let index = index_of(link?);
            link = match *self.frames.get(index)? {
                Frame::Spare { next, .. } => next,
                _ => None,
            };
            Some(self.number(index))
        })
        .take(self.frames.len() + 1)
    }

    /// Keeps a copy of a frame as a domain's page of that name, in place of what was kept so. Whether it
    /// is kept; if not, nothing is.
    pub(crate) fn spare_put<M: Machine>(
        &mut self,
        machine: &mut M,
        tlb: &mut Tlb,
        domain: DomainId,
        name: SpareName,
        from: Mfn,
    ) -> bool {
        self.kept.counters.put += 1;
        let Some((record, index)) = self.place_for(machine, tlb, domain, name) else {
            return false;
        };
        machine.copy_frame(from, self.number(index));
        self.join_queue(index, record);
        self.kept.counters.kept += 1;
        true
    }

    /// A record, and a frame on no list, for a page.
    fn place_for<M: Machine>(
        &mut self,
        machine: &mut M,
        tlb: &mut Tlb,
        domain: DomainId,
        name: SpareName,
    ) -> Option<(RecordIndex, usize)> {
        if let Some(record) = self.kept.find(domain, name) {
            let index = index_of(self.kept.get(record)?.frame);
            self.leave_queue(index);
            self.kept.touch(record);
            return Some((record, index));
        }
        let room = self.free.head.is_some() || self.dirty.head.is_some();
        let (record, index) = match self.kept.place(domain, name, room) {
            Place::None => return None,
            Place::Vacant(record) => {
                if !room {
                    let oldest = index_of(self.queue.oldest?);
                    self.end_keeping(oldest);
                    self.kept.counters.displaced += 1;
                }
                (record, self.take_unscrubbed(machine, tlb)?)
            }
            Place::Instead(record) => {
                let index = index_of(self.kept.remove(record)?.frame);
                self.leave_queue(index);
                self.kept.counters.displaced += 1;
                (record, index)
            }
        };
        self.kept.insert(record, domain, name, link(index)?);
        Some((record, index))
    }

    /// Copies a domain's page of that name into a frame, if it is kept.
    pub(crate) fn spare_get<M: Machine>(
        &mut self,
        machine: &mut M,
        domain: DomainId,
        name: SpareName,
        to: Mfn,
    ) -> bool {
        self.kept.counters.asked += 1;
        let Some(record) = self.kept.find(domain, name) else { return false };
        let Some(index) = self.kept.get(record).map(|found| index_of(found.frame)) else {
            return false;
        };
        machine.copy_frame(self.number(index), to);
        self.leave_queue(index);
        self.join_queue(index, record);
        self.kept.touch(record);
        self.kept.counters.found += 1;
        true
    }

    /// Keeps a domain's page of that name no more. Whether it was kept.
    pub(crate) fn spare_drop(&mut self, domain: DomainId, name: SpareName) -> bool {
        let found = self.kept.find(domain, name);
        if let Some(index) = found.and_then(|record| self.kept.get(record)) {
            self.end_keeping(index_of(index.frame));
            self.kept.counters.dropped += 1;
        }
        found.is_some()
    }

    /// Keeps the page of a record no more, as its domain has ended.
    pub(crate) fn spare_end(&mut self, record: RecordIndex) {
        if let Some(found) = self.kept.get(record) {
            self.end_keeping(index_of(found.frame));
        }
    }

    /// Gives up the page that was not used for longest, as its frame is needed. False: none is kept.
    pub(super) fn evict_oldest(&mut self) -> bool {
        let Some(oldest) = self.queue.oldest else { return false };
        self.evict(index_of(oldest));
        true
    }

    /// Gives up the page that a frame keeps, as it is needed.
    pub(super) fn evict(&mut self, index: usize) {
        self.end_keeping(index);
        self.kept.counters.evicted += 1;
    }

    /// The frame is a dirty one from now on, and the next that is scrubbed.
    fn end_keeping(&mut self, index: usize) {
        let record = self.leave_queue(index);
        self.kept.remove(record);
        self.link_dirty_frame(index, Epoch::NEVER);
    }

    /// Takes a frame off its list that nobody owns and that keeps nothing. Its content is anything, and no processor can
    /// write to it.
    fn take_unscrubbed<M: Machine>(&mut self, machine: &mut M, tlb: &mut Tlb) -> Option<usize> {
        if let Some(dirty) = self.dirty.head {
            let index = index_of(dirty);
            let epoch = self.unlink_dirty(index);
            // Whoever had it could still change what is kept there.
            tlb.flush_since(machine, epoch);
            return Some(index);
        }
        let index = index_of(self.free.head?);
        self.unlink_free(index);
        Some(index)
    }

    fn join_queue(&mut self, index: usize, record: RecordIndex) {
        let previous = self.queue.youngest;
        self.frames[index] = Frame::Spare { next: None, previous, record };
        match previous {
            Some(previous) => self.set_next(index_of(previous), link(index)),
            None => self.queue.oldest = link(index),
        }
        self.queue.youngest = link(index);
        self.queue.length += 1;
    }

    /// Takes a frame out of the queue; its state is the caller's to change.
    fn leave_queue(&mut self, index: usize) -> RecordIndex {
        let Frame::Spare { next, previous, record } = self.frames[index] else {
            unreachable!("the queue holds frames that keep pages")
        };
        match previous {
            Some(previous) => self.set_next(index_of(previous), next),
            None => self.queue.oldest = next,
        }
        match next {
            Some(next) => self.set_previous(index_of(next), previous),
            None => self.queue.youngest = previous,
        }
        self.queue.length -= 1;
        record
    }

    #[cfg(test)]
    pub(crate) fn corrupt_queue_length(&mut self) -> &mut u32 {
        &mut self.queue.length
    }
}
