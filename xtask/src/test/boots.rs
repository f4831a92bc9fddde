//! `cargo xtask run` as a process of its own, just as a user runs it: what it is given, what
//! came of it, and the runs that must end well.

use super::count::{Count, one};
use crate::arch::Arch;
use crate::images;
use crate::packages::MayInstall;
use crate::process;
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Lines of its error output that a failed run shows.
const LAST_LINES: usize = 40;

/// A run that must end well: what it shows, and its options.
struct Demo {
    title: &'static str,
    options: &'static [&'static str],
}

const DEMOS: &[Demo] = &[
    Demo { title: "two guests", options: &[] },
    Demo { title: "two guests, audited", options: &["--debug", "--audit", "4", "--memory", "80M"] },
    Demo { title: "32 guests", options: &["--guests", "32"] },
];

/// A manifest with most of its keys. The memory of one domain ends in the middle of an extent.
const MANIFEST: &str = r#"
memory = "256M"
[options]
slice_ms = 5
scatter_seed = 7
[[domain]]
name = "left"
memory = "15M"
max_memory = "32M"
command_line = "peer=2"
[[domain]]
name = "right"
memory = "8M"
watchdog_ms = 5000
command_line = "peer=1"
"#;

/// A guest kernel that tests the machine under it.
const MACHINE_TEST: &str = r#"
[[domain]]
name = "tested"
memory = "8M"
command_line = "machine-test"
"#;

/// What came of a run.
pub struct Ran {
    /// Whether its exit status says that all is well.
    pub well: bool,
    /// What it wrote to the output: with `--json` the report alone.
    pub output: String,
    /// What it wrote to the error output: consoles, logs, errors.
    pub errors: String,
}

impl Ran {
    /// The report.
    pub fn report(&self) -> Result<Value> {
        serde_json::from_str(&self.output).context("the output of `run --json` is not JSON")
    }

    /// The end of the error output, for people.
    pub fn last_lines(&self) -> String {
        let lines: Vec<&str> = self.errors.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// The command `run --json` for an architecture.
pub fn command(arch: Arch, may: MayInstall) -> Result<Command> {
    let own = std::env::current_exe().context("cannot find our own program")?;
    let mut command = Command::new(own);
    images::tell(&mut command);
    command.args(["run", "--arch", arch.name(), "--json"]);
    if !may.0 {
        command.arg("--no-install");
    }
    Ok(command)
}

/// Runs the command to its end, without a terminal.
pub fn run(mut command: Command, progress: &Progress) -> Result<Ran> {
    progress.at(&process::show(&command));
    let output =
        command.output().with_context(|| format!("cannot run `{}`", process::show(&command)))?;
    Ok(Ran {
        well: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A number of frames in the report's totals.
pub fn frames(report: &Value, key: &str) -> Result<u64> {
    report["totals"][key].as_u64().with_context(|| format!("the report has no {key}"))
}

/// A part of the report counts at least so many pages of each of these: else nothing was shown.
pub fn at_least(counts: &Value, expected: &[(&str, u64)]) -> Result<()> {
    for (what, least) in expected {
        let pages = counts[what].as_u64().unwrap_or_default();
        ensure!(pages >= *least, "{what}: {pages} pages, at least {least} are expected");
    }
    Ok(())
}

/// Boots what must end well on an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let mut count = Count::default();
    for demo in DEMOS {
        count += one(&format!("{}, {arch}", demo.title), |progress| {
            let mut command = command(arch, may)?;
            command.args(demo.options);
            ends_well(command, progress).map(drop)
        });
    }
    count += one(&format!("two guests of a manifest, {arch}"), |progress| {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let mut command = command(arch, may)?;
        command.arg("--manifest").arg(write(folder.path(), "manifest.toml", MANIFEST)?);
        let report = ends_well(command, progress)?;
        for name in ["left", "right"] {
            let domains = report["domains"].as_array().context("the report has no domains")?;
            let found = domains.iter().any(|domain| domain["name"] == name && domain["ok"] == true);
            ensure!(found, "the report has no domain {name} that ended well");
        }
        Ok(())
    });
    for (title, options) in [("", &[][..]), (", audited", &["--debug", "--audit", "200"][..])] {
        count += one(&format!("the kernel's machine test{title}, {arch}"), |progress| {
            machine_test(arch, may, options, progress)
        });
    }
    count
}

/// The machine test of the guest kernel: alone, and in a debug image with the audit.
fn machine_test(arch: Arch, may: MayInstall, options: &[&str], progress: &Progress) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut command = command(arch, may)?;
    command.args(options);
    command.arg("--manifest").arg(write(folder.path(), "manifest.toml", MACHINE_TEST)?);
    let ran = run(command, progress)?;
    ensure!(ran.well, "{}", ran.last_lines());
    // A kernel that does not run the test powers off just as well.
    ensure!(
        ran.errors.contains("machine test: ") && ran.errors.contains(" checks passed"),
        "no word of the machine test:\n{}",
        ran.last_lines()
    );
    Ok(())
}

/// Writes a file of a test; returns its path.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Clauses: FRAME.16 SHUTDOWN.7
pub fn ends_well(command: Command, progress: &Progress) -> Result<Value> {
    let ran = run(command, progress)?;
    if !ran.well {
        bail!("{}", ran.last_lines());
    }
    let report = ran.report()?;
    ensure!(report["ok"] == true, "exit status 0, but the report says: {}", report["reason"]);
    let (before, after) = (frames(&report, "frames_before")?, frames(&report, "frames_after")?);
    ensure!(before == after, "{before} frames were free before the domains, {after} after them");
    Ok(report)
}
