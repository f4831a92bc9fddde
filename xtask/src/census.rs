//! `cargo xtask run --census`: the page tables of a machine in which four guests run ten
//! processes each, counted by the hypervisor while they run.
//!
//! In each guest a script starts nine processes beside its shell, waits until each of them sleeps
//! in a program of its own, and says how many processes `/proc` shows. When all guests have, the
//! hypervisor is asked for its census, by its serial line; then the guests are told to go on.

use crate::arch::Arch;
use crate::domains::{Planned, Request, Source};
use crate::logs::{Level, Logs};
use crate::modules::Module;
use crate::packages::MayInstall;
use crate::run::{Prepare, watch};
use crate::screen::{Look, Screen};
use crate::{names, qemu, rootfs, summary, table};
use anyhow::{Context, Result, bail, ensure};
use pv_wire::{Item, Kind, OwnedMessage, RunReport, Source as Speaker, input};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// Guests, and processes of each, as the seeds of this design have them.
const GUESTS: usize = 4;
const PROCESSES: u64 = 10;

/// Bytes of memory of a guest.
const MEMORY: u64 = 32 << 20;

/// What the seeds count for as many guests and processes: a shadow of each process's tables, or
/// one nested tree for each guest.
const SHADOW: u64 = 80;
const NESTED: u64 = 44;

/// What a guest says before the number of its processes.
const SAID: &str = "processes here: ";

/// Where the script is. The first process runs it itself: another shell would be one process more.
const FILE: &str = "etc/census";

/// What each guest runs. Only its shell's own commands: a program would be one process more.
const SCRIPT: &str = "\
pids=
for i in 1 2 3 4 5 6 7 8 9; do
  sleep 1000000 &
  pids=\"$pids $!\"
done
for pid in $pids; do
  stat=
  while :; do
    case $stat in *'(sleep) S'*) break;; esac
    read -r stat </proc/$pid/stat
  done
done
set -- /proc/[0-9]*
echo \"processes here: $#\"
read -r answer
kill $pids
";

/// A machine whose page tables are counted.
pub struct Counted {
    /// Its architecture.
    pub arch: Arch,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// Real time that it may take.
    pub limit: Option<Duration>,
}

/// What was counted.
pub struct Census {
    /// The hypervisor's records, one for each guest.
    rows: Vec<pv_wire::Census>,
    /// How many processes each guest said it had.
    processes: Vec<u64>,
    arch: Arch,
}

impl Counted {
    /// Boots the machine, has its tables counted, and ends it.
    pub fn run(&self) -> Result<Census> {
        let script = (FILE.to_owned(), SCRIPT.as_bytes().to_vec());
        let module = Module::Bytes(rootfs::with_files(self.arch, self.may, vec![script])?);
        let request = Request {
            memory: Some(MEMORY),
            command_line: Some(format!("init=/bin/sh /{FILE}")),
            module: Some(module),
            ..Request::of(Source::BuiltIn)
        };
        let plan = Planned::from_requests(vec![request; GUESTS], None)?;
        let ready =
            Prepare { arch: self.arch, debug: false, may: self.may, plan: &plan }.prepare()?;
        // Somebody types: guests that all wait are not stuck.
        let boot = qemu::Boot { command_line: "focus=1", ..ready.boot(&plan) };
        let mut command = qemu::command(&ready.qemu, self.arch, &boot);
        let (keyboard, mut typist) = std::io::pipe().context("cannot make a pipe")?;
        command.stdin(keyboard);
        let mut conversation = Conversation::default();
        let mut items = Vec::new();
        let show = |item: &Item| {
            let typed = conversation.hear(item);
            // A machine that has ended takes nothing more; how it ended is told below.
            let _ = typist.write_all(&typed);
            items.push(item.clone());
        };
        // The others would wait for ever for the census.
        let failed = |domains: &[pv_wire::DomainReport]| domains.iter().any(|domain| !domain.ok);
        let (report, ending) = watch(&mut command, self.limit, show, failed)?;
        if let Err(why) = summary::verdict(&report, GUESTS, ending) {
            let names: Vec<String> =
                plan.domains.iter().map(|domain| domain.name.clone()).collect();
            let look = Look { level: Level::Info, plain: false, on_error_output: true };
            let logs = Logs::new(&ready.hypervisor, &ready.prepared.files);
            let mut screen = Screen::new(look, &names, logs);
            items.iter().for_each(|item| screen.show(item));
            screen.finish();
            bail!("{why}");
        }
        let processes = conversation.processes.into_values().collect();
        Ok(Census { rows: report.census, processes, arch: self.arch })
    }
}

/// What the host hears of a machine, and what it answers.
#[derive(Default)]
struct Conversation {
    /// Lines that are not finished, by who says them.
    lines: BTreeMap<u16, Vec<u8>>,
    /// Processes of each guest that has said how many.
    processes: BTreeMap<u16, u64>,
    report: RunReport,
}

impl Conversation {
    /// Takes what was said; what is to be typed.
    fn hear(&mut self, item: &Item) -> Vec<u8> {
        let known = self.report.census.len();
        summary::collect(&mut self.report, item);
        if known < GUESTS && self.report.census.len() == GUESTS {
            let answer = |row: &pv_wire::Census| {
                input::select(Speaker(row.id)).into_iter().chain(*b"\n").collect::<Vec<u8>>()
            };
            return self.report.census.iter().flat_map(answer).collect();
        }
        match item {
            Item::Message(message) if message.kind == Kind::Text => self.text(message),
            _ => Vec::new(),
        }
    }

    fn text(&mut self, message: &OwnedMessage) -> Vec<u8> {
        let mut typed = Vec::new();
        for byte in &message.bytes {
            let line = self.lines.entry(message.source.0).or_default();
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(line)).into_owned();
            let Some(number) = line.trim().strip_prefix(SAID).and_then(|text| text.parse().ok())
            else {
                continue;
            };
            let fresh = self.processes.insert(message.source.0, number).is_none();
            if fresh && self.processes.len() == GUESTS {
                typed.extend(input::census());
            }
        }
        typed
    }
}

impl Census {
    fn sum(&self, of: fn(&pv_wire::Census) -> u64) -> u64 {
        self.rows.iter().map(of).sum()
    }

    /// Tables of the processes' roots.
    pub fn process_roots(&self) -> u64 {
        self.sum(|row| row.process_roots)
    }

    /// Fails unless there were as many processes as there should be, each with one root.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.rows.len() == GUESTS && self.processes == [PROCESSES; GUESTS],
            "{} guests were counted, with {:?} processes: not {GUESTS} with {PROCESSES} each",
            self.rows.len(),
            self.processes
        );
        for row in &self.rows {
            ensure!(
                row.process_roots == PROCESSES && row.kernel_roots == 1,
                "{} has {} roots of processes and {} of its kernel for {PROCESSES} processes",
                row.name,
                row.process_roots,
                row.kernel_roots
            );
        }
        Ok(())
    }

    /// The count for people.
    pub fn text(&self) -> String {
        let levels = self.rows.iter().map(|row| row.tables.iter().rposition(|count| *count > 0));
        let levels = levels.flatten().max().map_or(0, |last| last + 1);
        let mut header: Vec<String> = [
            "domain",
            "name",
            "processes",
            "their roots",
            "its kernel's",
            "kept empty",
            "all roots",
        ]
        .map(str::to_owned)
        .to_vec();
        header.extend((1..=levels).map(|level| format!("level {level}")));
        header.push("all tables".into());
        let mut table = table::new(&header);
        let mut row = |name: [String; 2], processes: u64, of: &dyn Fn(Column) -> u64| {
            let roots = [Column::Processes, Column::Kernel, Column::Empty].map(of);
            let mut cells = name.to_vec();
            cells.push(names::grouped(processes));
            cells.extend(roots.map(names::grouped));
            cells.push(names::grouped(roots.iter().sum()));
            let counts: Vec<u64> = (0..levels).map(|level| of(Column::Level(level))).collect();
            cells.extend(counts.iter().copied().map(names::grouped));
            cells.push(names::grouped(counts.iter().sum()));
            table.add_row(cells);
        };
        for (found, processes) in self.rows.iter().zip(&self.processes) {
            let name = [found.id.to_string(), found.name.to_string()];
            row(name, *processes, &|column| column.of(found));
        }
        let all = |column: Column| self.rows.iter().map(|row| column.of(row)).sum();
        row(["all".into(), String::new()], self.processes.iter().sum(), &all);
        table::align_right(&mut table, 2..header.len());
        let (ours, kernels) = (self.process_roots(), self.sum(|row| row.kernel_roots));
        let (empty, tables) = (self.sum(|row| row.empty_roots), all_tables(&self.rows));
        format!(
            "{}\n\
             root tables for {} processes: {ours}, which each processor walks as they are\n\
             the seeds' figures: {SHADOW} with shadow tables, {NESTED} with nested paging\n\
             beside them: {kernels} of the guests' kernels, which are in no process's tables; \
             {empty} empty trees that the guests keep validated for their next processes\n\
             all page tables of all guests: {tables}, {} KiB; the hypervisor keeps no copy of any\n",
            table::text(&table),
            self.processes.iter().sum::<u64>(),
            tables * 4
        )
    }

    /// The count as JSON.
    pub fn json(&self) -> Value {
        let guests: Vec<Value> = self
            .rows
            .iter()
            .zip(&self.processes)
            .map(|(row, processes)| {
                json!({
                    "id": row.id,
                    "name": row.name.as_str(),
                    "processes": processes,
                    "process_roots": row.process_roots,
                    "kernel_roots": row.kernel_roots,
                    "empty_roots": row.empty_roots,
                    "tables_by_level": row.tables.as_slice(),
                })
            })
            .collect();
        json!({
            "arch": self.arch.name(),
            "guests": guests,
            "process_roots": self.process_roots(),
            "kernel_roots": self.sum(|row| row.kernel_roots),
            "empty_roots": self.sum(|row| row.empty_roots),
            "tables": all_tables(&self.rows),
            "seeds": { "shadow": SHADOW, "nested": NESTED },
        })
    }
}

fn all_tables(rows: &[pv_wire::Census]) -> u64 {
    rows.iter().flat_map(|row| &row.tables).sum()
}

/// What is counted of a guest.
#[derive(Clone, Copy)]
enum Column {
    Processes,
    Kernel,
    Empty,
    Level(usize),
}

impl Column {
    fn of(self, row: &pv_wire::Census) -> u64 {
        match self {
            Column::Processes => row.process_roots,
            Column::Kernel => row.kernel_roots,
            Column::Empty => row.empty_roots,
            Column::Level(level) => row.tables.get(level).copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pv_wire::{ReportRecord, record};

    fn row(id: u16, process_roots: u64) -> pv_wire::Census {
        let tables = [20, 12, 12, 12].into_iter().collect();
        let name = format!("guest-{id}").as_str().try_into().expect("short");
        pv_wire::Census { id, name, kernel_roots: 1, process_roots, empty_roots: 1, tables }
    }

    fn says(id: u16, text: &str) -> Item {
        let (source, kind) = (Speaker(id), Kind::Text);
        Item::Message(OwnedMessage { source, kind, bytes: text.into() })
    }

    fn reports(row: pv_wire::Census) -> Item {
        let mut buffer = [0; 256];
        let bytes = record::encode(&ReportRecord::Census(row), &mut buffer).expect("fits");
        let (source, kind) = (Speaker::HYPERVISOR, Kind::Report);
        Item::Message(OwnedMessage { source, kind, bytes: bytes.to_vec() })
    }

    #[test]
    fn the_census_is_asked_for_once_all_are_there() {
        let mut conversation = Conversation::default();
        for id in 1..=3 {
            assert_eq!(conversation.hear(&says(id, "hello\r\nprocesses here: 10\r\n")), b"");
        }
        assert_eq!(conversation.hear(&says(4, "processes he")), b"");
        assert_eq!(conversation.hear(&says(4, "re: 10")), b"");
        assert_eq!(conversation.hear(&says(4, "\n")), input::census());
        for id in 1..=3 {
            assert_eq!(conversation.hear(&reports(row(id, 10))), b"");
        }
        let answer = b"\0\x01\0\n\0\x02\0\n\0\x03\0\n\0\x04\0\n";
        assert_eq!(conversation.hear(&reports(row(4, 10))), answer);
        assert_eq!(conversation.hear(&says(1, "processes here: 10\n")), b"");
    }

    #[test]
    fn a_root_too_many_is_found() {
        let rows = |roots: [u64; 4]| (1..).zip(roots).map(|(id, roots)| row(id, roots)).collect();
        let census = |rows, processes| Census { rows, processes, arch: Arch::X86_64 };
        let good = census(rows([10; 4]), vec![10; 4]);
        good.check().expect("good");
        assert!(good.text().contains("root tables for 40 processes: 40,"), "{}", good.text());
        assert!(good.text().contains("all page tables of all guests: 224, 896 KiB"));
        assert_eq!(good.json()["process_roots"], 40);
        assert_eq!(good.json()["tables"], 224);
        assert!(census(rows([10, 10, 11, 10]), vec![10; 4]).check().is_err());
        assert!(census(rows([10; 4]), vec![10, 10, 9, 10]).check().is_err());
        assert!(census(vec![row(1, 10)], vec![10]).check().is_err());
    }
}
