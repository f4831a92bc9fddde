//! The lists of frames that nobody owns and that keep nothing, free and dirty, and the ways between them
//! and an owner.

use super::table::{List, index_of, link};
use super::{Frame, FrameTable, Link, Owned};
use crate::machine::Machine;
use crate::planted::Bug;
use crate::tlb::{Epoch, Tlb};
use hypercall_abi::{DomainId, Mfn};

impl FrameTable {
    /// Takes a frame for `domain`: scrubbed, referenced by nothing else.
    pub(crate) fn take<M: Machine>(
        &mut self,
        machine: &mut M,
        tlb: &mut Tlb,
        domain: DomainId,
    ) -> Option<Mfn> {
        if self.free.head.is_none() && (self.dirty.head.is_some() || self.evict_oldest()) {
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
    pub(super) fn push_dirty(&mut self, index: usize, epoch: Epoch) {
        self.link_dirty_frame(index, epoch);
        self.blocks.gained(self.number(index), 1);
    }

    /// The same, of a frame that its block counts as nobody's already.
    pub(super) fn link_dirty_frame(&mut self, index: usize, epoch: Epoch) {
        self.frames[index] = Frame::Dirty { next: self.dirty.head, previous: None, epoch };
        self.joined_dirty(index, index);
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

    pub(super) fn set_previous(&mut self, index: usize, link: Link) {
        if let Frame::Free { previous, .. }
        | Frame::Dirty { previous, .. }
        | Frame::Spare { previous, .. } = &mut self.frames[index]
        {
            *previous = link;
        }
    }

    pub(super) fn set_next(&mut self, index: usize, link: Link) {
        if let Frame::Free { next, .. } | Frame::Dirty { next, .. } | Frame::Spare { next, .. } =
            &mut self.frames[index]
        {
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

    /// Takes a dirty frame off its list, wherever it is; its state is the caller's to change. When it was last
    /// unmapped.
    pub(super) fn unlink_dirty(&mut self, index: usize) -> Epoch {
        let Frame::Dirty { next, previous, epoch } = self.frames[index] else {
            unreachable!("the dirty list holds dirty frames")
        };
        match previous {
            Some(previous) => self.set_next(index_of(previous), next),
            None => self.dirty.head = next,
        }
        if let Some(next) = next {
            self.set_previous(index_of(next), previous);
        }
        self.dirty.length -= 1;
        epoch
    }

    /// Flushes (if need be) and scrubs one dirty frame, in this order: a processor with a
    /// writable translation could write after the scrub (XSA-511). False when none is dirty.
    pub(crate) fn scrub_one<M: Machine>(&mut self, machine: &mut M, tlb: &mut Tlb) -> bool {
        let Some(head) = self.dirty.head else { return false };
        self.scrub(machine, tlb, Mfn(self.base.0 + index_of(head) as u64))
    }

    /// The same of one frame, wherever it is; one that keeps a page keeps it no more. False when it
    /// is not dirty.
    pub(crate) fn scrub<M: Machine>(&mut self, machine: &mut M, tlb: &mut Tlb, frame: Mfn) -> bool {
        let Some(index) = self.index(frame) else { return false };
        if let Frame::Spare { .. } = self.frames[index] {
            self.evict(index);
        }
        let Frame::Dirty { epoch, .. } = self.frames[index] else { return false };
        if !self.planted.has(Bug::ScrubWithoutFlush) {
            tlb.flush_since(machine, epoch);
        }
        if !self.planted.has(Bug::ScrubForgotten) {
            machine.zero(frame);
        }
        self.unlink_dirty(index);
        self.frames[index] = Frame::Free { next: self.free.head, previous: None };
        if let Some(head) = self.free.head {
            self.set_previous(index_of(head), link(index));
        }
        self.free = List { head: link(index), length: self.free.length + 1 };
        true
    }
}
