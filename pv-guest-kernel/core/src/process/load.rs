//! How many processes wanted to run of late: [`LoadAverage`].

/// Bits behind the point of an average.
pub const LOAD_BITS: u32 = 11;
const ONE: u64 = 1 << LOAD_BITS;

/// What remains of an average after [`PERIOD`], as parts of [`ONE`]: of one minute, of five, and
/// of fifteen.
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// Nanoseconds between samples.
const PERIOD: u64 = 5_000_000_000;

/// Samples that are made up for at most: after so many there is nothing left of what was before.
const SAMPLES: u64 = 2000;

/// The averages, as Linux has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadAverage {
    averages: [u64; 3],
    sampled: u64,
}

impl LoadAverage {
    /// It is that late, and so many processes want to run. To be called every now and then.
    pub fn sample(&mut self, now: u64, active: u64) {
        let due = now.saturating_sub(self.sampled) / PERIOD;
        self.sampled += due * PERIOD;
        for _ in 0..due.min(SAMPLES) {
            for (average, decay) in self.averages.iter_mut().zip(DECAY) {
                let active = active * ONE;
                // While it grows it is rounded up, so that it gets there.
                let round = if active >= *average { ONE - 1 } else { 0 };
                *average = (*average * decay + active * (ONE - decay) + round) / ONE;
            }
        }
    }

    /// Over one minute, five, and fifteen, with [`LOAD_BITS`] behind the point.
    pub fn averages(&self) -> [u64; 3] {
        self.averages
    }

    /// The same in hundredths.
    pub fn hundredths(&self) -> [u64; 3] {
        self.averages.map(|average| (average * 100 + ONE / 2) / ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_follow_what_runs_each_at_its_pace() {
        let mut load = LoadAverage::default();
        load.sample(4_999_999_999, 7);
        assert_eq!(load.hundredths(), [0; 3]);
        for second in 0..60 {
            load.sample(second * 1_000_000_000, 2);
        }
        let [one, five, fifteen] = load.hundredths();
        assert!((115..=130).contains(&one), "{one}");
        assert!(one > five && five > fifteen && fifteen > 0);
        load.sample(100_000 * 1_000_000_000, 2);
        assert_eq!(load.averages(), [2 * ONE; 3]);
        load.sample(u64::MAX, 0);
        assert_eq!(load.hundredths(), [0; 3]);
    }
}
