//! `cargo xtask experiment comparison`: every technique of memory virtualization that there is here,
//! with what speaks for and against it and what the experiments measure of it, on one page.
//!
//! Nothing is written down that is measured: all experiments are run, and figures are looked up in
//! what they found. A figure that is not there is an error, so that the page cannot tell of one that
//! is not made any more.

mod page;
mod techniques;

use super::outcome::Outcome;
use super::{Entry, Way};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::table;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use techniques::{KINDS, Kind, Source};

/// Its name among the experiments.
pub const NAME: &str = "comparison";

/// What it is.
pub const ABOUT: &str = "all of them on one page: each technique, for what, pros, cons, figures";

/// Which experiments are run.
#[derive(Clone, Copy)]
pub struct Extent {
    /// Those that boot machines too.
    pub booted: bool,
    /// Their architecture.
    pub arch: Option<Arch>,
    /// Whether what is missing may be installed.
    pub may: MayInstall,
}

/// An experiment, and what it found, if it was run.
pub struct Ran {
    pub name: &'static str,
    pub about: &'static str,
    pub outcome: Option<Outcome>,
}

/// Techniques of one kind, and of each what was measured.
pub struct Compared {
    pub kind: &'static Kind,
    pub evidence: Vec<Vec<Evidence>>,
}

/// Something that was measured of a technique.
pub struct Evidence {
    pub experiment: &'static str,
    pub what: String,
    pub reference: String,
    /// `None`: its experiment was not run.
    pub ours: Option<String>,
    pub holds: Option<bool>,
}

/// The comparison.
pub struct Comparison {
    compared: Vec<Compared>,
    ran: Vec<Ran>,
}

impl Comparison {
    /// Runs the experiments.
    pub fn make(entries: &[Entry], extent: Extent) -> Result<Comparison> {
        let progress = Progress::new("comparing");
        let mut ran = Vec::new();
        for entry in entries {
            let arch = match entry.way {
                Way::OnTheHost(_) => None,
                Way::Booted(_) => extent.arch,
            };
            let runs = extent.booted || matches!(entry.way, Way::OnTheHost(_));
            progress.at(entry.name);
            let outcome = runs.then(|| entry.run(arch, extent.may)).transpose();
            let outcome = outcome.with_context(|| format!("the experiment {}", entry.name))?;
            ran.push(Ran { name: entry.name, about: entry.about, outcome });
        }
        let made = ran.iter().filter(|ran| ran.outcome.is_some()).count();
        progress.done(&format!("{made} of {} experiments run", ran.len()));
        Comparison::of(ran)
    }

    fn of(ran: Vec<Ran>) -> Result<Comparison> {
        let compared = KINDS.iter().map(|kind| {
            let evidence = kind.techniques.iter().map(|technique| {
                let found = technique.sources.iter().map(|source| source.find(&ran));
                found.collect::<Result<Vec<_>>>().with_context(|| technique.name)
            });
            Ok(Compared { kind, evidence: evidence.collect::<Result<_>>()? })
        });
        Ok(Comparison { compared: compared.collect::<Result<_>>()?, ran })
    }

    /// The page.
    pub fn html(&self) -> Result<String> {
        page::html(&self.compared, &self.ran)
    }

    /// A table, for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Compared { kind, evidence } in &self.compared {
            let mut rows = table::new(&["technique", "measured", "reference", "ours", ""]);
            for (technique, evidence) in kind.techniques.iter().zip(evidence) {
                for (index, found) in evidence.iter().enumerate() {
                    let name = if index == 0 { technique.name } else { "" };
                    let ours = found.ours.as_deref().unwrap_or("not run");
                    let verdict = match found.holds {
                        Some(true) => "holds",
                        Some(false) => "MISSED",
                        None => "",
                    };
                    rows.add_row([name, &found.what, &found.reference, ours, verdict]);
                }
            }
            text += &format!("{}\n\n{}\n", kind.title, table::text(&rows));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let techniques = self.compared.iter().flat_map(|Compared { kind, evidence }| {
            kind.techniques.iter().zip(evidence).map(|(technique, evidence)| {
                let figures = evidence.iter().map(|found| {
                    json!({
                        "experiment": found.experiment,
                        "figure": found.what,
                        "reference": found.reference,
                        "ours": found.ours,
                        "holds": found.holds,
                    })
                });
                json!({
                    "kind": kind.title,
                    "technique": technique.name,
                    "purpose": technique.purpose,
                    "pros": technique.pros,
                    "cons": technique.cons,
                    "figures": figures.collect::<Vec<_>>(),
                })
            })
        });
        json!({ "experiment": NAME, "techniques": techniques.collect::<Vec<_>>() })
    }

    /// Figures of all experiments that are not what they have to be.
    pub fn missed(&self) -> Vec<String> {
        let outcomes = self.ran.iter().filter_map(|ran| Some(ran.name).zip(ran.outcome.as_ref()));
        let missed = outcomes.flat_map(|(name, outcome)| {
            outcome.missed().map(move |missed| format!("{name}: {missed}"))
        });
        missed.collect()
    }
}

impl Source {
    fn experiment(&self) -> &'static str {
        match self {
            Source::Figure(experiment, _) => experiment,
            Source::Cell(cell) => cell.experiment,
        }
    }

    /// Looks it up in what the experiments found.
    fn find(&self, ran: &[Ran]) -> Result<Evidence> {
        let experiment = self.experiment();
        let ran = ran.iter().find(|ran| ran.name == experiment);
        let ran = ran.with_context(|| format!("there is no experiment {experiment}"))?;
        let Some(outcome) = &ran.outcome else {
            let (what, reference) = match self {
                Source::Figure(_, begins) => (*begins, ""),
                Source::Cell(cell) => (cell.what, cell.reference),
            };
            let (what, reference) = (what.to_owned(), reference.to_owned());
            return Ok(Evidence { experiment, what, reference, ours: None, holds: None });
        };
        match self {
            Source::Figure(_, begins) => {
                let mut figures = outcome.figures.iter();
                let figure = figures.find(|figure| figure.what.starts_with(begins));
                let Some(figure) = figure else {
                    bail!("{experiment} has no figure that begins with `{begins}`");
                };
                Ok(Evidence {
                    experiment,
                    what: figure.what.clone(),
                    reference: figure.reference.clone(),
                    ours: Some(figure.ours.clone()),
                    holds: figure.holds,
                })
            }
            Source::Cell(cell) => {
                let rows = outcome.tables.get(cell.table).map(|table| &table.rows);
                let mut named = rows
                    .into_iter()
                    .flatten()
                    .filter(|row| row.first().is_some_and(|first| first.to_string() == cell.row));
                let found = named.next().and_then(|row| row.get(cell.column));
                let Some(found) = found else {
                    bail!("{experiment} has no row `{}` with that column", cell.row);
                };
                Ok(Evidence {
                    experiment,
                    what: cell.what.into(),
                    reference: cell.reference.into(),
                    ours: Some(found.to_string()),
                    holds: None,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::*;
    use std::collections::BTreeSet;

    /// Experiments that are run here: those that take no time.
    const QUICK: [&str; 5] = ["idle-tax", "pure-share", "admission", "estimators", "forced"];

    /// All experiments, of which these were run.
    fn ran(names: &[&str]) -> Vec<Ran> {
        let ran = ALL.iter().map(|entry| {
            let run = || entry.run(None, MayInstall(false)).expect("it runs");
            let outcome = names.contains(&entry.name).then(run);
            Ran { name: entry.name, about: entry.about, outcome }
        });
        ran.collect()
    }

    #[test]
    fn what_is_named_is_found_and_the_rest_is_said_not_to_be_run() {
        let comparison = Comparison::of(ran(&QUICK)).expect("every figure is there");
        let all =
            comparison.compared.iter().flat_map(|compared| compared.evidence.iter().flatten());
        for found in all {
            assert_eq!(found.ours.is_some(), QUICK.contains(&found.experiment), "{}", found.what);
        }
        let text = comparison.text();
        assert!(text.contains("102 / 256 MB") && text.contains("not run"), "{text}");
        assert_eq!(comparison.missed(), Vec::<String>::new());
    }

    #[test]
    fn the_page_holds_everything_and_loads_nothing() {
        let page = Comparison::of(ran(&["idle-tax", "admission"])).expect("found");
        let page = page.html().expect("drawn");
        for entry in ALL {
            assert!(page.contains(&format!("id=\"{}\"", entry.name)), "{}", entry.name);
        }
        assert_eq!(page.matches("<svg").count(), 2);
        for technique in KINDS.iter().flat_map(|kind| kind.techniques) {
            assert!(page.contains(technique.name), "{}", technique.name);
        }
        for loads in ["<script", "<link", "src=", "@import"] {
            assert!(!page.contains(loads), "{loads}");
        }
    }

    #[test]
    fn a_figure_that_is_not_made_any_more_is_an_error() {
        let mut ran = ran(&["admission"]);
        let outcome = ran.iter_mut().find(|ran| ran.name == "admission");
        outcome.and_then(|ran| ran.outcome.as_mut()).expect("it was run").figures.clear();
        let error = Comparison::of(ran).err().expect("refused");
        assert!(format!("{error:#}").contains("sum of maximums"), "{error:#}");
    }

    #[test]
    fn every_technique_is_measured_and_has_two_sides() {
        let names: BTreeSet<&str> = ALL.iter().map(|entry| entry.name).collect();
        for technique in KINDS.iter().flat_map(|kind| kind.techniques) {
            assert!(!technique.pros.is_empty() && !technique.cons.is_empty());
            assert!(!technique.sources.is_empty(), "{}", technique.name);
            for source in technique.sources {
                assert!(names.contains(source.experiment()), "{}", source.experiment());
            }
        }
    }
}
