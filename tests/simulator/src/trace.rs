//! What a guest needs, round after round.

use crate::TICKS_PER_HOUR;
use balloon::policy::Pages;
use fastrand::Rng;

/// How a guest's need changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Little, and now and then nearly all for less than two minutes. Of overloads in data
    /// centres 88.1 % are as short as that (Overdriver).
    Bursty,
    /// Up and down, as users come and go; a day is an hour.
    Diurnal,
    /// From little to all.
    Growing,
    /// Next to nothing.
    Idle,
    /// The pages that accesses with Zipf's distribution touch, at a rate that wanders.
    Zipf,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Bursty, Kind::Diurnal, Kind::Growing, Kind::Idle, Kind::Zipf];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Bursty => "bursty",
            Kind::Diurnal => "diurnal",
            Kind::Growing => "growing",
            Kind::Idle => "idle",
            Kind::Zipf => "Zipf",
        }
    }
}

/// Rounds that a burst lasts at most.
const LONGEST_BURST: u64 = 11;

/// Rounds between bursts, on average.
const BETWEEN_BURSTS: u64 = 60;

/// One guest's need.
#[derive(Clone, Debug)]
pub struct Trace {
    kind: Kind,
    size: Pages,
    random: Rng,
    tick: u64,
    /// Bursty: rounds that the burst still lasts. Diurnal: where its day begins.
    phase: u64,
    zipf: Option<Zipf>,
}

impl Trace {
    /// The trace of a guest of that size.
    pub fn new(kind: Kind, size: Pages, seed: u64) -> Trace {
        let mut random = Rng::with_seed(seed);
        let phase = if kind == Kind::Diurnal { random.u64(..TICKS_PER_HOUR) } else { 0 };
        let zipf = (kind == Kind::Zipf).then(|| Zipf::new(size, &mut random));
        Trace { kind, size, random, tick: 0, phase, zipf }
    }

    /// Of what kind it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What the guest needs in the next round: at most its size.
    pub fn next_need(&mut self) -> Pages {
        self.tick += 1;
        let noise = 0.98 + 0.04 * self.random.f64();
        let part = match self.kind {
            Kind::Bursty => self.burst(),
            Kind::Diurnal => {
                let day = (self.tick + self.phase) as f64 / TICKS_PER_HOUR as f64;
                0.45 - 0.3 * (day * core::f64::consts::TAU).cos()
            }
            Kind::Growing => 0.1 + 0.9 * (self.tick as f64 / TICKS_PER_HOUR as f64).min(1.0),
            Kind::Idle => 0.05,
            Kind::Zipf => self.zipf.as_mut().map_or(0.0, |zipf| zipf.next(&mut self.random)),
        };
        Pages(((self.size.0 as f64 * part * noise) as u64).min(self.size.0))
    }

    fn burst(&mut self) -> f64 {
        if self.phase > 0 {
            self.phase -= 1;
        } else if self.random.u64(..BETWEEN_BURSTS) == 0 {
            self.phase = 1 + self.random.u64(..LONGEST_BURST);
        }
        if self.phase > 0 { 0.9 } else { 0.2 }
    }
}

/// The working set of accesses that prefer few pages.
#[derive(Clone, Debug)]
struct Zipf {
    /// Ranges of ranks: pages, and the chance of an access to one of them, as means of the range.
    ranges: Vec<(f64, f64)>,
    pages: f64,
    /// Accesses in a round, for each page.
    rate: f64,
}

/// Ranges of ranks, each half as long again as the one before.
const GROWTH: f64 = 1.5;

impl Zipf {
    fn new(size: Pages, random: &mut Rng) -> Zipf {
        let exponent = 0.8 + 0.4 * random.f64();
        let pages = size.0 as f64;
        let mut ranges = Vec::new();
        let mut first = 1.0;
        while first < pages {
            let end = (first * GROWTH).max(first + 1.0).min(pages);
            ranges.push((end - first, f64::midpoint(first, end).powf(-exponent)));
            first = end;
        }
        let total: f64 = ranges.iter().map(|(count, weight)| count * weight).sum();
        for (_, weight) in &mut ranges {
            *weight /= total;
        }
        Zipf { ranges, pages, rate: 0.5 + 2.0 * random.f64() }
    }

    /// The part of the pages that the next round touches.
    fn next(&mut self, random: &mut Rng) -> f64 {
        self.rate = (self.rate * (0.95 + 0.1 * random.f64())).clamp(0.2, 4.0);
        let accesses = self.rate * self.pages;
        let touched: f64 = self
            .ranges
            .iter()
            .map(|(count, chance)| count * (1.0 - (-chance * accesses).exp()))
            .sum();
        touched / self.pages
    }
}
