//! A guest from which memory is taken by force while it works, beside one that goes on, in debug
//! images with the audit; most of it goes to a disk.

use super::boots::{at_least, command, ends_well, write};
use super::count::{Count, one};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};

const MANIFEST: &str = r#"
memory = "96M"
[options]
audit_period = 900
[[domain]]
name = "forced"
memory = "16M"
limit = "8M"
module = "rootfs"
[[domain]]
name = "beside"
memory = "8M"
"#;

/// What the guest does, which has half the memory that it believes to have.
const SCRIPT: &str = "\
head -c 900000 /bin/busybox >/tmp/a
seq 20000 >/tmp/b
md5sum /tmp/a /tmp/b >/tmp/sums
sleep 1
i=0
while [ $i -lt 3 ]; do
  sort -n -r /tmp/b | head -1
  md5sum -c /tmp/sums
  i=$((i+1))
done
";

const SAYS: &str = "\
20000
/tmp/a: OK
/tmp/b: OK
";

/// Pages that go at least, such that come back, and such that go to the disk, as hardly any find room where
/// the compressed ones are kept: without any of these nothing was shown.
const AT_LEAST: [(&str, u64); 3] = [("put_away", 200), ("returned", 200), ("swapped", 100)];

/// The test of an architecture.
pub fn test(arch: Arch, may: MayInstall) -> Count {
    one(&format!("memory taken by force, audited, {arch}"), |progress| run(arch, may, progress))
}

fn run(arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut command = command(arch, may)?;
    command.args(["--debug", "--store", "256K", "--swap-disk", "4M"]);
    command.arg("--manifest").arg(write(folder.path(), "forced.toml", MANIFEST)?);
    command.arg("--script").arg(write(folder.path(), "script", SCRIPT)?);
    let report = ends_well(command, progress)?;
    let said = report["scripts"][0]["output"].as_str().unwrap_or_default();
    ensure!(said == SAYS.repeat(3), "the guest said: {said}");
    at_least(&report["away"], &AT_LEAST)?;
    ensure!(report["away"]["failed"] == 0, "transfers of the disk failed: {}", report["away"]);
    Ok(())
}
