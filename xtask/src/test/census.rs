//! The census of page tables: a root for each process of four guests, and one for each kernel.

use super::count::{Count, one};
use crate::arch::Arch;
use crate::census::Counted;
use crate::packages::MayInstall;
use std::time::Duration;

/// Real time that the run may take.
const LIMIT: Duration = Duration::from_secs(300);

/// The test of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    one(&format!("forty processes have forty root tables, {arch}"), |_| {
        Counted { arch, may, limit: Some(LIMIT) }.run()?.check()
    })
}
