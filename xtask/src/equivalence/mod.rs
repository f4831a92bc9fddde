//! `cargo xtask equivalence`: programs with known output run in the guest kernel, native and
//! paravirtual, and print the same bytes: the equivalence that Popek and Goldberg ask for, as a
//! test. Cases are those of [`crate::programs`], whose output is also the host's Linux's.

mod driver;

use crate::arch::Arch;
use crate::build::read;
use crate::packages::MayInstall;
use crate::programs::{Case, cases};
use crate::progress::Progress;
use crate::script::{Kernel, Machine};
use crate::{busybox, table};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use driver::{Ran, Told};
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of memory of the kernel, on both machines.
const MEMORY: u64 = 96 << 20;

/// Real time that a machine may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Run the guests' programs native and paravirtual, and compare every byte that they print.
#[derive(Args)]
pub struct Equivalence {
    /// Architecture; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Run the cases whose names contain this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Write the results as JSON.
    #[arg(long)]
    json: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Equivalence {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let may = MayInstall(!self.no_install);
        let mut all = Vec::new();
        for arch in Arch::chosen(self.arch) {
            let progress = Progress::new(&title(arch));
            let compared = compare(arch, may, &self.filter, &progress)?;
            progress.done(&compared.summary());
            if !self.json {
                println!("{}", compared.table());
            }
            all.push(compared);
        }
        if self.json {
            println!("{:#}", Value::from_iter(all.iter().map(Compared::json)));
        }
        let failed: Vec<String> = all.iter().flat_map(Compared::failures).collect();
        if !failed.is_empty() {
            bail!("{}", failed.join("\n"));
        }
        Ok(())
    }
}

/// What it is called.
pub fn title(arch: Arch) -> String {
    format!("the guests' programs, native and paravirtual, {arch}")
}

/// The cases of an architecture, and what came of them on both.
pub struct Compared {
    arch: Arch,
    busybox: String,
    /// What is to be.
    cases: Vec<Case>,
    /// What each kernel tells, as [`Kernel::ALL`] has them.
    told: [Told; 2],
}

/// Runs the cases whose names contain `filter`.
pub fn compare(arch: Arch, may: MayInstall, filter: &str, progress: &Progress) -> Result<Compared> {
    let mut cases = cases()?;
    cases.retain(|case| case.name.contains(filter));
    if cases.is_empty() {
        bail!("no case has `{filter}` in its name: see pv-guest-kernel/programs/expected");
    }
    let busybox = busybox::hash(&read(&busybox::file(arch, may)?)?);
    let mut told = [const { None }; 2];
    for (kernel, told) in Kernel::ALL.into_iter().zip(&mut told) {
        progress.at(&format!("{kernel}"));
        *told = Some(run(arch, kernel, may, &cases).with_context(|| format!("{kernel}"))?);
    }
    let told = told.map(Option::unwrap_or_default);
    for (kernel, told) in Kernel::ALL.into_iter().zip(&told) {
        ensure!(
            told.busybox == busybox,
            "{kernel} ran a busybox of SHA-256 {}, not {busybox}",
            told.busybox
        );
    }
    Ok(Compared { arch, busybox, cases, told })
}

fn run(arch: Arch, kernel: Kernel, may: MayInstall, cases: &[Case]) -> Result<Told> {
    let machine = Machine { arch, kernel, may, memory: MEMORY, words: "", limit: LIMIT };
    let outcome = machine.script(driver::script(cases).as_bytes(), |_| {})?;
    let told = driver::told(&outcome.output);
    let ended = told.cases.len();
    ensure!(
        outcome.status == Some(0) && ended == cases.len(),
        "the script ended with status {:?} after {ended} of {} cases; the console showed\n{}",
        outcome.status,
        cases.len(),
        String::from_utf8_lossy(&outcome.said)
    );
    Ok(told)
}

impl Compared {
    /// What each kernel says of a case.
    fn ran(&self, case: &Case) -> [Option<&Ran>; 2] {
        [0, 1].map(|kernel| self.told[kernel].cases.get(&case.name))
    }

    /// Every test there is: its name, and what came of it.
    pub fn tests(&self) -> Vec<(String, Result<()>)> {
        let mut tests = Vec::new();
        for case in &self.cases {
            let ran = self.ran(case);
            for (kernel, ran) in Kernel::ALL.into_iter().zip(ran) {
                tests.push((format!("{} {} {kernel}", case.name, self.arch), check(case, ran)));
            }
            let same = if is_same(ran) { Ok(()) } else { Err(anyhow::anyhow!("not the same")) };
            tests.push((format!("{} {}, both", case.name, self.arch), same));
        }
        tests
    }

    /// The tests that failed, and why.
    fn failures(&self) -> Vec<String> {
        let failed = self.tests().into_iter();
        failed.filter_map(|(name, result)| Some(format!("{name}: {:#}", result.err()?))).collect()
    }

    /// A line that counts.
    fn summary(&self) -> String {
        let same = self.cases.iter().filter(|case| is_same(self.ran(case))).count();
        let right = |kernel: usize| {
            self.cases.iter().filter(|case| check(case, self.ran(case)[kernel]).is_ok()).count()
        };
        format!(
            "{} cases: native {} as on Linux, paravirtual {}; {same} the same",
            self.cases.len(),
            right(0),
            right(1)
        )
    }

    fn table(&self) -> String {
        let mut table = table::new(&[
            "case",
            "native",
            "paravirtual",
            "same",
            "bytes",
            "native s",
            "paravirtual s",
        ]);
        for case in &self.cases {
            let ran = self.ran(case);
            let verdict = |kernel: usize| match (ran[kernel], check(case, ran[kernel])) {
                (_, Ok(())) => "as on Linux".to_owned(),
                (Some(ran), Err(_)) if ran.status != 0 => format!("status {}", ran.status),
                (Some(_), Err(_)) => "differs".to_owned(),
                (None, Err(_)) => "did not end".to_owned(),
            };
            let time = |kernel: usize| {
                let time = ran[kernel].map_or(0, |ran| ran.time);
                format!("{}.{:02}", time / 100, time % 100)
            };
            table.add_row([
                case.name.clone(),
                verdict(0),
                verdict(1),
                if is_same(ran) { "yes" } else { "NO" }.to_owned(),
                ran[0].map_or(0, |ran| ran.output.len()).to_string(),
                time(0),
                time(1),
            ]);
        }
        table::align_right(&mut table, 4..7);
        format!(
            "{}\n{}: busybox of SHA-256 {} in both; {}\n",
            table::text(&table),
            self.arch,
            self.busybox,
            self.summary()
        )
    }

    fn json(&self) -> Value {
        let of = |case: &Case, ran: Option<&Ran>| {
            let ran = ran?;
            Some(json!({
                "status": ran.status,
                "sha256": busybox::hash(&ran.output),
                "bytes": ran.output.len(),
                "as_on_linux": check(case, Some(ran)).is_ok(),
                "milliseconds": ran.time * 10,
            }))
        };
        let cases = self.cases.iter().map(|case| {
            let ran = self.ran(case);
            json!({
                "name": case.name,
                "same": is_same(ran),
                "native": of(case, ran[0]),
                "paravirtual": of(case, ran[1]),
            })
        });
        json!({
            "arch": self.arch.name(),
            "busybox_sha256": self.busybox,
            "cases": Value::from_iter(cases),
        })
    }
}

/// Whether a case did what it does on Linux.
fn check(case: &Case, ran: Option<&Ran>) -> Result<()> {
    let ran = ran.context("it did not end")?;
    let output = String::from_utf8_lossy(&ran.output);
    case.compare(&output).with_context(|| format!("it printed\n{output}"))?;
    ensure!(ran.status == 0, "it ended with status {}", ran.status);
    Ok(())
}

/// Whether both did the same: the same status and the same bytes.
fn is_same([native, paravirtual]: [Option<&Ran>; 2]) -> bool {
    match (native, paravirtual) {
        (Some(native), Some(paravirtual)) => {
            native.status == paravirtual.status && native.output == paravirtual.output
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_not_the_same() {
        let ran = |status, output: &[u8], time| Ran { status, output: output.to_vec(), time };
        let one = ran(0, b"x", 1);
        assert!(is_same([Some(&one), Some(&ran(0, b"x", 9))]));
        assert!(!is_same([Some(&one), Some(&ran(1, b"x", 1))]));
        assert!(!is_same([Some(&one), Some(&ran(0, b"y", 1))]));
        assert!(!is_same([Some(&one), None]));
        assert!(!is_same([None, None]));
        let case = Case {
            name: "a".into(),
            environment: Vec::new(),
            words: Vec::new(),
            output: "x".into(),
        };
        assert!(check(&case, Some(&one)).is_ok());
        assert!(check(&case, Some(&ran(1, b"x", 1))).is_err());
        assert!(check(&case, None).is_err());
    }
}
