//! `cargo xtask bench`: what operations cost, in guest instructions, beside Xen's figures.

mod baseline;
mod executed;
mod profile;
mod programs;
pub mod worst_case;

use crate::arch::Arch;
use crate::domains::{Request, Source};
use crate::images::BENCH;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::reported::{Reported, domain};
use crate::{names, table};
use anyhow::{Result, bail};
use baseline::{BASELINE, Baseline};
use clap::Args;
use pv_wire::{BenchRow, record};
use serde_json::{Value, json};
use std::time::Duration;

/// Real time that one architecture may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Measure operations in guest instructions, and print them beside Xen's figures.
#[derive(Args)]
pub struct Bench {
    /// Architecture; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    /// Fail when a figure is above what is to be reached.
    #[arg(long)]
    check: bool,
    /// For each call, the longest stretch that the hypervisor keeps the processor, instead.
    #[arg(long)]
    worst_case: bool,
    /// What programs pay: system calls, faults and processes, native and in a domain, instead.
    #[arg(long, conflicts_with = "worst_case")]
    programs: bool,
    /// Where the instructions of a row of --programs go, by function, instead.
    #[arg(long, value_name = "ROW", conflicts_with_all = ["worst_case", "programs", "json", "check"])]
    profile: Option<String>,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Bench {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let may = MayInstall(!self.no_install);
        if self.worst_case {
            return worst_case::run(self.arch, self.json, self.check, may);
        }
        if let Some(row) = &self.profile {
            return profile::run(self.arch, row, may);
        }
        if self.programs {
            return programs::run(self.arch, self.json, self.check, may);
        }
        let mut missed = Vec::new();
        let mut all = Vec::new();
        for arch in Arch::chosen(self.arch) {
            let rows = measure(arch, may)?;
            missed.extend(
                rows.iter()
                    .filter(|row| row.missed())
                    .map(|row| format!("{} ({arch})", row.title())),
            );
            if self.json {
                all.push(json!({ "arch": arch.name(), "rows": rows.iter().map(Row::json).collect::<Vec<_>>() }));
            } else {
                println!("{arch}, guest instructions\n{}", figures(&rows));
            }
        }
        if self.json {
            println!("{:#}", Value::from(all));
        }
        if self.check && !missed.is_empty() {
            bail!("above what is to be reached: {}", missed.join(", "));
        }
        Ok(())
    }
}

/// One measurement, with its line of the baseline if there is one.
struct Row {
    key: String,
    instructions: u64,
    baseline: Option<&'static Baseline>,
}

impl Row {
    fn new(row: &BenchRow) -> Row {
        Row {
            key: row.name.to_string(),
            instructions: row.instructions.div_ceil(u64::from(row.per.max(1))),
            baseline: BASELINE.iter().find(|line| line.key == row.name.as_str()),
        }
    }

    fn title(&self) -> &str {
        self.baseline.map_or(&self.key, |line| line.title)
    }

    fn missed(&self) -> bool {
        self.baseline.is_some_and(|line| self.instructions > line.target)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.key,
            "instructions": self.instructions,
            "xen": self.baseline.map(|line| line.xen),
            "target": self.baseline.map(|line| line.target),
        })
    }
}

/// The measuring guest in a role, and its peer.
fn pair(arch: Arch, may: MayInstall, role: &str) -> Reported {
    let one = |name: &str, words: String| Request {
        max_memory: Some(64 << 20),
        ..domain(Source::Package(BENCH), name, 32 << 20, words)
    };
    let domains =
        vec![one(role, format!("role={role} peer=2")), one("peer", "role=peer peer=1".into())];
    Reported {
        arch,
        debug: false,
        may,
        domains,
        memory: None,
        stretches: false,
        sharing: false,
        limit: LIMIT,
    }
}

fn measure(arch: Arch, may: MayInstall) -> Result<Vec<Row>> {
    let progress = Progress::new(&format!("bench, {arch}"));
    let mut rows = Vec::new();
    let run = pair(arch, may, "bench");
    let verdict = run.run(|bytes| {
        if let Some(row) = record::decode::<BenchRow>(bytes) {
            progress.at(&row.name);
            rows.push(Row::new(&row));
        }
        Vec::new()
    })?;
    progress.done(&format!("{} rows", rows.len()));
    if let Err(reason) = verdict {
        bail!("the bench guest on {arch}: {reason}");
    }
    if rows.is_empty() {
        bail!(
            "the bench guest on {arch} sent no row: does it write BenchRow records to its report stream?"
        );
    }
    Ok(rows)
}

fn figures(rows: &[Row]) -> String {
    let mut table =
        table::new(&["operation", "Paravane", "at most", "Xen PV", "Xen / Paravane", ""]);
    for row in rows {
        let number = |of: fn(&Baseline) -> u64| {
            row.baseline.map(|line| names::grouped(of(line))).unwrap_or_default()
        };
        let ratio = row.baseline.map(|line| line.xen as f64 / row.instructions.max(1) as f64);
        table.add_row([
            row.title().to_owned(),
            names::grouped(row.instructions),
            number(|line| line.target),
            number(|line| line.xen),
            ratio.map(|ratio| format!("{ratio:.1}")).unwrap_or_default(),
            if row.missed() { "above".into() } else { String::new() },
        ]);
    }
    table::align_right(&mut table, 1..5);
    table::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, instructions: u64, per: u32) -> Row {
        Row::new(&BenchRow { name: name.try_into().expect("short"), instructions, per })
    }

    #[test]
    fn rows_stand_beside_their_baseline() {
        let rows = [row("null_hypercall", 8900, 100), row("pte_map", 300, 1), row("own", 5, 2)];
        assert!(!rows[0].missed() && rows[1].missed() && !rows[2].missed());
        let text = figures(&rows);
        for part in ["null hypercall", "89", "280", "3.1", "above", "own"] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert_eq!(rows[2].instructions, 3, "rounded up");
    }

    #[test]
    fn keys_are_unique_and_fit_a_record() {
        for (index, line) in BASELINE.iter().enumerate() {
            assert!(line.key.len() <= 32, "{}", line.key);
            assert!(BASELINE[..index].iter().all(|other| other.key != line.key), "{}", line.key);
            assert!(line.target < line.xen, "{}", line.key);
        }
    }
}
