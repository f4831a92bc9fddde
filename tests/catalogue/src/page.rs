//! The page of the book: `spec/src/advisories.md`, written by `cargo xtask spec`.

use crate::list::{Answer, GROUPS, Row};
use crate::rules::Rule;
use crate::{Catalogue, Counts};
use std::fmt::Write;
use std::path::Path;

/// Where the page is, from the folder of the workspace.
pub const FILE: &str = "spec/src/advisories.md";

const HEAD: &str = "# Advisories

Attacks on hypervisors that were published, mostly against Xen, and what answers each of them
here: tests that make the attack and see it fail; a [rule of the design](rules.md) that leaves
no place for it; or nothing yet, said plainly. A test is run on the model of a machine, and in
a guest on each machine if it is of the conformance suite; those of `instructions` and `processor_state`
take a processor. This page is written by `cargo xtask spec` from `tests/catalogue/advisories.tsv`, whose
columns `tests/catalogue/src/list.rs` explains.

";

/// What is wrong with the page in the tree, if anything is.
pub fn out_of_date(root: &Path, catalogue: &Catalogue) -> Option<String> {
    let found = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
    (found != render(catalogue)).then(|| format!("{FILE} is out of date: run `cargo xtask spec`"))
}

/// The page.
pub fn render(catalogue: &Catalogue) -> String {
    let mut page = HEAD.to_owned();
    page += "| | advisories | tested | ruled out | open |\n|---|---:|---:|---:|---:|\n";
    let mut line = |title: &str, counts: Counts| {
        let Counts { tested, ruled_out, open } = counts;
        let total = counts.total();
        let _ = writeln!(page, "| {title} | {total} | {tested} | {ruled_out} | {open} |");
    };
    for (letter, title) in GROUPS {
        line(&format!("{letter}. {title}"), catalogue.counts(Some(letter)));
    }
    line("all", catalogue.counts(None));
    for (letter, title) in GROUPS {
        let _ = write!(page, "\n## {letter}. {title}\n\n");
        page += "| | advisory | attack | answer |\n|---|---|---|---|\n";
        for row in catalogue.rows.iter().filter(|row| row.group == letter) {
            let advisory = row.advisory.as_deref().unwrap_or("");
            let answer = answer(row, &catalogue.rules);
            let _ = writeln!(page, "| {} | {advisory} | {} | {answer} |", row.id, row.attack);
        }
    }
    page
}

fn answer(row: &Row, rules: &[Rule]) -> String {
    let why = &row.why;
    match &row.answer {
        Answer::Tests(names) => {
            let names: Vec<String> =
                names.iter().map(|name| format!("`{}`", short(name))).collect();
            let note = if why.is_empty() { String::new() } else { format!(". {why}") };
            names.join(", ") + &note
        }
        Answer::Rule(tag) => {
            let title = rules.iter().find(|rule| rule.tag == *tag).map_or("", |rule| &rule.title);
            format!("[{tag}, {title}](rules.md): {why}")
        }
        Answer::Open => format!("**open**: {why}"),
    }
}

/// A test's name without the folders that its file lies in.
fn short(name: &str) -> &str {
    name.split("::").next().and_then(|file| file.rfind('/')).map_or(name, |at| &name[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_told_in_its_own_way() {
        let rule = Rule { tag: "RULE.4".into(), title: "No loops".into(), tests: Vec::new() };
        let row = |id: &str, answer, why: &str| Row {
            id: id.into(),
            group: 'A',
            advisory: Some(format!("XSA-{}", &id[3..])),
            attack: "did it".into(),
            answer,
            why: why.into(),
        };
        let rows = vec![
            row("T001", Answer::Tests(vec!["a::b".into(), "x/y.rs::c".into()]), ""),
            row("T002", Answer::Rule("RULE.4".into()), "there are none"),
            row("T003", Answer::Open, "not yet"),
        ];
        let page = render(&Catalogue { rows, rules: vec![rule] });
        for line in [
            "| A. Page tables and types | 3 | 1 | 1 | 1 |\n",
            "| all | 3 | 1 | 1 | 1 |\n",
            "| T001 | XSA-1 | did it | `a::b`, `y.rs::c` |\n",
            "| T002 | XSA-2 | did it | [RULE.4, No loops](rules.md): there are none |\n",
            "| T003 | XSA-3 | did it | **open**: not yet |\n",
        ] {
            assert!(page.contains(line), "{line}{page}");
        }
    }
}
