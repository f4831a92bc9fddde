//! `cargo xtask bench --programs`: what programs pay for the hypervisor. The program
//! `pv-guest-kernel/programs/src/bin/lmbench.rs` measures itself as the first process of our guest
//! kernel: natively, and in a domain. Kernel core, file system and program are the same bytes.

use crate::arch::Arch;
use crate::build::read;
use crate::domains::{Plan, Planned, Request, Source};
use crate::modules::Module;
use crate::native::{self, Native};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::run::{Prepare, Ready, watch};
use crate::{busybox, names, qemu, rootfs, summary, table};
use anyhow::{Context, Result, bail};
use pv_wire::{DomainReport, Item, Kind, Source as Speaker};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Real time that a run may take.
pub(super) const LIMIT: Duration = Duration::from_secs(300);

/// Bytes of memory of the domain.
const MEMORY: u64 = 64 << 20;

/// The program in the file system.
const PROGRAM: &str = "/test/lmbench";

/// What it executes: the shell, and the least that there is.
const EXECUTED: &str = "/bin/sh /test/hello";

/// Pages that are touched in the two runs of which the difference counts entries.
const FAULTS: [u64; 2] = [1000, 3000];

/// A row, with what it is held against.
struct Line {
    key: &'static str,
    title: &'static str,
    /// Paravirtual over native, at most.
    goal: Option<f64>,
    /// What Barham et al. (2003, tables 3 to 5) give for XenoLinux over Linux, one processor.
    xen: Option<f64>,
}

const fn line(key: &'static str, title: &'static str, goal: Option<f64>, xen: Option<f64>) -> Line {
    Line { key, title, goal, xen }
}

/// Every row that the program prints.
const LINES: &[Line] = &[
    line("null_call", "null system call", None, Some(1.02)),
    line("fork_exit", "fork + exit", Some(1.5), Some(1.80)),
    line("fork_exec", "fork + exec", Some(1.25), Some(1.45)),
    line("sh_c", "sh -c", None, Some(1.20)),
    line("mmap", "mmap, 4 MiB of a file", Some(1.6), Some(2.04)),
    line("protection_fault", "protection fault, to the handler and back", None, Some(1.32)),
    line("page_fault", "page fault, a file's page and 15 around it", Some(1.5), Some(1.92)),
    line("page_fault_zero", "page fault, a page of zeros", Some(1.5), None),
    line("fill", "a page of zeros, in memory that is filled in order", Some(1.5), None),
    line("switch_2", "context switch, 2 processes", None, Some(2.56)),
    line("switch_16", "context switch, 16 processes", None, None),
];

/// Entries into the hypervisor for a page fault, at most; Barham et al. give the same.
const ENTRIES: f64 = 2.0;

/// What the machine's timer adds to them.
const INTERRUPTS: f64 = 0.01;

/// What was measured on an architecture.
struct Figures {
    arch: Arch,
    /// The file system's hash.
    hash: String,
    rows: Vec<Row>,
    /// Entries into the hypervisor for a page fault.
    entries: f64,
}

/// One row: guest instructions.
struct Row {
    line: &'static Line,
    native: u64,
    paravirtual: u64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.paravirtual as f64 / self.native.max(1) as f64
    }

    fn missed(&self) -> bool {
        self.line.goal.is_some_and(|goal| self.ratio() > goal)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.line.key,
            "native": self.native,
            "paravirtual": self.paravirtual,
            "ratio": self.ratio(),
            "goal": self.line.goal,
            "xen": self.line.xen,
        })
    }
}

/// Measures, prints, and with `check` fails when a ratio is above its goal.
pub fn run(arch: Option<Arch>, as_json: bool, check: bool, may: MayInstall) -> Result<()> {
    let (mut missed, mut all) = (Vec::new(), Vec::new());
    for arch in Arch::chosen(arch) {
        let figures = measure(arch, may)?;
        missed.extend(figures.missed());
        if as_json {
            all.push(figures.json());
        } else {
            println!("{}", figures.text());
        }
    }
    if as_json {
        println!("{:#}", Value::from(all));
    }
    if check && !missed.is_empty() {
        bail!("above what is to be reached: {}", missed.join(", "));
    }
    Ok(())
}

fn measure(arch: Arch, may: MayInstall) -> Result<Figures> {
    let progress = Progress::new(&format!("bench --programs, {arch}"));
    let archive = rootfs::archive(arch, may)?;
    progress.at("native");
    let text = native(arch, may, &archive)?;
    let native_counts = counts(&text)?;
    progress.at("paravirtual");
    let (text, _) = paravirtual(arch, may, &archive, "measure")?;
    let paravirtual_counts = counts(&text)?;
    progress.at("entries for a page fault");
    let mut entries = [0; 2];
    for (entries, faults) in entries.iter_mut().zip(FAULTS) {
        let (_, report) =
            paravirtual(arch, may, &archive, &format!("repeat page_fault_zero {faults}"))?;
        *entries = report.traps + report.calls.iter().sum::<u64>();
    }
    let entries = (entries[1] - entries[0]) as f64 / (FAULTS[1] - FAULTS[0]) as f64;
    let rows = rows(&native_counts, &paravirtual_counts)?;
    progress.done(&format!("{} rows", rows.len()));
    Ok(Figures { arch, hash: busybox::hash(&read(&archive)?), rows, entries })
}

/// What the first process is given as its command line.
pub(super) fn command_line(words: &str) -> String {
    format!("init={PROGRAM} {EXECUTED} {words}")
}

/// The native kernel's options.
pub(super) fn native_options(archive: &Path, words: &str) -> native::Options {
    native::Options { native: true, cmdline: command_line(words), module: Some(archive.into()) }
}

/// What the native kernel printed.
fn native(arch: Arch, may: MayInstall, archive: &Path) -> Result<String> {
    let options = native_options(archive, "measure");
    let native =
        Native { arch, debug: false, may, memory: None, options: &options, limit: Some(LIMIT) };
    let mut said = Vec::new();
    let ran = native.run(|bytes| said.extend_from_slice(bytes));
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    ran.with_context(|| format!("the native kernel printed\n{said}"))?;
    Ok(said)
}

/// A machine with one domain, whose first process is the program.
pub(super) fn domain(
    arch: Arch,
    may: MayInstall,
    archive: &Path,
    words: &str,
) -> Result<(Plan, Ready)> {
    let request = Request {
        memory: Some(MEMORY),
        command_line: Some(command_line(words)),
        module: Some(Module::Path(PathBuf::from(archive))),
        ..Request::of(Source::BuiltIn)
    };
    let plan = Planned::from_requests(vec![request], None)?;
    let ready = Prepare { arch, debug: false, may, plan: &plan }.prepare()?;
    Ok((plan, ready))
}

/// What the kernel in a domain printed, and what the hypervisor reports of it.
fn paravirtual(
    arch: Arch,
    may: MayInstall,
    archive: &Path,
    words: &str,
) -> Result<(String, DomainReport)> {
    let (plan, ready) = domain(arch, may, archive, words)?;
    let mut command = qemu::command(&ready.qemu, arch, &ready.boot(&plan));
    command.stdin(Stdio::null());
    let mut said = Vec::new();
    let keep = |item: &Item| {
        if let Item::Message(message) = item
            && message.kind == Kind::Text
            && message.source == Speaker(1)
        {
            said.extend_from_slice(&message.bytes);
        }
    };
    let (mut report, ending) = watch(&mut command, Some(LIMIT), keep, |_| false)?;
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    if let Err(reason) = summary::verdict(&report, 1, ending) {
        bail!("the kernel in a domain on {arch}: {reason}; it printed\n{said}");
    }
    let domain = report.domains.pop().context("the hypervisor reported no domain")?;
    Ok((said, domain))
}

/// Counts by the name of their row.
fn counts(text: &str) -> Result<BTreeMap<&str, u64>> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["lmbench", name, count] = words[..] {
            let count = count.parse().with_context(|| format!("`{line}` has no count"))?;
            counts.insert(name, count);
        }
    }
    Ok(counts)
}

fn rows(native: &BTreeMap<&str, u64>, paravirtual: &BTreeMap<&str, u64>) -> Result<Vec<Row>> {
    let find = |counts: &BTreeMap<&str, u64>, key: &str, side: &str| {
        let count = counts.get(key).copied();
        count.with_context(|| format!("{PROGRAM} did not print the row {key}, {side}"))
    };
    let row = |line: &'static Line| {
        let native = find(native, line.key, "native")?;
        let paravirtual = find(paravirtual, line.key, "paravirtual")?;
        Ok(Row { line, native, paravirtual })
    };
    LINES.iter().map(row).collect()
}

/// The names of all rows.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    LINES.iter().map(|line| line.key)
}

impl Figures {
    /// What is above its goal.
    fn missed(&self) -> Vec<String> {
        let mut missed: Vec<String> = self
            .rows
            .iter()
            .filter(|row| row.missed())
            .map(|row| format!("{} ({})", row.line.title, self.arch))
            .collect();
        if self.entries > ENTRIES + INTERRUPTS {
            missed.push(format!("hypervisor entries per page fault ({})", self.arch));
        }
        missed
    }

    fn json(&self) -> Value {
        json!({
            "arch": self.arch.name(),
            "file_system": self.hash,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "entries_per_page_fault": self.entries,
            "entries_goal": ENTRIES,
        })
    }

    fn text(&self) -> String {
        let mut table =
            table::new(&["operation", "native", "paravirtual", "ratio", "at most", "Xen 2003", ""]);
        let ratio = |ratio: Option<f64>| ratio.map(|r| format!("{r:.2}")).unwrap_or_default();
        let above = |missed| if missed { "above".to_owned() } else { String::new() };
        for row in &self.rows {
            table.add_row([
                row.line.title.to_owned(),
                names::grouped(row.native),
                names::grouped(row.paravirtual),
                ratio(Some(row.ratio())),
                ratio(row.line.goal),
                ratio(row.line.xen),
                above(row.missed()),
            ]);
        }
        table.add_row([
            "hypervisor entries per page fault".to_owned(),
            String::new(),
            format!("{:.2}", self.entries),
            String::new(),
            format!("{ENTRIES:.2}"),
            format!("{ENTRIES:.2}"),
            above(self.entries > ENTRIES + INTERRUPTS),
        ]);
        table::align_right(&mut table, 1..6);
        format!(
            "{}, guest instructions; the same file system on both sides, SHA-256 {}\n{}",
            self.arch,
            self.hash,
            table::text(&table)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    fn text_of(count: impl Fn(usize) -> u64) -> String {
        let lines = LINES.iter().enumerate();
        lines.map(|(index, line)| format!("lmbench {} {}\n", line.key, count(index))).collect()
    }

    #[test]
    fn ratios_are_held_against_goals() {
        let (native, paravirtual) = (text_of(|_| 1000), text_of(|index| 1400 + index as u64));
        let both = [counts(&native).expect("counts"), counts(&paravirtual).expect("counts")];
        let rows = rows(&both[0], &both[1]).expect("every row");
        let figures = Figures { arch: Arch::X86_64, hash: "0a".into(), rows, entries: 2.5 };
        let missed = figures.missed();
        assert_eq!(missed.len(), 2, "{missed:?}");
        assert!(missed[0].starts_with("fork + exec") && missed[1].contains("entries"));
        let text = figures.text();
        for part in ["null system call", "1,400", "1.40", "1.80", "above", "2.50", "0a"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert_eq!(figures.json()["rows"][1]["paravirtual"], 1401);
    }

    #[test]
    fn a_row_that_is_missing_is_named() {
        let text = text_of(|_| 1);
        let less = text.replace("lmbench mmap ", "something else ");
        let (all, less) = (counts(&text).expect("counts"), counts(&less).expect("counts"));
        let error = rows(&all, &less).err().expect("a row is missing").to_string();
        assert!(error.contains("mmap, paravirtual"), "{error}");
        assert!(counts("lmbench mmap much").is_err());
    }

    #[test]
    fn the_program_prints_these_rows() {
        let path = workspace::root().join("pv-guest-kernel/programs/expected/lmbench.txt");
        let text = std::fs::read_to_string(path).expect("it is there");
        let keys: Vec<&str> = LINES.iter().map(|line| line.key).collect();
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), keys);
    }
}
