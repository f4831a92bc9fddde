//! `cargo xtask check`: the model checker. The search is a program of its own, `tests/check`,
//! compiled for speed; here its lines become progress and tables.

use crate::names::grouped;
use crate::progress::Progress;
use crate::{process, table, toolchain, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Minutes for a scope of a deep run, if nothing is said.
const DEEP_MINUTES: f64 = 10.0;

/// Explore the states that small domains can bring the core into, every invariant in each.
#[derive(Args)]
pub struct Check {
    /// Plant faults of the past in the core, one after the other, and look for each.
    #[arg(long, conflicts_with = "deep")]
    planted: bool,
    /// Compare ten million pairs of pages whose hashes, of four bits, are alike: none may be merged
    /// that differs. Takes minutes.
    #[arg(long, conflicts_with_all = ["planted", "deep", "scope", "depth", "states", "minutes", "json"])]
    collisions: bool,
    /// Search every scope without a bound of its depth: to the end, or for `--minutes`.
    #[arg(long)]
    deep: bool,
    /// Only this scope, or the faults that are looked for in it.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// Look this many steps far, instead of as far as each scope says.
    #[arg(long)]
    depth: Option<u32>,
    /// Visit this many states of a scope at most.
    #[arg(long)]
    states: Option<usize>,
    /// Search a scope for this long at most; 10 in a deep run if neither this nor `--states` is
    /// given.
    #[arg(long)]
    minutes: Option<f64>,
    /// Write what was found as JSON.
    #[arg(long)]
    json: bool,
}

/// What came of one scope or one planted fault.
pub struct Row {
    value: Value,
    line: Line,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    At {
        scope: String,
        depth: u32,
        states: u64,
        steps: u64,
    },
    Scope {
        name: String,
        frames: u64,
        depth: u32,
        states: u64,
        steps: u64,
        seconds: f64,
        end: String,
        trace: Option<Trace>,
    },
    Planted {
        bug: String,
        advisory: String,
        what: String,
        expected: String,
        states: u64,
        trace: Option<Trace>,
    },
}

#[derive(Deserialize)]
struct Trace {
    start: String,
    steps: Vec<String>,
    choices: usize,
    invariant: String,
    what: String,
}

impl Check {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        if self.collisions {
            return collisions();
        }
        let mut words = Vec::new();
        let mut flag = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| [format!("--{name}"), value]).into_iter().flatten());
        };
        let minutes = self.minutes.or((self.deep && self.states.is_none()).then_some(DEEP_MINUTES));
        flag("scope", self.scope);
        flag("depth", self.depth.map(|depth| depth.to_string()));
        flag("states", self.states.map(|states| states.to_string()));
        flag("minutes", minutes.map(|minutes| minutes.to_string()));
        words.extend(self.planted.then(|| "--planted".to_owned()));
        words.extend(self.deep.then(|| "--deep".to_owned()));
        let progress = Progress::new("model checking");
        let rows = rows(&words, &progress)?;
        let failed = rows.iter().filter(|row| !row.passed()).count();
        progress.done(&format!("{} of {} as expected", rows.len() - failed, rows.len()));
        if self.json {
            println!("{:#}", Value::from_iter(rows.iter().map(|row| row.value.clone())));
        } else {
            println!("{}", if self.planted { faults(&rows) } else { scopes(&rows) });
            for row in rows.iter().filter(|row| self.planted || !row.passed()) {
                println!("{}", row.story());
            }
        }
        if failed > 0 {
            bail!("{failed} of {} are not as expected, see above", rows.len());
        }
        Ok(())
    }
}

/// Runs the test that compares pages which hash alike, compiled as the search is.
fn collisions() -> Result<()> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["test", "--quiet", "--profile", "checker", "-p", "core-tests", "--test", "core"]);
    command.args(["--", "--ignored", "--nocapture", "--exact"]);
    command.arg("scanner::a_hash_of_four_bits_makes_no_wrong_merge_in_ten_million");
    let text = process::read(&mut command)?;
    // A test that is not there does not fail.
    let found = text.lines().find(|line| line.contains("comparisons"));
    println!("{}", found.with_context(|| format!("no comparison was made: {text}"))?);
    Ok(())
}

impl Row {
    /// Whether no invariant was broken, or the planted fault broke the one that it should.
    pub fn passed(&self) -> bool {
        match &self.line {
            Line::Planted { expected, trace, .. } => {
                trace.as_ref().is_some_and(|trace| trace.invariant == *expected)
            }
            Line::Scope { trace, .. } => trace.is_none(),
            Line::At { .. } => false,
        }
    }

    /// The steps that led to a broken invariant, one a line.
    pub fn story(&self) -> String {
        let (title, trace) = match &self.line {
            Line::Scope { name, trace, .. } => (name, trace),
            Line::Planted { bug, trace, .. } => (bug, trace),
            Line::At { scope, .. } => (scope, &None),
        };
        let Some(Trace { start, steps, invariant, what, .. }) = trace else {
            return format!("{title}: no invariant was found broken");
        };
        let steps: String = steps.iter().map(|step| format!("    {step}\n")).collect();
        format!("{title}\n  {start}\n{steps}  {invariant}: {what}\n")
    }
}

/// Runs the search: what came of each scope or planted fault.
pub fn rows(words: &[String], progress: &Progress) -> Result<Vec<Row>> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["run", "--quiet", "--profile", "checker", "--package", "check", "--"]);
    command.args(words).stdout(Stdio::piped());
    let shown = process::show(&command);
    let mut child = command.spawn().with_context(|| format!("cannot run `{shown}`"))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut rows: Vec<Row> = Vec::new();
    for text in BufReader::new(output).lines() {
        let text = text.with_context(|| format!("cannot read from `{shown}`"))?;
        let read = || Ok::<_, serde_json::Error>((text.parse()?, serde_json::from_str(&text)?));
        let (value, line) = read().with_context(|| format!("`{shown}` wrote `{text}`"))?;
        match &line {
            Line::At { scope, depth, states, steps } => {
                progress.at(&format!("{scope}: depth {depth}, {states} states, {steps} steps"));
            }
            Line::Scope { name, depth, states, seconds, .. } => {
                progress.line(&format!("{name}: depth {depth}, {states} states, {seconds:.1} s"));
            }
            Line::Planted { bug, states, .. } => {
                progress.line(&format!("{bug}: {states} states"));
            }
        }
        if !matches!(line, Line::At { .. }) {
            rows.push(Row { value, line });
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{shown}`"))?;
    // Its status says no more than the rows do, if there are rows.
    if rows.is_empty() || (!status.success() && rows.iter().all(Row::passed)) {
        bail!("`{shown}` failed: {status}");
    }
    Ok(rows)
}

fn scopes(rows: &[Row]) -> String {
    let header = ["scope", "frames", "depth", "states", "steps", "seconds", "all of them"];
    let mut table = table::new(&header);
    let mut total = (0, 0, 0.0);
    for row in rows {
        let Line::Scope { name, frames, depth, states, steps, seconds, end, .. } = &row.line else {
            continue;
        };
        total = (total.0 + states, total.1 + steps, total.2 + seconds);
        let end = match end.as_str() {
            "closed" => "yes, at any depth",
            "depth" => "yes, to this depth",
            "limit" => "no, stopped",
            _ => "an invariant is broken",
        };
        table.add_row([
            name.clone(),
            frames.to_string(),
            depth.to_string(),
            grouped(*states),
            grouped(*steps),
            format!("{seconds:.1}"),
            end.to_owned(),
        ]);
    }
    let (states, steps, seconds) = total;
    let sum = [grouped(states), grouped(steps), format!("{seconds:.1}")];
    let [states, steps, seconds] = sum;
    let none = String::new;
    table.add_row(["together".to_owned(), none(), none(), states, steps, seconds, none()]);
    table::align_right(&mut table, 1..6);
    table::text(&table)
}

fn faults(rows: &[Row]) -> String {
    let header = ["planted fault", "advisory", "breaks", "states", "choices", "steps"];
    let mut table = table::new(&header);
    for row in rows {
        let Line::Planted { what, advisory, states, trace, .. } = &row.line else { continue };
        let (breaks, choices, steps) = match trace {
            Some(trace) => {
                let (choices, steps) = (trace.choices.to_string(), trace.steps.len().to_string());
                (trace.invariant.clone(), choices, steps)
            }
            None => ("not found".to_owned(), String::new(), String::new()),
        };
        let states = grouped(*states);
        table.add_row([what.clone(), advisory.clone(), breaks, states, choices, steps]);
    }
    table::align_right(&mut table, 3..6);
    table::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        let (value, line) = (text.parse(), serde_json::from_str(text));
        Row { value: value.expect("JSON"), line: line.expect("a line") }
    }

    #[test]
    fn a_fault_must_break_what_it_should() {
        let text = r#"{"planted":{"bug":"B","advisory":"XSA-1","what":"w","scope":"s",
            "expected":"I3","states":7,"seconds":0.1,"trace":{"start":"dom1: root 1","steps":["a"],
            "choices":1,"invariant":"I3","what":"wrong"}}}"#;
        let found = row(text);
        assert!(found.passed());
        assert_eq!(found.story(), "B\n  dom1: root 1\n    a\n  I3: wrong\n");
        assert!(faults(&[found]).contains("XSA-1"));
        assert!(!row(&text.replace("\"I3\",\"what\"", "\"I4\",\"what\"")).passed());
    }

    #[test]
    fn a_scope_must_break_nothing() {
        let text = r#"{"scope":{"name":"trees","about":"a","frames":6,"depth":18,
            "states":118132,"steps":3440032,"widths":[1],"seconds":11.2,"end":"closed",
            "trace":null}}"#;
        let closed = row(text);
        assert!(closed.passed());
        let table = scopes(&[closed]);
        assert!(table.contains("118,132") && table.contains("yes, at any depth"), "{table}");
    }
}
