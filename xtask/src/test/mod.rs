//! `cargo xtask test`: every test there is, on the host and emulated, and one line that counts.

mod boots;
mod census;
mod containment;
mod count;
mod damaged;
mod forced;
mod linker;
mod native;
mod new_guest;
mod programs;
mod refused;
mod shared;
mod sizes;
mod spare;
mod swapped;
mod typed;

use crate::arch::Arch;
use crate::conformance::{self, Guest};
use crate::hostile::Siege;
use crate::images::{self, Builder, CONFORMANCE, GUEST, HOSTILE, HYPERVISOR, IMAGES};
use crate::native::NATIVE;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{check, process, toolchain, workspace};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use count::{Count, counted, section};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Run every test: on the host, then emulated on both architectures.
#[derive(Args)]
pub struct Test {
    /// The tests of the host alone.
    #[arg(long, conflicts_with = "arch")]
    host: bool,
    /// The emulated tests of this architecture alone.
    #[arg(long)]
    arch: Option<Arch>,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Test {
    /// Runs the command. It ends the process, so that the count is the last line.
    pub fn run(self) -> Result<()> {
        let may = MayInstall(!self.no_install);
        let of = Arch::chosen(self.arch);
        let images: Vec<_> = of.iter().map(|arch| Arc::new(Images::new(*arch, may))).collect();
        // An emulator keeps one processor busy, and so does Cargo most of the time, and a search of the
        // model checker.
        let mut parts: VecDeque<Part> = VecDeque::new();
        if !self.host {
            let images = images.clone();
            parts.push_back(Box::new(move || {
                images.iter().fold(Count::default(), |count, images| count + images.build())
            }));
        }
        if self.arch.is_none() {
            parts.push_back(Box::new(move || on_the_host(may)));
            parts.push_back(Box::new(searches));
        }
        if !self.host {
            for images in &images {
                for emulated in [calls_and_boots, programs_and_memory] {
                    let images = Arc::clone(images);
                    parts.push_back(Box::new(move || images.build() + emulated(images.arch, may)));
                }
            }
            let arch = self.arch.unwrap_or_default();
            parts.push_back(Box::new(move || refused::all(arch, may)));
        }
        let count = side_by_side(parts);
        println!("{count}");
        std::process::exit(i32::from(count.failed > 0));
    }
}

/// A part of the tests, which can run beside any other.
type Part = Box<dyn FnOnce() -> Count + Send>;

/// Runs two parts at a time, in their order.
fn side_by_side(parts: VecDeque<Part>) -> Count {
    let parts = Mutex::new(parts);
    let lane = || {
        let mut count = Count::default();
        loop {
            let part = parts.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match part {
                Some(part) => count += part(),
                None => return count,
            }
        }
    };
    std::thread::scope(|scope| {
        let lanes = [scope.spawn(lane), scope.spawn(lane)];
        lanes
            .into_iter()
            .fold(Count::default(), |count, lane| count + lane.join().unwrap_or(Count::FAILED))
    })
}

/// Images of all that is emulated on an architecture. They are built before anything of it boots, and once.
/// Cargo builds one thing at a time in their folder.
struct Images {
    arch: Arch,
    may: MayInstall,
    built: OnceLock<()>,
}

impl Images {
    fn new(arch: Arch, may: MayInstall) -> Images {
        Images { arch, may, built: OnceLock::new() }
    }

    /// Builds them, or waits until they are built.
    fn build(&self) -> Count {
        let mut count = Count::default();
        self.built.get_or_init(|| {
            count += counted(&format!("images, {}", self.arch), |progress| {
                self.build_all(progress)?;
                images::take_as_they_are(self.arch);
                Ok((Count::default(), "built".to_owned()))
            });
        });
        count
    }

    fn build_all(&self, progress: &Progress) -> Result<()> {
        for (is_debug, packages) in [(false, &BOOTED[..]), (true, &BOOTED_FOR_DEBUGGING)] {
            let builder = Builder::new(self.arch, is_debug, self.may)?;
            for package in packages {
                progress.at(package);
                builder.package(package)?;
            }
        }
        Ok(())
    }
}

/// The tests that run on the host.
fn on_the_host(may: MayInstall) -> Count {
    let mut count = Count::default();
    for (title, words) in HOST {
        count += host(title, words).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Count::FAILED
        });
    }
    count += programs::all(may);
    count
}

/// The searches of the model checker.
fn searches() -> Count {
    let mut count = Count::default();
    for (title, words) in SEARCHES {
        count += search(title, words);
    }
    count
}

/// Tests of an architecture: calls, boots, what is refused and contained, the native kernel.
fn calls_and_boots(arch: Arch, may: MayInstall) -> Count {
    let mut count = suite(arch, may, &Guest::Rust);
    count += suite(arch, may, &Guest::C);
    count += boots::all(arch, may);
    count += census::all(arch, may);
    count += containment::all(arch, may);
    count += damaged::all(arch, may);
    count += linker::all(arch, may);
    count += native::all(arch, may);
    count += siege(arch, may);
    count
}

/// Tests of an architecture: programs in guests, other guests, sizes, memory that moves.
fn programs_and_memory(arch: Arch, may: MayInstall) -> Count {
    let mut count = programs::guests(arch, may);
    count += typed::all(arch, may);
    count += new_guest::all(arch, may);
    count += sizes::all(arch, may);
    count += shared::all(arch, may);
    count += swapped::all(arch, may);
    count += forced::test(arch, may);
    count += spare::test(arch, may);
    count
}

/// Images that tests boot, and those that they boot as debug images too.
const BOOTED: [&str; 5] = [HYPERVISOR, GUEST, NATIVE, CONFORMANCE, HOSTILE];
const BOOTED_FOR_DEBUGGING: [&str; 2] = [HYPERVISOR, GUEST];

/// The tests of the host: all that do not take long, and the long ones.
const HOST: [(&str, &[&str]); 4] = [
    ("tests on the host", &[]),
    ("ten thousand domains made and destroyed", &["--test", "lifecycle", "--", "--ignored"]),
    ("long sequences of calls on the model", &["--test", "core", "--", "--ignored", "for_long"]),
    ("policies on twenty thousand random machines", &["--test", "balloon", "--", "--ignored"]),
];

/// Searches of the model checker: the core as it is, and with each planted fault.
const SEARCHES: [(&str, &[&str]); 2] =
    [("model checking", &[]), ("model checking of planted faults", &["--planted"])];

/// Tests that `cargo test` runs with these words. All packages are chosen each time: what a crate is
/// built with depends on which others are, and so it is built once.
fn host(title: &str, words: &[&str]) -> Result<Count> {
    let progress = Progress::new(title);
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root()).args(["test", "--no-fail-fast"]);
    command.arg("--workspace").args(IMAGES.iter().flat_map(|package| ["--exclude", package]));
    command.args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let line = process::show(&command);
    let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
    let errors = child.stderr.take().context("cargo has no error output")?;
    let builder = std::thread::spawn(move || {
        let lines = BufReader::new(errors).lines().map_while(Result::ok);
        lines.fold(String::new(), |text, line| text + &line + "\n")
    });
    let output = child.stdout.take().context("cargo has no output")?;
    let mut count = Count::default();
    let mut said = String::new();
    for text in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(one) = result_of(&text) {
            count += one;
        }
        progress.at(&format!("{} passed, {} failed: {text}", count.passed, count.failed));
        if text.contains("FAILED") {
            progress.line(&text);
        }
        said.push_str(&text);
        said.push('\n');
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    let built = builder.join().unwrap_or_default();
    if !status.success() {
        eprint!("{said}");
        eprint!("{built}");
        if count.failed == 0 {
            // Something does not build, or a test program died before it could count.
            eprintln!("`{line}` failed: {status}");
            count.failed = 1;
        }
    }
    progress.done(&count.to_string());
    Ok(count)
}

/// The count in a line such as `test result: ok. 3 passed; 0 failed; ...`.
fn result_of(line: &str) -> Option<Count> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(';').find_map(|part| part.trim().strip_suffix(word))?;
        before.trim().rsplit(' ').next()?.parse().ok()
    };
    Some(Count { passed: number(" passed")?, failed: number(" failed")? })
}

/// One search: each scope or planted fault is a test.
fn search(title: &str, words: &[&str]) -> Count {
    section(title, |section| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        for row in check::rows(&words, section.progress)? {
            let story = if row.passed() { Ok(()) } else { Err(anyhow!(row.story())) };
            section.test("model checking", story);
        }
        Ok(())
    })
}

/// The conformance suite in a guest.
fn suite(arch: Arch, may: MayInstall, guest: &Guest) -> Count {
    counted(&guest.title(arch.name()), |progress| {
        let results = conformance::emulated(arch, false, may, guest, "", progress)?;
        let count = Count { passed: results.passed(), failed: results.failed() };
        Ok((count, results.to_string()))
    })
}

/// Calls of the hostile guest in a test.
const HOSTILE_CALLS: u64 = 300_000;

/// The hostile guest beside honest ones.
fn siege(arch: Arch, may: MayInstall) -> Count {
    counted(&format!("a hostile guest beside honest ones, {arch}"), |_| {
        let limit = Duration::from_secs(600);
        let siege = Siege { arch, calls: HOSTILE_CALLS, seed: 1, audit: None, limit };
        Ok((Count::PASSED, siege.run(may)?.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_counted() {
        let line = "test result: ok. 39 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.35s";
        assert_eq!(result_of(line), Some(Count { passed: 39, failed: 0 }));
        let line =
            "test result: FAILED. 3 passed; 12 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(result_of(line), Some(Count { passed: 3, failed: 12 }));
        assert_eq!(result_of("test a ... ok"), None);
        assert_eq!(result_of("test result: cut off"), None);
    }
}
