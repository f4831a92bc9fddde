//! A balloon that is asked and does not move.

use crate::policy::Pages;

/// How long a balloon is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Ticks in a row without a page.
    pub ticks: u32,
    /// Pages that may be missing at the end: those that a driver sets aside because they are
    /// lent. A balloon that stands a few pages before its goal does not stall.
    pub missing: Pages,
}

impl Patience {
    /// Half a minute at a tick of ten seconds, and what a balloon sets aside.
    pub const USUAL: Patience = Patience { ticks: 3, missing: Pages(crate::MAX_SET_ASIDE as u64) };
}

/// Watches one balloon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StallDetector {
    patience: Patience,
    idle: u32,
}

impl StallDetector {
    /// Of a balloon that has not been asked yet.
    pub const fn new(patience: Patience) -> StallDetector {
        StallDetector { patience, idle: 0 }
    }

    /// A tick went by in which it was asked for so many pages and gave so many.
    pub fn observe(&mut self, asked: Pages, gave: Pages) {
        if gave > Pages::ZERO {
            self.idle = 0;
        } else if asked > self.patience.missing {
            self.idle = self.idle.saturating_add(1);
        }
    }

    /// Whether it is not worth asking: until it gives something of its own accord.
    pub const fn is_stalled(&self) -> bool {
        self.idle >= self.patience.ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balloon_stalls_after_so_many_ticks_and_is_forgiven_when_it_moves() {
        let mut balloon = StallDetector::new(Patience::USUAL);
        let (some, none) = (Pages(100), Pages::ZERO);
        for _ in 0..2 {
            balloon.observe(some, none);
        }
        assert!(!balloon.is_stalled());
        balloon.observe(some, Pages(1));
        for _ in 0..3 {
            assert!(!balloon.is_stalled());
            balloon.observe(some, none);
        }
        assert!(balloon.is_stalled());
        balloon.observe(none, none);
        assert!(balloon.is_stalled(), "not being asked is no excuse");
        balloon.observe(none, Pages(1));
        assert!(!balloon.is_stalled());
    }

    #[test]
    fn a_few_pages_that_are_lent_are_no_stall() {
        let mut balloon = StallDetector::new(Patience::USUAL);
        for _ in 0..1_000 {
            balloon.observe(Pages(64), Pages::ZERO);
        }
        assert!(!balloon.is_stalled());
    }
}
