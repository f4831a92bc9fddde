//! What a guest says of itself. Hints: none of it is checked by anything.

use super::Part;
use crate::policy::Pages;

/// Pressure stall information: which part of the time tasks waited for memory, averaged over 10 and
/// over 60 seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stall {
    /// Over the last 10 seconds.
    pub over_10_s: Part,
    /// Over the last 60 seconds.
    pub over_60_s: Part,
}

/// Pressure as Linux reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Stall,
    /// All tasks that could run waited.
    pub full: Stall,
}

impl Pressure {
    /// *Some* over 10 seconds from which on a guest is under pressure: a tenth of the time.
    pub const SOME: Part = Part::per_cent(10);
    /// *Full* over 10 seconds, likewise.
    pub const FULL: Part = Part::per_cent(2);

    /// Whether that is so much that nothing should be taken.
    pub fn is_high(&self) -> bool {
        self.some.over_10_s >= Pressure::SOME || self.full.over_10_s >= Pressure::FULL
    }
}

/// Pages read again a second that the guest had let go: its working set does not fit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Refaults(pub u32);

/// A guest's report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GuestStatistics {
    /// Pages that nobody uses.
    pub free: Pages,
    /// Pages that could be had without swapping.
    pub available: Pages,
    /// Pages of files.
    pub cache: Pages,
    /// Pages that it says it needs.
    pub needed: Pages,
    /// How often pages are read again.
    pub refaults: Refaults,
    /// Pressure.
    pub pressure: Pressure,
}
