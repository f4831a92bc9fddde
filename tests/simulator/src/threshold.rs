//! What it means that so many per cent of idle memory can be taken, by two readings of it.
//!
//! As a *fraction* it is what the policy does: of the idle memory that a guest's shares entitle it
//! to so much goes to guests that use theirs. As a *chance* it says of each idle page how likely it
//! is to be taken. Both take the same on average; by chance one guest is luckier than another.

use balloon::policy::{
    AllocationPolicy, Bounds, Guest, Host, IdleTax, Pages, PolicyError, PureShare, Shares, TaxRate,
    Work,
};
use fastrand::Rng;

/// A guest that has what its shares entitle it to, and does not use all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// What it has.
    pub pages: Pages,
    /// What it uses of that.
    pub active: Pages,
}

/// Guests beside it that use all they can get: so many that what each of them gains is next to
/// nothing, and with it what the price of all pages rises by.
const NEIGHBORS: usize = 4_096;

impl Holder {
    /// One of between 1 and 16 MiB that uses four fifths of it at most.
    pub fn any(seed: u64) -> Holder {
        let mut random = Rng::with_seed(seed);
        let pages = random.u64(256..=4_096);
        Holder { pages: Pages(pages), active: Pages(random.u64(..=pages * 4 / 5)) }
    }

    /// What it does not use.
    pub fn idle(&self) -> Pages {
        self.pages.saturating_sub(self.active)
    }

    /// What the policy takes from it at that rate, for neighbors that could use it.
    pub fn taken_as_fraction(&self, rate: TaxRate) -> Result<Pages, PolicyError> {
        let most = Pages(self.pages.0 * 4);
        let bounds = Bounds::new(Pages::ZERO, most)?;
        let of = |active| Guest { bounds, shares: Shares::ONE, tax: None, active };
        let mut guests = vec![of(most); NEIGHBORS + 1];
        guests[0] = of(self.active);
        let host = Host::new(Pages(self.pages.0 * guests.len() as u64), &guests)?;
        let mut work = vec![Work::EMPTY; Work::needed(guests.len())];
        let mut targets = vec![Pages::ZERO; guests.len()];
        let mut left = |policy: &dyn AllocationPolicy| {
            policy.targets(&host, &mut work, &mut targets).map(|_| targets[0])
        };
        Ok(left(&PureShare)?.saturating_sub(left(&IdleTax(rate))?))
    }

    /// What is taken from it when each of its idle pages is taken with that chance.
    pub fn taken_by_chance(&self, rate: TaxRate, seed: u64) -> Pages {
        let mut random = Rng::with_seed(seed);
        let taken = (0..self.idle().0).filter(|_| random.u16(..TaxRate::WHOLE) < rate.parts());
        Pages(taken.count() as u64)
    }
}

/// A mean of samples, and how far the true one may be from it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half of the interval in which the true mean is found 99 times of 100.
    pub half_width: f64,
    /// How far one sample is from the mean: the standard deviation.
    pub deviation: f64,
}

/// Standard errors that 99 % of a normal distribution lie within.
const ERRORS: f64 = 2.576;

impl Mean {
    /// Of two samples or more.
    pub fn of(samples: &[f64]) -> Mean {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        Mean { mean, half_width: ERRORS * deviation / count.sqrt(), deviation }
    }

    /// Whether a value may be the true mean.
    pub fn may_be(&self, value: f64) -> bool {
        (self.mean - value).abs() <= self.half_width
    }
}
