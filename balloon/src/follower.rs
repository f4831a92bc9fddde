//! What a kernel's balloon does by itself: follow the target, give everything back when memory is
//! short, offer what is free, tell how it stands.
//!
//! The order of things is here, for every kernel; what they are made of is the kernel's, behind
//! [`BalloonPort`]. All of it goes in bounded steps, of at most [`STEP_PAGES`] pages or, where the
//! kernel has such, [`STEP_EXTENTS`] extents, but one: when memory is short, everything comes back at
//! once.
//!
//! [`STEP_EXTENTS`]: crate::STEP_EXTENTS
//!
//! ```text
//!   owned + reported > target   give free pages; when there are none, the kernel is asked to free
//!                               some: clean cache first, then what it can swap (Step::Starved)
//!   owned + reported < target   take frames back
//!   few free pages              what was reported comes back first
//!   none, and nothing to free   everything comes back, once; then the target waits for a while
//!   many free pages             they are offered
//! ```

use crate::{Balloon, BalloonPort, PressureMeter, Report, STEP_PAGES, Statistics, Stop};
use hypercall_abi::balloon_statistics::{BalloonStatistics, STATISTICS_VERSION};

/// Nanoseconds between two reports.
pub const PERIOD: u64 = 1_000_000_000;

/// Nanoseconds for which nothing is offered after pages came back that were needed.
const SETTLE: u64 = PERIOD / 2;

/// Nanoseconds for which the target is not followed downwards at all after memory was short.
const CALM: u64 = 5 * PERIOD;

/// For how long the target is not followed downwards after memory was short, at first and at most:
/// 10 minutes, doubling to 60.
const HOLD: [u64; 2] = [600 * PERIOD, 3600 * PERIOD];

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There is nothing to do, or nothing that can be done now.
    Idle,
    /// So many pages moved; there may be more to do.
    Moved(u64),
    /// The kernel has no page to spare, and should free so many: then the next step has them.
    Starved(u64),
}

/// What a kernel counts, since it started, or now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KernelCounts {
    /// Free pages now.
    pub free: u64,
    /// Free pages that the kernel keeps for itself: neither the target nor an offer takes them.
    pub kept: u64,
    /// Pages that could be had without swapping, now.
    pub available: u64,
    /// Pages of files, now.
    pub cache: u64,
    /// Pages that it would have in use if it had as many as it likes, now.
    pub needed: u64,
    /// Page faults.
    pub faults: u64,
    /// Pages read again after they were let go.
    pub refaults: u64,
    /// Pages that came from swap.
    pub swapped_in: u64,
    /// Pages that went to swap.
    pub swapped_out: u64,
    /// Nanoseconds in which some task waited for memory.
    pub stalled_some: u64,
    /// Nanoseconds in which all tasks did.
    pub stalled_full: u64,
}

/// The balloon of a kernel that follows its target.
#[derive(Debug, Default)]
pub struct Follower {
    balloon: Balloon,
    /// Of the holes, those that were offered and not asked for.
    reported: u64,
    /// Until when the target is not followed downwards, and for how long next time; nanoseconds.
    held_until: u64,
    hold: u64,
    shortages: u64,
    /// When pages came back last because they were needed, and how many were wanted then.
    back_at: u64,
    back: u64,
    /// Since when there have been pages to offer.
    spare_since: Option<u64>,
    generation: u64,
    told_at: u64,
    told: KernelCounts,
    some: PressureMeter,
    full: PressureMeter,
}

impl Follower {
    /// The balloon of a guest that started with so many holes.
    pub fn new(holes: u64) -> Follower {
        Follower { balloon: Balloon::with_holes(holes), ..Follower::default() }
    }

    /// Counts of the driver.
    pub fn statistics(&self) -> Statistics {
        self.balloon.statistics()
    }

    /// Pages that were offered and have not come back.
    pub fn reported(&self) -> u64 {
        self.reported
    }

    /// Times that memory was short and everything came back.
    pub fn shortages(&self) -> u64 {
        self.shortages
    }

    /// Goes one bounded step towards the target. `now` is in nanoseconds; `spare` pages are free and of
    /// no use soon: they go even when memory was short a while ago.
    pub fn follow<P: BalloonPort>(&mut self, port: &mut P, now: u64, spare: u64) -> Step {
        let owned = port.owned_frames();
        let target = port.target_frames();
        let above = (owned + self.reported).saturating_sub(target);
        if above > 0 {
            // What was offered is gone already: it counts for the target now.
            let counted = above.min(self.reported);
            self.reported -= counted;
            let held = now < self.held_until;
            if held && now < self.back_at.saturating_add(CALM) {
                return Step::Idle;
            }
            let wanted = if held { (above - counted).min(spare) } else { above - counted };
            if wanted == 0 {
                return Step::Idle;
            }
            let Report { moved, stop } = self.balloon.inflate_step(port, wanted);
            return match stop {
                Stop::GuestEmpty if moved == 0 && !held => {
                    Step::Starved(wanted.min(STEP_PAGES as u64))
                }
                _ if moved > 0 => Step::Moved(moved),
                _ => Step::Idle,
            };
        }
        let below = target - owned - self.reported;
        if below == 0 || self.balloon.size() <= self.reported {
            return Step::Idle;
        }
        let room = self.balloon.size() - self.reported;
        match self.balloon.deflate_step(port, below.min(room)).moved {
            0 => Step::Idle,
            moved => Step::Moved(moved),
        }
    }

    /// Offers a bounded number of free pages, those above `keep`.
    ///
    /// Extents go at once. Single pages of a kernel that knows of extents wait a while: memory comes
    /// free page by page, of many processes in turn, and each that went alone would break an extent
    /// that is free as a whole soon.
    pub fn offer<P: BalloonPort>(&mut self, port: &mut P, now: u64, free: u64, keep: u64) -> Step {
        let spare = free.saturating_sub(keep);
        // Less is not worth the changes of the map, and what has just come back is wanted.
        if spare < STEP_PAGES as u64 || now < self.back_at.saturating_add(SETTLE) {
            self.spare_since = None;
            return Step::Idle;
        }
        let since = *self.spare_since.get_or_insert(now);
        let singles = !port.knows_extents() || now >= since.saturating_add(SETTLE);
        let moved = self.balloon.report_step(port, spare, singles).moved;
        self.reported += moved;
        if moved > 0 { Step::Moved(moved) } else { Step::Idle }
    }

    /// Few pages are free: takes a bounded number of those back that were offered. How many came.
    ///
    /// What is wanted doubles as long as it is wanted again at once, so that a large need is met in
    /// few steps.
    pub fn refill<P: BalloonPort>(&mut self, port: &mut P, now: u64) -> u64 {
        let is_more = now < self.back_at.saturating_add(SETTLE);
        self.back = if is_more { self.back.saturating_mul(2) } else { 0 }.max(STEP_PAGES as u64);
        let wanted = self.reported.min(self.back);
        if wanted == 0 {
            return 0;
        }
        let moved = self.balloon.deflate_step(port, wanted).moved;
        self.reported -= moved;
        self.back_at = now;
        moved
    }

    /// Memory is short and nothing else helps: takes everything back that the hypervisor gives, up to
    /// the guest's limit, and then lets the target wait for a while. How many pages came.
    pub fn shortage<P: BalloonPort>(&mut self, port: &mut P, now: u64) -> u64 {
        if self.balloon.size() == 0 {
            return 0;
        }
        let mut came = 0;
        loop {
            let Report { moved, stop } = self.balloon.deflate(port, usize::MAX);
            came += moved;
            if stop != Stop::Complete || moved == 0 {
                break;
            }
        }
        self.reported = self.reported.min(self.balloon.size());
        if came > 0 {
            self.shortages += 1;
            self.hold = (self.hold * 2).clamp(HOLD[0], HOLD[1]);
            self.held_until = now.saturating_add(self.hold);
            self.back_at = now;
        }
        came
    }

    /// Whether it is time to tell how things stand.
    pub fn is_due(&self, now: u64) -> bool {
        self.generation == 0 || now >= self.told_at.saturating_add(PERIOD)
    }

    /// Tells how things stand: rates are what has been since the last time.
    pub fn tell<P: BalloonPort>(&mut self, port: &mut P, now: u64, counts: KernelCounts) {
        let time = now.saturating_sub(self.told_at).max(1);
        let before = self.told;
        let rate = |new: u64, old: u64| {
            let events = u128::from(new.saturating_sub(old)) * u128::from(PERIOD);
            u64::try_from(events / u128::from(time)).unwrap_or(u64::MAX)
        };
        if self.generation > 0 {
            self.some.add(time, counts.stalled_some.saturating_sub(before.stalled_some));
            self.full.add(time, counts.stalled_full.saturating_sub(before.stalled_full));
        }
        self.generation += 1;
        port.tell(&BalloonStatistics {
            version: STATISTICS_VERSION,
            generation: self.generation,
            free: counts.free,
            available: counts.available,
            cache: counts.cache,
            needed: counts.needed,
            balloon: self.balloon.size() - self.reported,
            faults: rate(counts.faults, before.faults),
            refaults: rate(counts.refaults, before.refaults),
            swapped_in: rate(counts.swapped_in, before.swapped_in),
            swapped_out: rate(counts.swapped_out, before.swapped_out),
            shortages: self.shortages,
            some_over_10_s: self.some.over_10_s(),
            some_over_60_s: self.some.over_60_s(),
            full_over_10_s: self.full.over_10_s(),
            full_over_60_s: self.full.over_60_s(),
            reserved: 0,
        });
        (self.told, self.told_at) = (counts, now);
    }
}
