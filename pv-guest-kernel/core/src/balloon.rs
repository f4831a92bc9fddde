//! The balloon, as far as it is the kernel's: when the machine may take pages, who frees some for
//! it, and what it is told.
//!
//! What a balloon does with the pages is the platform's. It goes one step a turn, so that processes
//! run in between. When it finds no page the kernel reclaims: of private pages first those that
//! are clean, which have a copy in the swap area, then those that must be written there.

use crate::{Platform, kernel::Kernel, memory::Kind};

/// What the kernel tells its balloon.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BalloonCounts {
    /// Free pages that the kernel keeps for itself.
    pub kept: u64,
    /// Pages that could be had without swapping.
    pub available: u64,
    /// Content of files, in pages.
    pub cache: u64,
    /// Pages in use, those that were swapped out and read again of late included.
    pub needed: u64,
    /// Page faults since the start.
    pub faults: u64,
    /// Pages read again after they were let go, since the start.
    pub refaults: u64,
    /// Pages that came from swap, since the start.
    pub swapped_in: u64,
    /// Pages that went to swap, since the start.
    pub swapped_out: u64,
    /// For how long processes waited for memory.
    pub stalled: Stalled,
}

/// For how long processes have waited for memory since the start: until pages were reclaimed, and
/// until pages were read from swap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stalled {
    /// Nanoseconds in which one waited.
    pub some: u64,
    /// Those of them in which no other could have run.
    pub full: u64,
}

impl Stalled {
    /// One waited for so many nanoseconds, and others could have run meanwhile, or not.
    pub(crate) fn add(&mut self, nanoseconds: u64, others: bool) {
        self.some += nanoseconds;
        if !others {
            self.full += nanoseconds;
        }
    }
}

/// What came of a step of the balloon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BalloonStep {
    /// There is nothing to do for now.
    Idle,
    /// Pages moved, and more may.
    Moved,
    /// It wants so many pages, and none is free.
    Starved(u64),
}

/// Nanoseconds after which the balloon is asked again at the latest.
pub(crate) const PERIOD: u64 = 1_000_000_000;

impl<P: Platform> Kernel<P> {
    /// One step of the balloon, when it is its turn.
    pub(crate) fn serve_balloon(&mut self) {
        let counts = self.balloon_counts();
        let step = self.platform.balloon(&mut self.memory.frames, &counts);
        self.memory.refit_watermarks();
        self.balloon_busy = match step {
            BalloonStep::Idle => false,
            BalloonStep::Moved => true,
            BalloonStep::Starved(pages) => self.reclaim(counts.kept + pages) > 0,
        };
    }

    fn balloon_counts(&self) -> BalloonCounts {
        let (info, swapping) = (self.memory.info(), self.memory.swap.counts());
        BalloonCounts {
            kept: self.memory.frames.watermarks().high,
            available: info.available,
            cache: self.memory.frames.count(Kind::File),
            needed: info.total - info.free,
            faults: self.faults,
            refaults: swapping.refaults,
            swapped_in: swapping.read,
            swapped_out: swapping.written,
            stalled: self.stalled,
        }
    }

    /// Free pages are few: those come back that were offered to the machine. How many.
    pub(crate) fn refill(&mut self) -> u64 {
        self.platform.balloon_refill(&mut self.memory.frames)
    }

    /// Memory is out: all comes back that the balloon has. How many pages.
    pub(crate) fn deflate_all(&mut self) -> u64 {
        let came = self.platform.balloon_shortage(&mut self.memory.frames);
        if came > 0 {
            self.memory.refit_watermarks();
            let free = self.memory.frames.count(Kind::Free);
            let line = alloc::format!(
                "memory was short: the balloon gave {came} pages back, {free} are free\n"
            );
            self.platform.console_write(line.as_bytes());
        }
        came
    }
}
