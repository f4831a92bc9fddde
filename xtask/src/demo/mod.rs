//! `cargo xtask run --demo NAME`: machines that show one thing, with pictures at the end.

mod overcommit;
mod owners;
pub mod scene;
pub mod sharing;

use crate::arch::Arch;
use crate::packages::MayInstall;
use anyhow::{Result, bail};
use clap::ValueEnum;
use std::num::NonZero;
use std::time::Duration;

/// How a demonstration is shown.
pub struct Setting<'a> {
    pub arch: Arch,
    pub may: MayInstall,
    /// A word of the hypervisor's command line: how memory is divided.
    pub policy: Option<&'a str>,
    /// How many pages of each guest are looked at in a second.
    pub share: Option<NonZero<u64>>,
    /// Bytes that hold compressed pages which are taken by force, and bytes of a disk for others.
    pub store: Option<u64>,
    pub swap_disk: Option<u64>,
    /// Sharing groups whose pages are hashed with a key; the guests of a demonstration are in group 1.
    pub keyed_groups: &'a [u8],
    /// Real time that a machine may take.
    pub limit: Option<Duration>,
    /// Whether a program reads what comes of it.
    pub json: bool,
}

/// Which demonstration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Demo {
    /// Guests whose maxima exceed the machine: they burst, borrow and give back.
    Overcommit,
    /// Clones that share the frames of pages that are alike, and guests that differ.
    Sharing,
}

impl Demo {
    /// Shows it.
    pub fn run(self, setting: &Setting<'_>) -> Result<()> {
        match self {
            Demo::Overcommit => overcommit::run(setting),
            Demo::Sharing if setting.store.is_some() => {
                bail!(
                    "--store takes memory by force, which `--demo overcommit` shows: leave it out"
                )
            }
            Demo::Sharing => sharing::run(setting),
        }
    }
}
