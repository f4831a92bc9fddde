//! What the host measured and what the guest says, weighed.

use super::{GuestStatistics, Part, Refaults};
use crate::policy::Pages;

/// How far a guest's word goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trust {
    /// What it can add to the measure at most, as a part of its memory: two standard errors of a
    /// sample of 100, which the measure may well be out by.
    pub margin: Part,
    /// The measured part from which on pressure is plausible.
    pub busy: Part,
    /// Refaults a second, seen by the host, from which on it is proved.
    pub refaults: Refaults,
}

impl Trust {
    /// The usual.
    pub const USUAL: Trust =
        Trust { margin: Part::per_cent(10), busy: Part::per_cent(75), refaults: Refaults(50) };
}

/// All that is known of a guest's need.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Pages that the guest has.
    pub allocated: Pages,
    /// The part of them that the host saw in use.
    pub measured: Part,
    /// Refaults that the host saw itself, at the devices it serves.
    pub seen_refaults: Refaults,
    /// What the guest says.
    pub told: Option<GuestStatistics>,
}

impl Evidence {
    /// Pages in use: what was measured, or more if the guest says so, by the margin at most.
    pub fn active(&self, trust: Trust) -> Pages {
        let measured = self.measured.of_pages(self.allocated);
        let most = self.measured.plus(trust.margin).of_pages(self.allocated);
        let told = self.told.map_or(Pages::ZERO, |told| told.needed);
        measured.max(told.min(most))
    }

    /// Whether the guest is under pressure: the host sees it, or the guest says so and the host's
    /// measure makes it plausible. The word alone would let a liar keep all it has for ever.
    pub fn is_under_pressure(&self, trust: Trust) -> bool {
        let told = self.told.is_some_and(|told| told.pressure.is_high());
        self.seen_refaults >= trust.refaults || (told && self.measured >= trust.busy)
    }
}
