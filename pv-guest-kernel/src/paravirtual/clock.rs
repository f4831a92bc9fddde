//! Time: the machine's counter in nanoseconds, and the alarm.

use pv_guest::{abi::Port, calls, events, time};

const NANOSECONDS: u64 = 1_000_000_000;

/// Fraction bits of the factors below.
const FRACTION: u32 = 32;

/// The clock.
#[derive(Debug)]
pub struct Clock {
    /// Nanoseconds a tick.
    per_tick: u64,
    /// Ticks a nanosecond.
    per_nanosecond: u64,
    /// What the timer is set to, in ticks.
    deadline: Option<u64>,
}

/// A product with a factor that has a fraction.
fn scale(value: u64, factor: u64) -> u64 {
    let product = (u128::from(value) * u128::from(factor)) >> FRACTION;
    product.min(u128::from(u64::MAX)) as u64
}

/// A quotient with a fraction.
fn factor(of: u64, by: u64) -> u64 {
    ((u128::from(of) << FRACTION) / u128::from(by)) as u64
}

impl Clock {
    /// A clock over a counter of that many ticks in a second.
    pub fn new(ticks_per_second: u64) -> Clock {
        let frequency = ticks_per_second.max(1);
        Clock {
            per_tick: factor(NANOSECONDS, frequency),
            per_nanosecond: factor(frequency, NANOSECONDS),
            deadline: None,
        }
    }

    /// Nanoseconds since the counter began.
    pub fn now(&self) -> u64 {
        scale(time::now(), self.per_tick)
    }

    /// Sets the alarm. It never comes early: the counter's fraction of a nanosecond is added.
    pub fn set_alarm(&mut self, at: Option<u64>) {
        let ticks = at.map(|at| {
            let ticks = scale(at, self.per_nanosecond);
            // The factors are cut off: go on until the clock shows the time.
            let behind = at.saturating_sub(scale(ticks, self.per_tick));
            ticks.saturating_add(scale(behind, self.per_nanosecond)).saturating_add(1)
        });
        if self.deadline != ticks {
            self.deadline = ticks;
            calls::timer_set(ticks.unwrap_or(u64::MAX));
        }
    }

    /// Whether the alarm has come; forgets it.
    pub fn take_alarm(&mut self) -> bool {
        let came = events::take(Port::TIMER);
        if came {
            self.deadline = None;
        }
        came
    }
}
