//! How short of memory the machine is: high, soft, hard or low.

use crate::activity::Part;
use crate::policy::Pages;

/// How much memory is free, and so how it is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemoryState {
    /// Hardly any: by force, and guests above their targets wait until it is over.
    Low,
    /// Very little: by force.
    Hard,
    /// Little: by balloon, by force only where a balloon does not move.
    Soft,
    /// Enough: nothing is taken.
    High,
}

/// Free memory, as a part of all, that each state needs to be entered from below. A state is left
/// downwards only at the threshold of the state below it: that is the hysteresis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thresholds {
    high: Part,
    soft: Part,
    hard: Part,
    low: Part,
}

impl Thresholds {
    /// Of ESX: 6, 4, 2 and 1 %.
    pub const ESX: Thresholds = Thresholds {
        high: Part::per_cent(6),
        soft: Part::per_cent(4),
        hard: Part::per_cent(2),
        low: Part::per_cent(1),
    };

    /// From four parts; `None` unless each is less than the one before.
    pub fn new(high: Part, soft: Part, hard: Part, low: Part) -> Option<Thresholds> {
        (high > soft && soft > hard && hard > low).then_some(Thresholds { high, soft, hard, low })
    }

    /// What is to be free of so much memory: targets leave it alone.
    pub const fn reserve(&self, memory: Pages) -> Pages {
        self.high.of_pages(memory)
    }

    /// What growth may not touch. The least that still counts as soft: a guest that grows costs
    /// others no more than a balloon's pages, never pages by force.
    pub const fn last_frames(&self, memory: Pages) -> Pages {
        self.hard.of_pages(memory)
    }

    /// The state that follows another when so much of the memory is free.
    pub fn next(&self, state: MemoryState, free: Pages, memory: Pages) -> MemoryState {
        let at_least = |part: Part| free >= part.of_pages(memory);
        // Where free memory leads upwards, and where it still holds a state.
        let risen = if at_least(self.high) {
            MemoryState::High
        } else if at_least(self.soft) {
            MemoryState::Soft
        } else if at_least(self.hard) {
            MemoryState::Hard
        } else {
            MemoryState::Low
        };
        let held = if at_least(self.soft) {
            MemoryState::High
        } else if at_least(self.hard) {
            MemoryState::Soft
        } else if at_least(self.low) {
            MemoryState::Hard
        } else {
            MemoryState::Low
        };
        state.clamp(risen, held)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::MemoryState::{Hard, High, Low, Soft};
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const MEMORY: Pages = Pages(100_000);

    fn walk(start: MemoryState, free: impl IntoIterator<Item = u64>) -> Vec<MemoryState> {
        let mut state = start;
        let mut path = vec![state];
        for free in free {
            let next = Thresholds::ESX.next(state, Pages(free), MEMORY);
            if next != state {
                path.push(next);
            }
            state = next;
        }
        path
    }

    #[test]
    fn every_state_is_reached_downwards_and_upwards() {
        assert_eq!(walk(High, (0..10_000).rev()), [High, Soft, Hard, Low]);
        assert_eq!(walk(Low, 0..10_000), [Low, Hard, Soft, High]);
        assert_eq!(walk(High, [0]), [High, Low], "a fall through all of them");
        assert_eq!(walk(Low, [10_000]), [Low, High]);
    }

    #[test]
    fn states_do_not_flap_between_two_thresholds() {
        for (start, low, high) in [(Soft, 4_010, 5_990), (Hard, 2_010, 3_990), (Low, 0, 1_990)] {
            let swings = (0..100).map(|turn| if turn % 2 == 0 { low } else { high });
            assert_eq!(walk(start, swings), [start], "from {start:?}");
        }
        assert_eq!(walk(High, [4_010, 5_990, 4_010]), [High]);
        assert_eq!(walk(High, [3_990, 5_990, 4_010]), [High, Soft]);
    }

    #[test]
    fn thresholds_fall() {
        let part = Part::per_cent;
        assert!(Thresholds::new(part(6), part(4), part(2), part(2)).is_none());
        assert_eq!(Thresholds::new(part(6), part(4), part(2), part(1)), Some(Thresholds::ESX));
    }
}
