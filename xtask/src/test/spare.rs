//! A guest that keeps pages in spare memory beside another, in debug images with the audit: what it finds is what
//! it put, and with more pages than there is room for some give way.

use super::boots::{at_least, command, ends_well, write};
use super::count::{Count, one};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};

const MANIFEST: &str = r#"
memory = "64M"
[options]
audit_period = 60
[[domain]]
name = "cache"
memory = "12M"
module = "rootfs"
[[domain]]
name = "beside"
memory = "8M"
"#;

/// What the guest does: it looks at each page that it finds.
const SCRIPT: &str = "/test/cache 1200 200 2500 1\n";

/// Pages that are found at least, and such that give way to others.
const AT_LEAST: [(&str, u64); 3] = [("kept", 500), ("found", 200), ("displaced", 50)];

/// The test of an architecture.
pub fn test(arch: Arch, may: MayInstall) -> Count {
    one(&format!("pages in spare memory, audited, {arch}"), |progress| run(arch, may, progress))
}

fn run(arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut command = command(arch, may)?;
    command.args(["--debug", "--spare", "2M"]);
    command.arg("--manifest").arg(write(folder.path(), "spare.toml", MANIFEST)?);
    command.arg("--script").arg(write(folder.path(), "script", SCRIPT)?);
    let report = ends_well(command, progress)?;
    let said = report["scripts"][0]["output"].as_str().unwrap_or_default();
    ensure!(said.ends_with("cache done\n"), "the guest said: {said}");
    at_least(&report["spare"], &AT_LEAST)
}
