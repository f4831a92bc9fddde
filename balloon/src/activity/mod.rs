//! What a guest uses, as the host sees it.
//!
//! A period is a number of pages, chosen at random, of which the host learns whether they are
//! touched before the period ends: by accessed bits, or by taking their mappings away. The part
//! that was touched goes into a slow and a fast average; the estimate is the greatest of both and
//! of what the period has shown so far, so that it rises at once and falls slowly.
//!
//! What a guest says of itself never lowers the estimate, and raises it by no more than chance
//! can explain ([`Evidence`]): who lies about its need gains a few per cent, not a machine.

mod averages;
mod evidence;
mod part;
mod sampler;
mod statistics;

pub use averages::{Averages, Gain};
pub use evidence::{Evidence, Trust};
pub use part::Part;
pub use sampler::{Period, PickedPage, SAMPLE_PAGES, Sampler};
pub use statistics::{GuestStatistics, Pressure, Refaults, Stall};
