//! What the files of `/proc` say.

mod maps;
mod process;
mod system;

#[cfg(test)]
mod tests;

pub(super) use maps::maps;
pub(super) use process::{stat, statm, status};
pub(super) use system::system;

use crate::PAGE;

/// Nanoseconds of a clock tick, in which times are counted (`USER_HZ` is 100).
const TICK: u64 = 10_000_000;

/// Pages in KiB.
fn kib(pages: u64) -> u64 {
    pages * (PAGE as u64 / 1024)
}
