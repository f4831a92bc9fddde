//! Targets as programs: built with coverage, run, and what came of it.

use super::corpus;
use crate::packages::{self, MayInstall};
use crate::progress::Progress;
use crate::workspace::find_program;
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What LLVM counts, and where libFuzzer looks for it; as cargo-fuzz has it.
const FLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];

/// Bytes of an input at most: the choice of a machine and 64 steps of a sequence; a page or
/// two of anything else.
const LONGEST: [(&str, u32); 4] =
    [("bundle", 16384), ("elf", 8192), ("device_tree", 8192), ("wire", 4096)];
const LONG: u32 = 1025;

/// Seconds that one input may take.
const PATIENCE: u32 = 25;

/// The built targets.
pub struct Fuzzer {
    programs: PathBuf,
}

/// How a run ended.
pub enum Ended {
    /// Nothing was found in so many runs.
    Well(u64),
    /// This input shows something: a replay says what.
    Found(PathBuf),
}

impl Fuzzer {
    /// Builds the targets.
    pub fn build(targets: &[String], may: MayInstall) -> Result<Fuzzer> {
        if find_program("c++").is_none() {
            packages::install(&["g++"], "a C++ compiler, of which libFuzzer is built,", may)?;
        }
        let progress = Progress::new("building the fuzz targets");
        let host = host()?;
        let target_folder = workspace::target_folder("fuzz")?;
        let mut command = Command::new(toolchain::cargo());
        command.current_dir(workspace::root().join("fuzz"));
        // Naming the target keeps the flags from build scripts, which run here.
        command.args(["build", "--quiet", "--release", "--target", &host]);
        for target in targets {
            command.args(["--bin", target]);
        }
        command.env("CARGO_TARGET_DIR", &target_folder);
        command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).env_remove("RUSTFLAGS");
        process::run(&mut command)?;
        progress.done("ok");
        Ok(Fuzzer { programs: target_folder.join(host).join("release") })
    }

    /// A command for a target's program.
    pub fn command(&self, target: &str) -> Command {
        let mut command = Command::new(self.programs.join(target));
        let long = LONGEST.iter().find(|(name, _)| *name == target).map_or(LONG, |(_, long)| *long);
        // Long inputs from the start: what is short does little.
        command.args([format!("-max_len={long}"), "-len_control=0".into()]);
        command
    }

    /// Runs a target for a time.
    pub fn run(&self, target: &str, seconds: u32, progress: &Progress) -> Result<Ended> {
        let artifacts = workspace::target_folder(&format!("fuzz/artifacts/{target}"))?;
        let mut command = self.command(target);
        command.args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={PATIENCE}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-print_final_stats=1".into(),
        ]);
        // What is new goes into the first folder; the others are read.
        command.arg(corpus::working(target)?).arg(corpus::kept(target)?);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let line = process::show(&command);
        let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
        let output = child.stderr.take().context("the target has no error output")?;
        let mut said = String::new();
        for text in BufReader::new(output).lines().map_while(Result::ok) {
            if text.starts_with('#') {
                progress.at(&text);
            } else {
                said.push_str(&text);
                said.push('\n');
            }
        }
        let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
        if status.success() {
            return Ok(Ended::Well(runs(&said).unwrap_or(0)));
        }
        match artifact(&said) {
            Some(file) => Ok(Ended::Found(file)),
            None => bail!("`{line}` failed: {status}\n{said}"),
        }
    }
}

/// The triple of this machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let text = process::read(Command::new(rustc).arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// The number of runs that libFuzzer tells at its end.
fn runs(said: &str) -> Option<u64> {
    let line =
        said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
}

/// The file that libFuzzer has written of what it found.
fn artifact(said: &str) -> Option<PathBuf> {
    let line = said.lines().find_map(|line| line.split_once("Test unit written to "))?;
    Some(Path::new(line.1.trim()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "Done 878 runs in 16 second(s)\nstat::number_of_executed_units: 878\n";
        assert_eq!(runs(said), Some(878));
        assert_eq!(artifact(said), None);
        let said = "SUMMARY: x\nartifact_prefix='a/'; Test unit written to a/crash-12\nBase64: \n";
        assert_eq!(artifact(said), Some("a/crash-12".into()));
        assert_eq!(runs(said), None);
    }
}
