//! Scripts that guests run in place of a shell: how they get there, and what comes back.
//!
//! A script is a second archive behind the first file system, as Linux allows of its initial
//! file systems: a file `/etc/script`, which `/init` runs.

mod capture;
mod machine;
mod option;
mod run;

pub use capture::{Capture, Outcome};
pub use machine::{Kernel, Machine, Typist};
pub use option::ScriptOption;
pub use run::{BadStatus, Ended, Scripts};

use crate::rootfs;
use anyhow::Result;

/// Where a guest finds it.
const PLACE: &str = "etc/script";

/// Seconds from 1970 to the moment at which a machine starts, as QEMU's clock has it too: the
/// first of January 2026.
pub const START: u64 = 1_767_225_600;

/// The first file system with a script in it.
pub fn with_script(mut archive: Vec<u8>, script: &[u8]) -> Result<Vec<u8>> {
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(rootfs::of_file(PLACE, script.to_vec())?);
    Ok(archive)
}

/// The words of a command line for a guest kernel that runs programs only.
pub fn words(more: &str) -> String {
    format!("quiet time={START} {more}").trim_end().to_owned()
}
