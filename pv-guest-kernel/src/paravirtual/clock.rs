//! Time: the machine's counter in nanoseconds, and the alarm.

use kernel_core::ticks::Ticks;
use pv_guest::{abi::Port, calls, events, time};

/// The clock.
#[derive(Debug)]
pub struct Clock {
    ticks: Ticks,
    /// What the timer is set to, in ticks.
    deadline: Option<u64>,
}

impl Clock {
    /// A clock over a counter of that many ticks in a second.
    pub fn new(ticks_per_second: u64) -> Clock {
        Clock { ticks: Ticks::per_second(ticks_per_second), deadline: None }
    }

    /// Nanoseconds since the counter began.
    pub fn now(&self) -> u64 {
        self.ticks.nanoseconds(time::now())
    }

    /// Sets the alarm. It never comes early.
    pub fn set_alarm(&mut self, at: Option<u64>) {
        let ticks = at.map(|at| self.ticks.reaching(at));
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
