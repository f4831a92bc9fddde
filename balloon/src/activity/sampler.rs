//! Which pages are watched in a period, and what came of it.

use super::{Averages, Part};
use crate::policy::Pages;
use hypercall_abi::Pfn;

/// Pages of a period: at a half in use the standard error is 5 %.
pub const SAMPLE_PAGES: u32 = 100;

/// A page that is to be watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PickedPage(pub Pfn);

/// What one period has shown so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Period {
    picked: u32,
    touched: u32,
}

impl Period {
    /// The part of the whole sample that was touched. Pages not yet picked count as untouched, so
    /// that the first touch of a period is not everything.
    pub fn instant(&self) -> Part {
        Part::of(u64::from(self.touched), u64::from(SAMPLE_PAGES))
    }

    /// Pages that are watched.
    pub const fn picked(&self) -> u32 {
        self.picked
    }

    /// Those of them that were touched.
    pub const fn touched(&self) -> u32 {
        self.touched
    }
}

/// The estimate of one guest.
///
/// The host picks [`SAMPLE_PAGES`] pages at the beginning of a period, arms them (clears
/// accessed bits or takes mappings away), calls [`touched`](Self::touched) for each at its first
/// touch, and [`end_period`](Self::end_period). Which pages are next cannot be guessed without the
/// seed, so that a guest cannot touch just those.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sampler {
    averages: Averages,
    period: Period,
    random: u64,
}

impl Sampler {
    /// A sampler with that secret seed.
    pub const fn new(averages: Averages, seed: u64) -> Sampler {
        Sampler { averages, period: Period { picked: 0, touched: 0 }, random: seed }
    }

    /// The next page to watch, of so many; `None` when the period has its pages, or there are none.
    ///
    /// A page may be picked twice: the sample is one with replacement, whose error is known.
    pub fn pick(&mut self, pages: Pages) -> Option<PickedPage> {
        if self.period.picked == SAMPLE_PAGES || pages == Pages::ZERO {
            return None;
        }
        self.period.picked += 1;
        let random = self.next_random();
        // The high half of the product: uniform but for one part in 2^64 / pages.
        let page = (u128::from(random) * u128::from(pages.0)) >> 64;
        Some(PickedPage(Pfn(page as u64)))
    }

    /// A watched page was touched. At most as often as pages were picked.
    pub fn touched(&mut self) {
        self.period.touched = (self.period.touched + 1).min(self.period.picked);
    }

    /// What is known of the period that runs.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The averages of the periods that are over.
    pub const fn averages(&self) -> Averages {
        self.averages
    }

    /// Ends a period, if anything was watched in it, and begins the next.
    pub fn end_period(&mut self) {
        let Period { picked, touched } = self.period;
        if picked > 0 {
            self.averages.add(Part::of(u64::from(touched), u64::from(picked)));
        }
        self.period = Period::default();
    }

    /// The part of its memory that the guest uses.
    pub fn estimate(&self) -> Part {
        self.averages.estimate(self.period.instant())
    }

    /// SplitMix64.
    const fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
