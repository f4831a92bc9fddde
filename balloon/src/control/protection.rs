//! A guest that was found under pressure is left alone for a while, and longer each time.

use super::Tick;

/// How long: at first, and at most. It doubles in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// Ticks of the first.
    pub first: u64,
    /// Ticks of the longest.
    pub longest: u64,
}

impl Backoff {
    /// Ten minutes to an hour, at a tick of ten seconds.
    pub const USUAL: Backoff = Backoff { first: 60, longest: 360 };
}

/// Whether a guest is to be left alone.
///
/// Only pressure for which there is evidence ([`Evidence`](crate::activity::Evidence)) belongs
/// here: a guest's word alone would protect a liar for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Protection {
    backoff: Backoff,
    next: u64,
    until: Option<Tick>,
}

impl Protection {
    /// None yet.
    pub const fn new(backoff: Backoff) -> Protection {
        Protection { backoff, next: backoff.first, until: None }
    }

    /// The guest is under pressure now. While it is protected, that is no news.
    pub fn on_pressure(&mut self, now: Tick) {
        if self.is_on(now) {
            return;
        }
        // Quiet for as long as the longest: the doubling begins anew.
        let quiet = self.until.is_none_or(|until| now.0 - until.0 > self.backoff.longest);
        let length = if quiet { self.backoff.first } else { self.next };
        self.until = Some(Tick(now.0.saturating_add(length)));
        self.next = length.saturating_mul(2).min(self.backoff.longest);
    }

    /// Whether nothing may be taken from it.
    pub fn is_on(&self, now: Tick) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of the protections of a guest that is under pressure whenever it is asked.
    fn lengths(pauses: &[u64]) -> [u64; 6] {
        let mut protection = Protection::new(Backoff::USUAL);
        let mut now = Tick(1_000);
        let mut lengths = [0; 6];
        for (index, length) in lengths.iter_mut().enumerate() {
            now.0 += pauses.get(index).copied().unwrap_or(0);
            assert!(!protection.is_on(now));
            let start = now;
            while !protection.is_on(now) || now == start {
                protection.on_pressure(now);
                now.0 += 1;
            }
            while protection.is_on(now) {
                protection.on_pressure(now);
                now.0 += 1;
            }
            *length = now.0 - start.0;
        }
        lengths
    }

    #[test]
    fn it_doubles_up_to_the_longest_and_ends_each_time() {
        assert_eq!(lengths(&[]), [60, 120, 240, 360, 360, 360]);
    }

    #[test]
    fn after_a_long_quiet_time_it_begins_anew() {
        assert_eq!(lengths(&[0, 0, 361]), [60, 120, 60, 120, 240, 360]);
        assert_eq!(lengths(&[0, 0, 360]), [60, 120, 240, 360, 360, 360]);
    }
}
