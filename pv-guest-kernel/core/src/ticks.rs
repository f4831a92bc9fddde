//! A counter's ticks as nanoseconds, and back: [`Ticks`].

const NANOSECONDS: u64 = 1_000_000_000;

/// Fraction bits of the factors below.
const FRACTION: u32 = 32;

/// How fast a counter counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticks {
    /// Nanoseconds a tick.
    per_tick: u64,
    /// Ticks a nanosecond.
    per_nanosecond: u64,
}

/// A product with a factor that has a fraction.
fn scale(value: u64, factor: u64) -> u64 {
    let product = (u128::from(value) * u128::from(factor)) >> FRACTION;
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// A quotient with a fraction.
fn factor(of: u64, by: u64) -> u64 {
    ((u128::from(of) << FRACTION) / u128::from(by)) as u64
}

impl Ticks {
    /// So many in a second; at least one.
    pub fn per_second(frequency: u64) -> Ticks {
        let frequency = frequency.max(1);
        Ticks {
            per_tick: factor(NANOSECONDS, frequency),
            per_nanosecond: factor(frequency, NANOSECONDS),
        }
    }

    /// The time that the counter shows.
    #[inline]
    pub fn nanoseconds(self, ticks: u64) -> u64 {
        scale(ticks, self.per_tick)
    }

    /// What the counter must have reached for it to show that time, or a little more: whoever
    /// waits for it does not wake too early.
    #[inline]
    pub fn reaching(self, nanoseconds: u64) -> u64 {
        let mut ticks = scale(nanoseconds, self.per_nanosecond);
        // The factors are cut off: go on until the counter shows the time.
        loop {
            let behind = nanoseconds.saturating_sub(self.nanoseconds(ticks));
            if behind == 0 || ticks == u64::MAX {
                return ticks;
            }
            ticks = ticks.saturating_add(scale(behind, self.per_nanosecond)).saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_second_is_a_second() {
        for frequency in [10_000_000, 1_000_000_000, 3_187_000_000] {
            let ticks = Ticks::per_second(frequency);
            let second = ticks.nanoseconds(frequency);
            assert!((NANOSECONDS - 10..=NANOSECONDS).contains(&second), "{second}");
        }
    }

    proptest! {
        #[test]
        fn the_time_has_come_when_the_counter_gets_there(
            frequency in 1_000_000u64..5_000_000_000,
            at in 0u64..1 << 60,
        ) {
            let ticks = Ticks::per_second(frequency);
            let reached = ticks.reaching(at);
            prop_assert!(ticks.nanoseconds(reached) >= at);
            let late = ticks.nanoseconds(reached) - at;
            prop_assert!(late <= 4 * NANOSECONDS / frequency + 4, "{late} ns late");
        }
    }
}
