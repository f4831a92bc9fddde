//! `cargo xtask spec`: builds the book, with a page that says which tests check which clause, and
//! one that says what answers which advisory; and a page of the guest kernel's system calls.
//!
//! A clause is a line of the book that begins with its tag, `**PT_PIN.3**`. A test cites the tags
//! of the clauses that it checks: one of the conformance suite in its list, any other in a line
//! `/// Clauses: PT_PIN.3` of its own documentation. A clause that no test can check ends with
//! the reason, `*Not testable: ...*`.

mod advisories;
mod book;
mod cited;
mod coverage;
mod system_calls;

use crate::build::write;
use crate::conformance::c_tests;
use crate::packages::MayInstall;
use crate::{lint, process, toolchain, workspace};
use anyhow::{Result, bail};
use clap::Args;
use conformance::registry::GROUPS;
use std::path::PathBuf;
use std::process::Command;

/// The version of mdbook that is installed when none is there.
const MDBOOK: &str = "0.5.4";

/// Build the book of the interface, and its pages of coverage, of advisories and of system calls.
#[derive(Args)]
pub struct Spec {
    /// Only check: fail when a test cites a clause that there is not, or when a page that
    /// is written by this command is not the one that would be written.
    #[arg(long)]
    check: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Spec {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let folder = workspace::root().join("spec");
        let coverage = of_tree()?;
        let pages = pages(&coverage)?;
        if self.check {
            if let Some(page) = pages.iter().find(|page| page.is_out_of_date()) {
                bail!("{} is out of date: run `cargo xtask spec`", page.path.display());
            }
        } else {
            for page in &pages {
                write(&page.path, page.text.as_bytes())?;
            }
            let mdbook = mdbook(MayInstall(!self.no_install))?;
            process::run(Command::new(mdbook).arg("build").arg(&folder).stdout(std::io::stderr()))?;
            println!("the book: {}", folder.join("book/index.html").display());
        }
        if let Some(first) = coverage.open.first() {
            bail!(
                "{} clauses are cited by no test, {first} the first: cite each in a test that checks it, or end it with `*Not testable: the reason.*`",
                coverage.open.len()
            );
        }
        println!("{}", coverage.summary);
        Ok(())
    }
}

/// The coverage of the book by the tests of this tree.
pub fn of_tree() -> Result<coverage::Coverage> {
    let clauses = book::clauses(&workspace::root().join("spec/src"))?;
    let citation = |name: String, words: &str| {
        cited::Citation::new(format!("`{name}`"), words.split_whitespace())
    };
    let mut citations: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.iter())
        .map(|test| citation(format!("{}::{}", test.group, test.name), test.clauses))
        .collect();
    // The guest in C has tests that the suite has not; the others are named alike.
    for test in c_tests::all()? {
        let own = citation(test.name, &test.clauses);
        if citations.iter().all(|other| other.test != own.test) {
            citations.push(own);
        }
    }
    citations.extend(cited::citations(&lint::sources(workspace::root())?)?);
    coverage::coverage(&clauses, &citations)
}

/// A page of the book that is written by the command.
pub struct Page {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Page {
    /// Whether the one in the tree says something else.
    pub fn is_out_of_date(&self) -> bool {
        std::fs::read_to_string(&self.path).unwrap_or_default() != self.text
    }
}

/// The pages that are written.
pub fn pages(coverage: &coverage::Coverage) -> Result<[Page; 3]> {
    let path = workspace::root().join("spec/src/coverage.md");
    Ok([Page { path, text: coverage.page.clone() }, advisories::page()?, system_calls::page()?])
}

/// mdbook in `PATH`, or where `cargo xtask spec` installs it.
pub fn find_mdbook() -> Option<PathBuf> {
    let own = workspace::target().join("tools/bin/mdbook");
    workspace::find_program("mdbook").or_else(|| workspace::is_program(&own).then_some(own))
}

fn mdbook(may: MayInstall) -> Result<PathBuf> {
    if let Some(path) = find_mdbook() {
        return Ok(path);
    }
    if !may.0 {
        bail!(
            "mdbook is missing (--no-install was given); install it with:\n  cargo install mdbook --locked --version {MDBOOK}"
        );
    }
    let folder = workspace::target_folder("tools")?;
    eprintln!("installing for the book: mdbook {MDBOOK} into {}", folder.display());
    let mut command = Command::new(toolchain::cargo());
    command.args(["install", "mdbook", "--locked", "--version", MDBOOK, "--root"]).arg(&folder);
    process::run(command.stdout(std::io::stderr()))?;
    Ok(folder.join("bin/mdbook"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_is_tested_or_says_why_not() {
        let coverage = of_tree().expect("the book and the tests are here");
        assert!(coverage.open.is_empty(), "cited by no test: {:?}", coverage.open);
    }

    /// Where an included file or its anchor is missing, mdbook leaves a hole and goes on.
    #[test]
    fn what_the_book_includes_is_there() {
        let folder = workspace::root().join("spec/src");
        let page = std::fs::read_to_string(folder.join("porting.md")).expect("the page is there");
        let included: Vec<&str> = page
            .split("{{#include ")
            .skip(1)
            .filter_map(|rest| rest.split_once("}}").map(|(name, _)| name))
            .collect();
        assert!(included.len() > 5, "{included:?}");
        for name in included {
            let (path, anchor) = name.split_once(':').unwrap_or((name, ""));
            let text = std::fs::read_to_string(folder.join(path)).expect(name);
            for word in ["ANCHOR: ", "ANCHOR_END: "] {
                let marker = format!("{word}{anchor} ");
                assert!(anchor.is_empty() || text.contains(&marker), "{name} has no {marker}");
            }
        }
    }
}
