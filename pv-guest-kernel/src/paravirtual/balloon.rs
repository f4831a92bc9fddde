//! The kernel core's memory as its balloon sees it: pages come from the core's allocator and go
//! back to it; the rest is the runtime's.

use super::{Paravirtual, sharing, tables};
use balloon::{Answer, BalloonPort, Follower, KernelCounts, Step};
use kernel_core::{
    balloon::{BalloonCounts, BalloonStep},
    memory::{Frames, Kind},
};
use pv_guest::abi::{Mfn, Pfn, balloon_statistics::BalloonStatistics, extent::EXTENT_FRAMES};

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
    /// The kernel keeps what lies below its high watermark.
    fn take_page(&mut self) -> Option<Pfn> {
        if self.frames.count(Kind::Free) <= self.frames.watermarks().high {
            return None;
        }
        let page = self.frames.take(Kind::Kernel).ok()?;
        if self.machine.sharing && !sharing::keep(page) {
            self.frames.give(page);
            return None;
        }
        Some(page)
    }

    fn give_page(&mut self, page: Pfn) {
        if self.machine.sharing {
            sharing::offer(page);
        }
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

    fn report(&mut self, frames: &[Mfn]) -> Answer {
        self.machine.memory.report(frames)
    }

    /// The core keeps blocks together that have an extent behind them. That was so when it was told,
    /// and is looked at again: a page that may share its frame may have got another.
    fn take_extent(&mut self) -> Option<Pfn> {
        let keep = self.frames.watermarks().high;
        while self.frames.count(Kind::Free) >= keep + EXTENT_FRAMES {
            let first = self.frames.take_extent()?;
            if self.is_extent(first) && (!self.machine.sharing || sharing::keep_extent(first)) {
                if self.is_extent(first) {
                    return Some(first);
                }
                sharing::offer_all(first, EXTENT_FRAMES);
            }
            self.frames.set_extent(first, false);
            self.free_extent(first);
        }
        None
    }

    fn knows_extents(&self) -> bool {
        self.frames.extents() > 0
    }

    fn give_extent(&mut self, first: Pfn) {
        if self.machine.sharing {
            sharing::offer_all(first, EXTENT_FRAMES);
        }
        self.free_extent(first);
    }

    fn unmap_extents(&mut self, firsts: &[Pfn]) -> usize {
        self.machine.memory.unmap_extents(firsts)
    }

    fn map_extents(&mut self, firsts: &[Pfn]) -> usize {
        self.machine.memory.map_extents(firsts)
    }

    fn release_extents(&mut self, firsts: &[Mfn]) -> Answer {
        self.machine.memory.release_extents(firsts)
    }

    fn report_extents(&mut self, firsts: &[Mfn]) -> Answer {
        self.machine.memory.report_extents(firsts)
    }

    fn extent_room(&self) -> u64 {
        self.frames.hole_blocks()
    }

    fn obtain_extents(&mut self, firsts: &mut [Mfn]) -> Answer {
        self.machine.memory.obtain_extents(firsts)
    }

    fn fill_extent(&mut self, frame: Mfn) -> Option<Pfn> {
        let first = self.frames.fill_hole_block()?;
        for at in 0..EXTENT_FRAMES {
            let (page, frame) = (Pfn(first.0 + at), Mfn(frame.0.saturating_add(at)));
            if self.machine.memory.back_hole(page, frame).is_err() {
                (first.0..page.0).for_each(|page| self.machine.memory.make_hole(Pfn(page)));
                let all = first.0..first.0 + EXTENT_FRAMES;
                all.for_each(|page| self.frames.make_hole(Pfn(page)));
                return None;
            }
        }
        self.frames.set_extent(first, true);
        Some(first)
    }

    fn tell(&mut self, statistics: &BalloonStatistics) -> bool {
        self.machine.memory.tell(statistics)
    }

    fn owned_frames(&mut self) -> u64 {
        self.machine.memory.owned_frames()
    }

    fn target_frames(&mut self) -> u64 {
        self.machine.memory.target_frames()
    }
}

/// Free pages that are not offered to the hypervisor, above what the kernel keeps: 8 MiB, so that
/// they do not go and come.
const OFFER_KEEP: u64 = 2048;

/// How the guest takes part in moving memory.
#[derive(Debug, Default)]
pub struct Moving {
    follower: Follower,
    /// Whether free pages are offered.
    offers: bool,
    /// Whether nobody is listened to.
    ignores: bool,
    /// Whether anything moves at all: the guest may grow, or its target is not what it has.
    active: bool,
}

impl Moving {
    /// For a guest that starts with so many holes, and its command line: `balloon=offer` has free pages
    /// offered, `balloon=ignore` makes a guest of it that does not co-operate, for demonstrations.
    pub fn new(holes: u64, command_line: &str) -> Moving {
        let has = |wanted| command_line.split_ascii_whitespace().any(|word| word == wanted);
        let (offers, ignores) = (has("balloon=offer"), has("balloon=ignore"));
        Moving { follower: Follower::new(holes), offers, ignores, active: offers || holes > 0 }
    }
}

impl Paravirtual {
    /// Whether the balloon has anything to do in this guest's life.
    pub(super) fn is_ballooned(&mut self) -> bool {
        if self.moving.ignores {
            return false;
        }
        if !self.moving.active {
            self.moving.active = self.memory.owned_frames() != self.memory.target_frames();
        }
        self.moving.active
    }

    /// One step: towards the target, or of offering what is free; and what is to be told, when it is
    /// time.
    pub(super) fn balloon_step(
        &mut self,
        frames: &mut Frames,
        counts: &BalloonCounts,
    ) -> BalloonStep {
        if !self.is_ballooned() {
            return BalloonStep::Idle;
        }
        let now = self.clock.now();
        self.with_follower(frames, |follower, lent, offers| {
            if follower.is_due(now) {
                let told = lent.told(counts);
                follower.tell(lent, now, told);
            }
            let free = lent.frames.count(Kind::Free);
            let keep = counts.kept + OFFER_KEEP;
            let mut step = follower.follow(lent, now, free.saturating_sub(keep));
            if step == Step::Idle && offers {
                step = follower.offer(lent, now, lent.frames.count(Kind::Free), keep);
            }
            match step {
                Step::Idle => BalloonStep::Idle,
                Step::Moved(_) => BalloonStep::Moved,
                Step::Starved(pages) => BalloonStep::Starved(pages),
            }
        })
    }

    pub(super) fn balloon_back(&mut self, frames: &mut Frames) -> u64 {
        if self.moving.follower.reported() == 0 {
            return 0;
        }
        let now = self.clock.now();
        self.with_follower(frames, |follower, lent, _| follower.refill(lent, now))
    }

    pub(super) fn balloon_all_back(&mut self, frames: &mut Frames) -> u64 {
        if !self.is_ballooned() {
            return 0;
        }
        let now = self.clock.now();
        self.with_follower(frames, |follower, lent, _| follower.shortage(lent, now))
    }

    /// Lends everything to the balloon, which is taken out of the machine meanwhile.
    fn with_follower<T>(
        &mut self,
        frames: &mut Frames,
        run: impl FnOnce(&mut Follower, &mut Lent<'_>, bool) -> T,
    ) -> T {
        let mut moving = core::mem::take(&mut self.moving);
        let mut lent = Lent::new(self, frames);
        let result = run(&mut moving.follower, &mut lent, moving.offers);
        self.moving = moving;
        result
    }
}

impl Lent<'_> {
    fn is_extent(&self, first: Pfn) -> bool {
        self.machine.memory.p2m().is_extent(first)
    }

    fn free_extent(&mut self, first: Pfn) {
        (first.0..first.0 + EXTENT_FRAMES).for_each(|page| {
            self.frames.give(Pfn(page));
        });
    }

    fn told(&self, counts: &BalloonCounts) -> KernelCounts {
        KernelCounts {
            free: self.frames.count(Kind::Free),
            kept: counts.kept,
            available: counts.available,
            cache: counts.cache,
            needed: counts.needed,
            faults: counts.faults,
            refaults: counts.refaults,
            swapped_in: counts.swapped_in,
            swapped_out: counts.swapped_out,
            stalled_some: counts.stalled.some,
            stalled_full: counts.stalled.full,
        }
    }
}
