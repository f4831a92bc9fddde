//! `cargo xtask run --demo NAME`: machines that show one thing, with pictures at the end.

mod overcommit;
mod owners;
pub mod scene;
pub mod sharing;

use crate::arch::Arch;
use crate::packages::MayInstall;
use anyhow::Result;
use clap::ValueEnum;
use std::num::NonZero;
use std::time::Duration;

/// Which demonstration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Demo {
    /// Guests whose maxima exceed the machine: they burst, borrow and give back.
    Overcommit,
    /// Clones that share the frames of pages that are alike, and guests that differ.
    Sharing,
}

impl Demo {
    /// Shows it; `policy` is a word of the hypervisor's command line, `share` how many pages of each
    /// guest are looked at in a second, `timeout` in seconds.
    pub fn run(
        self,
        arch: Arch,
        may: MayInstall,
        policy: Option<&str>,
        share: Option<NonZero<u64>>,
        timeout: u64,
    ) -> Result<()> {
        let limit = (timeout != 0).then(|| Duration::from_secs(timeout));
        match self {
            Demo::Overcommit => {
                overcommit::run(arch, may, policy.unwrap_or("idle-tax:75"), share, limit)
            }
            Demo::Sharing => sharing::run(arch, may, limit),
        }
    }
}
