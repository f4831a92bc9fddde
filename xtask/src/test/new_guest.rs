//! What a kernel author does first, as the README says it: `cargo xtask new`, `run`, and the
//! conformance suite in a kernel of one's own, outside the workspace.

use super::boots::{command, run};
use super::count::{Count, counted, one};
use crate::arch::Arch;
use crate::conformance::{self, Guest};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{new, workspace};
use anyhow::{Context, Result, ensure};

/// Tests of the suite that need no peer: at least so many must have been made.
const MADE: usize = 200;

/// Makes, builds and boots new guests on an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let mut count = one(&format!("a new guest, {arch}"), |progress| {
        let outside = tempfile::tempdir().context("cannot make a temporary folder")?;
        let folder = new::create(&outside.path().join("my-kernel"), workspace::root(), false)?;
        let mut command = command(arch, may)?;
        command.arg("--guest").arg(&folder);
        let ran = run(command, progress)?;
        let says = "pages of memory";
        ensure!(ran.well && ran.errors.contains(says), "{}", ran.last_lines());
        Ok(())
    });
    count += counted(&format!("conformance of a new guest, {arch}"), |progress| {
        let suite = suite(arch, may, progress)?;
        Ok((suite, suite.to_string()))
    });
    count
}

fn suite(arch: Arch, may: MayInstall, progress: &Progress) -> Result<Count> {
    let outside = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = new::create(&outside.path().join("my-kernel"), workspace::root(), true)?;
    let results = conformance::emulated(arch, false, may, &Guest::Path(folder), "", progress)?;
    let passed = results.passed();
    ensure!(passed >= MADE, "{results}: {MADE} tests or more need no peer");
    Ok(Count { passed, failed: results.failed() })
}
