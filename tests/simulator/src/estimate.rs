//! A guest's need, as different ways of looking see it, beside the truth.
//!
//! The guest touches so many of its pages in each period (the *toucher* of Waldspurger 2002, 5.3).
//! What it needs beyond what it has been given it reads again and again.
//!
//! | way | what it looks at | source |
//! |---|---|---|
//! | sampling | 100 pages a period: whether they are touched | Waldspurger 2002; `balloon::activity` |
//! | one average | the same, with one of the three averages alone | the same |
//! | refaults | pages that come back from the disk | Lu and Shen 2007; Geiger, 2006 |
//! | miss-ratio curve | how many pages are used between two uses of one, for one page of 64: how many uses would miss with how much memory | Mattson 1970; SHARDS, 2015 |

use balloon::activity::{Averages, Part, PickedPage, Sampler};
use balloon::policy::Pages;
use fastrand::Rng;

/// A way of looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The greatest of the slow and the fast average and of the period that runs.
    Sampling,
    /// The slow average alone.
    Slow,
    /// The fast average alone.
    Fast,
    /// What it has, and what it reads again in a period.
    Refaults,
    /// The miss-ratio curve, by the reuse of pages: the least memory with which one use in a
    /// hundred would miss.
    Reuse,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 5] = [Way::Sampling, Way::Slow, Way::Fast, Way::Refaults, Way::Reuse];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Sampling => "sampling, greatest of three",
            Way::Slow => "sampling, slow average",
            Way::Fast => "sampling, fast average",
            Way::Refaults => "refaults",
            Way::Reuse => "miss-ratio curve, 1 page of 64",
        }
    }
}

/// What is estimated at the end of each period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// What the guest needs, by period.
    pub truth: Vec<Pages>,
    /// What each way says, in the order of [`Way::ALL`].
    pub said: [Vec<Pages>; Way::ALL.len()],
}

impl Watched {
    /// What one way says.
    pub fn by(&self, way: Way) -> &[Pages] {
        Way::ALL.iter().position(|one| *one == way).map_or(&[], |index| &self.said[index])
    }

    /// How far one is out on average, as a part of the guest's size.
    pub fn error(&self, way: Way, size: Pages) -> f64 {
        let out =
            self.by(way).iter().zip(&self.truth).map(|(said, truth)| said.0.abs_diff(truth.0));
        out.sum::<u64>() as f64 / (self.truth.len() as u64 * size.0).max(1) as f64
    }

    /// Periods from `since` on until one is within a tenth of the size of the truth.
    pub fn periods_until_right(&self, way: Way, since: usize, size: Pages) -> Option<usize> {
        let pairs = self.by(way).iter().zip(&self.truth).skip(since);
        pairs.map(|(said, truth)| said.0.abs_diff(truth.0)).position(|out| out * 10 <= size.0)
    }
}

/// One of so many pages is watched for its reuse.
const SPACING: u64 = 64;

/// Of what was seen in earlier periods so much counts in the next.
const REMEMBERED: f64 = 0.5;

/// Uses that may miss.
const MISSES: f64 = 0.01;

/// Uses of a page in a period, on average, after its first.
const USES: usize = 3;

/// Watches a guest of that size which needs so much in each period, and has been given so much.
pub fn watch(size: Pages, given: Pages, needs: &[Pages], seed: u64) -> Watched {
    let mut random = Rng::with_seed(seed);
    let mut sampler = Sampler::new(Averages::beginning_with(Part::NONE), random.u64(..));
    let mut residence = Residence::new(size, given);
    let mut reuse = Reuse::new(size, random.u64(..));
    let mut watched = Watched { truth: needs.to_vec(), said: Default::default() };
    for &need in needs {
        let need = need.min(size);
        // Of what it needs it has at most what it was given: more cannot be seen in use there.
        let used = need.min(given);
        while let Some(PickedPage(page)) = sampler.pick(given) {
            if page.0 < used.0 {
                sampler.touched();
            }
        }
        let estimate = sampler.estimate();
        sampler.end_period();
        let mut pages: Vec<usize> = (0..need.0 as usize).collect();
        random.shuffle(&mut pages);
        let more = pages.len() * USES;
        let uses = (0..more).map(|_| random.usize(..pages.len().max(1)));
        let uses: Vec<usize> = pages.iter().copied().chain(uses).collect();
        let refaults = residence.period(&uses);
        let distance = reuse.period(&uses);
        let averages = sampler.averages();
        let parts = [estimate, averages.slow(), averages.fast()];
        let [all, slow, fast] = parts.map(|part| part.of_pages(given));
        let beyond = given + Pages(refaults);
        for (said, now) in watched.said.iter_mut().zip([all, slow, fast, beyond, distance]) {
            said.push(now);
        }
    }
    watched
}

/// Which pages are in memory: those used last.
struct Residence {
    given: usize,
    last_use: Vec<u64>,
    now: u64,
}

impl Residence {
    fn new(size: Pages, given: Pages) -> Residence {
        Residence { given: given.0 as usize, last_use: vec![0; size.0 as usize], now: 0 }
    }

    /// Pages that come back from the disk in a period.
    fn period(&mut self, uses: &[usize]) -> u64 {
        let mut stamps: Vec<u64> = self.last_use.iter().copied().filter(|at| *at > 0).collect();
        let oldest = match stamps.len().checked_sub(self.given) {
            None | Some(0) => 1,
            Some(gone) => *stamps.select_nth_unstable(gone).1,
        };
        let begin = self.now;
        let mut refaults = 0;
        for &page in uses {
            let at = self.last_use[page];
            refaults += u64::from(at > 0 && at < oldest && at <= begin);
            self.now += 1;
            self.last_use[page] = self.now;
        }
        refaults
    }
}

/// How far apart the uses of watched pages are.
struct Reuse {
    /// Of each page, whether it is watched.
    is_watched: Vec<bool>,
    /// Watched pages, the last used first.
    stack: Vec<usize>,
    /// Uses by distance, in watched pages.
    histogram: Vec<f64>,
}

impl Reuse {
    fn new(size: Pages, salt: u64) -> Reuse {
        let most = size.0 / SPACING * 2 + 64;
        let is_watched = |page| Rng::with_seed(salt ^ page).u64(..).is_multiple_of(SPACING);
        Reuse {
            is_watched: (0..size.0).map(is_watched).collect(),
            stack: Vec::new(),
            histogram: vec![0.0; most as usize],
        }
    }

    /// The least memory with which few of the uses of late would miss.
    fn period(&mut self, uses: &[usize]) -> Pages {
        self.histogram.iter_mut().for_each(|uses| *uses *= REMEMBERED);
        for &page in uses {
            if !self.is_watched[page] {
                continue;
            }
            match self.stack.iter().position(|other| *other == page) {
                Some(distance) => {
                    self.stack[..=distance].rotate_right(1);
                    if let Some(uses) = self.histogram.get_mut(distance) {
                        *uses += 1.0;
                    }
                }
                None => self.stack.insert(0, page),
            }
        }
        let mut left: f64 = self.histogram.iter().sum();
        let may_miss = left * MISSES;
        let enough = self.histogram.iter().position(|uses| {
            left -= uses;
            left <= may_miss
        });
        Pages(enough.map_or(0, |distance| (distance as u64 + 1) * SPACING))
    }
}
