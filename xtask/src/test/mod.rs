//! `cargo xtask test`: every test there is, on the host and emulated, and one line that counts.

mod boots;
mod census;
mod containment;
mod count;
mod damaged;
mod forced;
mod host;
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
use crate::check;
use crate::conformance::{self, Guest};
use crate::hostile::Siege;
use crate::images::{self, Builder, CONFORMANCE, GUEST, HOSTILE, HYPERVISOR};
use crate::native::NATIVE;
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Result, anyhow};
use clap::Args;
use count::{Count, counted, section};
use std::collections::VecDeque;
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
            // Each takes an image of the other architecture too.
            parts.push_back(Box::new(move || {
                of.iter().fold(Count::default(), |count, arch| count + damaged::all(*arch, may))
            }));
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
    host::all() + programs::all(may)
}

/// The searches of the model checker.
fn searches() -> Count {
    let mut count = Count::default();
    for (title, words) in SEARCHES {
        count += search(title, words);
    }
    count
}

/// Tests of an architecture: calls, boots, what is contained, the native kernel.
fn calls_and_boots(arch: Arch, may: MayInstall) -> Count {
    let mut count = suite(arch, may, &Guest::Rust);
    count += suite(arch, may, &Guest::C);
    count += boots::all(arch, may);
    count += census::all(arch, may);
    count += containment::all(arch, may);
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

/// Searches of the model checker: the core as it is, and with each planted fault.
const SEARCHES: [(&str, &[&str]); 2] =
    [("model checking", &[]), ("model checking of planted faults", &["--planted"])];

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
