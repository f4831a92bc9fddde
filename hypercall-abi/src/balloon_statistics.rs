//! What a guest's kernel says of its memory, in `balloon_report`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The version of [`BalloonStatistics`] that this crate defines.
pub const STATISTICS_VERSION: u64 = 1;

/// What stands for the whole of the time in the fields of pressure: they count 10,000ths.
pub const WHOLE: u16 = 10_000;

/// Counts of a kernel's memory in pages, and rates: 112 bytes at the start of the argument frame.
///
/// Rates are events since the report before, divided by the seconds since. Pressure is as in
/// Linux's pressure stall information: the part of the time in which some task, or every task that
/// could run, waited for memory.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct BalloonStatistics {
    /// [`STATISTICS_VERSION`].
    pub version: u64,
    /// Which report of the kernel's this is: it grows.
    pub generation: u64,
    /// Pages that nobody uses.
    pub free: u64,
    /// Pages that could be had without swapping: free pages and clean cache.
    pub available: u64,
    /// Pages of files.
    pub cache: u64,
    /// Pages that the kernel says it needs.
    pub needed: u64,
    /// Holes that the balloon keeps.
    pub balloon: u64,
    /// Page faults a second.
    pub faults: u64,
    /// Pages a second that were read again after they had been let go.
    pub refaults: u64,
    /// Pages a second that came from swap.
    pub swapped_in: u64,
    /// Pages a second that went to swap.
    pub swapped_out: u64,
    /// Times that the kernel was about to kill a process for want of memory, since it started.
    pub shortages: u64,
    /// Some task waited: over 10 seconds, in parts of [`WHOLE`].
    pub some_over_10_s: u16,
    /// Some task waited: over 60 seconds.
    pub some_over_60_s: u16,
    /// All tasks waited: over 10 seconds.
    pub full_over_10_s: u16,
    /// All tasks waited: over 60 seconds.
    pub full_over_60_s: u16,
    /// Reserved: 0.
    pub reserved: u64,
}

const _: () = assert!(size_of::<BalloonStatistics>() == 112);
