//! The clock: nanoseconds, the kernel's alarm, and when the serial line is looked at.

use bare_machine::arch;
use kernel_core::ticks::Ticks;

/// Times in a second that the serial line is looked at.
const POLLS_PER_SECOND: u64 = 100;

/// The machine's clock and its one timer.
#[derive(Debug)]
pub struct Clock {
    ticks: Ticks,
    poll_ticks: u64,
    /// Counter values, `u64::MAX` for never: of the kernel's alarm, of the next look at the serial
    /// line, and for which the timer is set.
    alarm: u64,
    poll: u64,
    set: u64,
}

impl Clock {
    /// A clock that ticks so often.
    pub fn new(ticks_per_second: u64) -> Clock {
        let poll_ticks = ticks_per_second / POLLS_PER_SECOND;
        Clock {
            ticks: Ticks::per_second(ticks_per_second),
            poll_ticks,
            alarm: u64::MAX,
            poll: arch::now().saturating_add(poll_ticks),
            set: u64::MAX,
        }
    }

    /// Nanoseconds since the machine started.
    pub fn now(&self) -> u64 {
        self.ticks.nanoseconds(arch::now())
    }

    /// Sets or clears the alarm.
    pub fn set_alarm(&mut self, at: Option<u64>) {
        self.alarm = at.map_or(u64::MAX, |at| self.ticks.reaching(at));
    }

    /// Sees to it that the timer interrupts in time. A timer that is set for an earlier moment is
    /// left alone, as setting it can be a call to the firmware: it is set anew when it rings.
    pub fn arm(&mut self) {
        let at = self.alarm.min(self.poll);
        if at < self.set {
            arch::set_alarm(at);
            self.set = at;
        }
    }

    /// The timer has interrupted, or may have.
    pub fn interrupted(&mut self) {
        self.set = u64::MAX;
        let now = arch::now();
        if now >= self.poll {
            self.poll = now.saturating_add(self.poll_ticks);
        }
    }

    /// Whether the alarm is due, which forgets it.
    pub fn take_alarm(&mut self) -> bool {
        let due = arch::now() >= self.alarm;
        if due {
            self.alarm = u64::MAX;
        }
        due
    }
}
