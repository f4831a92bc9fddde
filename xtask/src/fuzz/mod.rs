//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`, with stable Rust.
//!
//! `cargo fuzz` asks for a nightly compiler, for the sanitizers. The code that is fuzzed here is
//! safe Rust, where the checks of a debug build are what finds things, and the coverage that
//! steers libFuzzer is a pass of LLVM that a stable compiler has too. So the targets are built
//! with that pass and without a sanitizer.

mod corpus;
mod libfuzzer;

use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use libfuzzer::{Ended, Fuzzer};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fuzz one target or all.
#[derive(Args)]
pub struct Fuzz {
    /// The target: a call's name, or one of the others that --list shows.
    #[arg(required_unless_present_any = ["all", "list"], conflicts_with_all = ["all", "list"])]
    target: Option<String>,
    /// Every target, one after another.
    #[arg(long, conflicts_with = "list")]
    all: bool,
    /// Show the targets.
    #[arg(long)]
    list: bool,
    /// Seconds for each target.
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Give the target this file, and tell each call before it is made.
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
    /// Keep what covers most of what was reached: the corpus in `fuzz/corpus/` is written anew.
    #[arg(long, conflicts_with = "replay")]
    keep: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Fuzz {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let targets = targets(workspace::root())?;
        if self.list {
            targets.iter().for_each(|target| println!("{target}"));
            return Ok(());
        }
        let chosen = match &self.target {
            None => targets,
            Some(name) if targets.contains(name) => vec![name.clone()],
            Some(name) => bail!("there is no fuzz target `{name}`: `cargo xtask fuzz --list`"),
        };
        if let (Some(file), Some(target)) = (&self.replay, chosen.first()) {
            return replay(target, file);
        }
        let may = MayInstall(!self.no_install);
        let fuzzer = Fuzzer::build(&chosen, may)?;
        let mut failed = Vec::new();
        for target in &chosen {
            let progress = Progress::new(&format!("fuzz {target}"));
            match fuzzer.run(target, self.seconds, &progress)? {
                Ended::Well(runs) => {
                    if self.keep {
                        corpus::keep(&fuzzer, target)?;
                    }
                    progress.done(&format!("{runs} runs, nothing found"));
                }
                Ended::Found(file) => {
                    tell(target, &file)?;
                    progress.done("FOUND something");
                    failed.push(target.as_str());
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { bail!("found something: {}", failed.join(", ")) }
    }
}

/// The targets: the files of `fuzz/fuzz_targets/`.
fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["fuzz/fuzz_targets/calls", "fuzz/fuzz_targets"] {
        let mut here = Vec::new();
        let entries = std::fs::read_dir(root.join(folder));
        for entry in entries.with_context(|| format!("{folder} is not there"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            here.extend(name.strip_suffix(".rs").map(str::to_owned));
        }
        here.sort();
        names.extend(here);
    }
    Ok(names)
}

/// The command that replays a file.
fn replay_command(target: &str, file: &Path) -> Command {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["run", "--quiet", "--package", "fuzz-harness", "--bin", "replay", "--", target]);
    // Relative to where the user is, not to the workspace.
    command.arg(file.canonicalize().unwrap_or_else(|_| file.to_owned()));
    command
}

fn replay(target: &str, file: &Path) -> Result<()> {
    process::run(&mut replay_command(target, file))
}

/// What was found, as calls, and how to see it again.
fn tell(target: &str, file: &Path) -> Result<()> {
    let output = replay_command(target, file).output().context("cannot run cargo")?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        eprintln!("a replay finds nothing: it took too much time or memory, or depends on both");
    }
    let shown = file.strip_prefix(workspace::root()).unwrap_or(file);
    eprintln!("again: cargo xtask fuzz {target} --replay {}", shown.display());
    eprintln!("for good, once it is mended: cp {} fuzz/corpus/{target}/", shown.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercall_abi::Number;

    #[test]
    fn every_call_is_a_target() {
        let targets = targets(workspace::root()).expect("reads the folders");
        for call in Number::ALL {
            assert!(targets.iter().any(|target| target == call.name()), "{}", call.name());
        }
        assert!(targets.iter().any(|target| target == "sequence"));
    }
}
