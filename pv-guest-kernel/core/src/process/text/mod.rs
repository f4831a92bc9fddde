//! What the files of `/proc` say.

mod maps;
mod process;
mod system;

pub(super) use maps::maps;
pub(super) use process::{stat, statm, status};
pub(super) use system::system;

use super::TICK;
use crate::PAGE;

/// Pages in KiB.
fn kib(pages: u64) -> u64 {
    pages * (PAGE as u64 / 1024)
}
