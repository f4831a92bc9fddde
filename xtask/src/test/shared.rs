//! Two guests whose pages share frames: a small version of `run --demo sharing`. And a page that shares one
//! and that so many processes map that the hypervisor does not remember all entries: the kernel's update is
//! refused on the way into a process, the page gets a frame of its own, and the process runs.

use super::boots::{command, ends_well, write};
use super::count::{Count, section};
use crate::arch::Arch;
use crate::bench::worst_case::BOUND;
use crate::demo::scene::{Played, Scene};
use crate::demo::sharing::{self, Mix};
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};
use pv_wire::SharingSample;
use std::time::Duration;

/// Real time that the machine may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Seconds of the machine's time that the guests give the scanner.
const WAIT: u64 = 8;

/// Pages that are looked at in a second where many processes map them.
const RATE: u64 = 3000;

/// Entries from guests from one audit to the next.
const AUDIT: u32 = 60;

/// Pages that are no zeros and that two guests share at least: the file of programs has 460 and
/// more, and each guest has it twice.
const AT_LEAST: u64 = 2 * 460;

/// Two guests of one group, of which the first has many processes of one program.
const MANY: &str = r#"
memory = "160M"
[[domain]]
name = "many"
memory = "32M"
group = 1
module = "rootfs"
[[domain]]
name = "beside"
memory = "16M"
group = 1
module = "rootfs"
command_line = "quiet init=/bin/busybox sleep 12"
"#;

/// The scanner has six seconds; then a page of the program has 61 processes' entries, the shell's, its
/// kernel's, and that of each that is being made.
const MANY_PROCESSES: &str = "\
sleep 6
i=0
while [ $i -lt 61 ]; do
  sleep 2 &
  i=$((i+1))
done
wait
echo 'all have slept'
";

/// The tests of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section(&format!("guests that share frames, {arch}"), |section| {
        let scene = || sharing::guests(Mix::Same, arch, may, 2, WAIT, Some(LIMIT));
        let played = scene().play()?;
        let most = sharing::most(&played);
        section.test("both said what they had to", most.as_ref().map(|_| ()).map_err(copy));
        if let Ok(most) = most {
            section.test("what both have is shared", is_shared(&most));
        }
        section.test("pages of files are named, and found by that", is_named(&played));
        section.test("no step of the hypervisor takes long", is_bounded(&played));
        let keyed = Scene { keyed_groups: vec![1], ..scene() }.play()?;
        section.test(
            "hashed with a key, as much is shared, and no step takes long",
            sharing::most(&keyed).and_then(|most| is_shared(&most)).and(is_bounded(&keyed)),
        );
        let many = many_map_a_page(arch, may, section.progress);
        section.test("a page that more processes map than are remembered", many);
        let audited = Scene { audit: Some(AUDIT), ..scene() }.play()?;
        section.test("both, audited", sharing::most(&audited).and_then(|_| is_audited(&audited)));
        Ok(())
    })
}

fn many_map_a_page(arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut command = command(arch, may)?;
    command.args(["--share", &RATE.to_string()]);
    command.arg("--manifest").arg(write(folder.path(), "many.toml", MANY)?);
    command.arg("--script").arg(write(folder.path(), "script", MANY_PROCESSES)?);
    let report = ends_well(command, progress)?;
    let said = report["scripts"][0]["output"].as_str().unwrap_or_default();
    ensure!(said == "all have slept\n", "the guest said: {said}");
    let refused = report["domains"][0]["refusals"]["QuotaExceeded"].as_u64().unwrap_or_default();
    ensure!(refused > 0, "no update was refused: the page had entries to spare");
    Ok(())
}

fn copy(error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn is_named(played: &Played) -> Result<()> {
    let named = played.report.sharing.map_or(0, |sharing| sharing.named);
    ensure!(named >= AT_LEAST / 2, "{named} pairs of pages were named");
    Ok(())
}

fn is_bounded(played: &Played) -> Result<()> {
    let longest = sharing::longest(&played.report.stretches)?;
    ensure!(
        longest.instructions < BOUND,
        "{} took {} instructions at a time, the bound is {BOUND}",
        longest.what,
        longest.instructions
    );
    Ok(())
}

fn is_audited(played: &Played) -> Result<()> {
    let audits = played.report.totals.map_or(0, |totals| totals.audits);
    let broken = played.report.sharing.map_or(0, |sharing| sharing.broken);
    ensure!(audits > 100, "the audit ran {audits} times");
    ensure!(broken > 100, "{broken} pages that shared a frame were written");
    Ok(())
}

fn is_shared(most: &SharingSample) -> Result<()> {
    let pages = most.pages - most.zero;
    ensure!(pages >= AT_LEAST, "{pages} pages that are no zeros share frames: {most:?}");
    ensure!(most.zero > 0, "no page of zeros shares a frame: {most:?}");
    ensure!(
        sharing::saved(most) > most.pages / 3,
        "too few frames are saved for that many pages: {most:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_not_enough() {
        let good = SharingSample { pages: 5000, zero: 4000, frames: 501, ..Default::default() };
        assert!(is_shared(&good).is_ok());
        assert!(is_shared(&SharingSample { zero: 4500, ..good }).is_err());
        assert!(is_shared(&SharingSample { zero: 0, ..good }).is_err());
        assert!(is_shared(&SharingSample { frames: 4000, ..good }).is_err());
    }
}
