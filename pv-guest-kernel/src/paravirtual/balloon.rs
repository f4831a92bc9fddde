//! The kernel core's memory as its balloon sees it: pages come from the core's allocator and go
//! back to it; the rest is the runtime's.

use super::{Paravirtual, tables};
use balloon::{Answer, BalloonPort};
use kernel_core::memory::{Frames, Kind};
use pv_guest::abi::{Mfn, Pfn};

/// The machine and its pages, lent to the balloon.
#[derive(Debug)]
pub struct Lent<'a> {
    machine: &'a mut Paravirtual,
    frames: &'a mut Frames,
}

impl<'a> Lent<'a> {
    /// Lends them. What the allocator has free may still be mapped by changes that wait: they
    /// are made first.
    pub fn new(machine: &'a mut Paravirtual, frames: &'a mut Frames) -> Lent<'a> {
        tables::must(machine.memory.flush());
        Lent { machine, frames }
    }
}

impl BalloonPort for Lent<'_> {
    fn take_page(&mut self) -> Option<Pfn> {
        self.frames.take(Kind::Kernel).ok()
    }

    fn give_page(&mut self, page: Pfn) {
        self.frames.give(page);
    }

    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.machine.memory.frame_of(page)
    }

    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        self.machine.memory.unmap(pages)
    }

    fn flush(&mut self) {
        BalloonPort::flush(&mut self.machine.memory);
    }

    fn map(&mut self, pages: &[Pfn]) -> usize {
        self.machine.memory.map(pages)
    }

    fn release(&mut self, frames: &[Mfn]) -> Answer {
        self.machine.memory.release(frames)
    }

    fn make_hole(&mut self, page: Pfn) {
        self.machine.memory.make_hole(page);
        self.frames.make_hole(page);
    }

    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
        self.machine.memory.obtain(frames)
    }

    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        let page = self.frames.fill_hole()?;
        if self.machine.memory.back_hole(page, frame).is_err() {
            self.frames.make_hole(page);
            return None;
        }
        Some(page)
    }

    fn owned_frames(&mut self) -> u64 {
        self.machine.memory.owned_frames()
    }

    fn target_frames(&mut self) -> u64 {
        self.machine.memory.target_frames()
    }
}
