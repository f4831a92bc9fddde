//! Pressure as a kernel measures it of itself: which part of the time tasks waited for memory.

use hypercall_abi::balloon_statistics::WHOLE;

/// One average, in parts of [`WHOLE`] with [`FRACTION`] more bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Average(u32);

const FRACTION: u32 = 12;

/// What one second adds to averages over 10 and over 60 seconds: `1 - exp(-1 / seconds)`, in 65,536ths.
const WEIGHTS: [u32; 2] = [6237, 1083];

impl Average {
    fn add(&mut self, part: u16, weight: u32) {
        let part = i64::from(part) << FRACTION;
        let way = part - i64::from(self.0);
        self.0 = (i64::from(self.0) + way * i64::from(weight) / 65_536) as u32;
    }

    fn part(self) -> u16 {
        ((self.0 + (1 << (FRACTION - 1))) >> FRACTION) as u16
    }
}

/// Averages over 10 and over 60 seconds, as Linux's pressure stall information has them. It is told
/// once a second for how long somebody waited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PressureMeter {
    averages: [Average; 2],
}

impl PressureMeter {
    /// Counts a time of which somebody waited a part, in nanoseconds both. A time of several seconds
    /// counts as so many.
    pub fn add(&mut self, time: u64, waited: u64) {
        if time == 0 {
            return;
        }
        let part = u128::from(waited.min(time)) * u128::from(WHOLE) / u128::from(time);
        let seconds = (time / 1_000_000_000).clamp(1, 300);
        for _ in 0..seconds {
            for (average, weight) in self.averages.iter_mut().zip(WEIGHTS) {
                average.add(part as u16, weight);
            }
        }
    }

    /// The part of the last 10 seconds, of [`WHOLE`].
    pub fn over_10_s(&self) -> u16 {
        self.averages[0].part()
    }

    /// The part of the last 60 seconds.
    pub fn over_60_s(&self) -> u16 {
        self.averages[1].part()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn averages_come_up_go_down_and_stay_within_the_whole() {
        let mut meter = PressureMeter::default();
        (0..10).for_each(|_| meter.add(SECOND, SECOND));
        // 1 - exp(-1) of the whole, and 1 - exp(-1/6).
        assert!((6300..=6340).contains(&meter.over_10_s()), "{}", meter.over_10_s());
        assert!((1520..=1545).contains(&meter.over_60_s()), "{}", meter.over_60_s());
        (0..2000).for_each(|_| meter.add(SECOND, 5 * SECOND));
        assert!(meter.over_10_s() <= WHOLE && meter.over_10_s() > WHOLE - 5);
        meter.add(300 * SECOND, 0);
        assert!(meter.over_10_s() < 5);
        meter.add(0, 7);
    }
}
