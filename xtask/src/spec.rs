//! `cargo xtask spec`: builds the book, with a page that says which tests check which clause.
//!
//! A clause is a line of the book that begins with its tag, `**PT_PIN.3**`; a test cites the
//! tags of the clauses that it checks.

use crate::build::write;
use crate::packages::MayInstall;
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use conformance::registry::GROUPS;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of mdbook that is installed when none is there.
const MDBOOK: &str = "0.5.4";

/// Build the book of the interface, and its page of coverage.
#[derive(Args)]
pub struct Spec {
    /// Only check: fail when a test cites a clause that there is not, or when the page of
    /// coverage is not the one that would be written.
    #[arg(long)]
    check: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

/// Clauses: file of the book, group, number; in the book's order.
type Clauses = Vec<(String, Tag)>;

/// A clause's tag, such as `PT_PIN.3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Tag {
    group: String,
    number: u32,
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.group, self.number)
    }
}

impl Spec {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let folder = workspace::root().join("spec");
        let clauses = clauses(&folder.join("src"))?;
        let cited = GROUPS
            .iter()
            .flat_map(|group| group.iter())
            .map(|test| (format!("{}::{}", test.group, test.name), test.clauses));
        let (page, covered) = coverage(&clauses, cited)?;
        let path = folder.join("src/coverage.md");
        if self.check {
            if std::fs::read_to_string(&path).unwrap_or_default() != page {
                bail!("{} is out of date: run `cargo xtask spec`", path.display());
            }
        } else {
            write(&path, page.as_bytes())?;
            let mdbook = mdbook(MayInstall(!self.no_install))?;
            process::run(Command::new(mdbook).arg("build").arg(&folder).stdout(std::io::stderr()))?;
            println!("the book: {}", folder.join("book/index.html").display());
        }
        println!("{covered} of {} clauses are cited by a test", clauses.len());
        Ok(())
    }
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

/// Every clause of the book's files.
fn clauses(folder: &Path) -> Result<Clauses> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut clauses = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        for tag in text.lines().filter_map(clause_of) {
            if clauses.iter().any(|(_, other)| *other == tag) {
                bail!("{name} has clause {tag}, which is in the book already: number it anew");
            }
            clauses.push((name.clone(), tag));
        }
    }
    Ok(clauses)
}

/// The clause that begins on a line: `- **PT_PIN.3** ...`.
fn clause_of(line: &str) -> Option<Tag> {
    let rest = line.trim_start_matches([' ', '-', '|', '*']);
    let marker = &line[..line.len() - rest.len()];
    if !marker.ends_with("**") {
        return None;
    }
    tag_of(rest.split_once("**")?.0)
}

/// Reads `PT_PIN.3`.
fn tag_of(text: &str) -> Option<Tag> {
    let (group, number) = text.split_once('.')?;
    let is_group = group.starts_with(|c: char| c.is_ascii_uppercase())
        && group.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let number = number.parse().ok()?;
    is_group.then(|| Tag { group: group.to_owned(), number })
}

/// The page of coverage, and how many clauses are cited.
fn coverage<'a>(
    clauses: &Clauses,
    tests: impl Iterator<Item = (String, &'a str)>,
) -> Result<(String, usize)> {
    let mut citing: BTreeMap<Tag, Vec<String>> = BTreeMap::new();
    for (name, cited) in tests {
        for text in cited.split_whitespace() {
            let tag = tag_of(text).with_context(|| {
                format!(
                    "test {name} cites `{text}`, which is no tag: write it as in the book, PT_PIN.3"
                )
            })?;
            if !clauses.iter().any(|(_, clause)| *clause == tag) {
                bail!(
                    "test {name} cites clause {tag}, which the book does not have: cite one that it has"
                );
            }
            citing.entry(tag).or_default().push(name.clone());
        }
    }
    let total = clauses.len();
    let mut page = format!(
        "# Coverage\n\nWhich conformance tests check which clause. This page is written by `cargo xtask spec`.\n\n{} of {total} clauses are cited by a test.\n",
        citing.len()
    );
    let mut group = "";
    for (file, tag) in clauses {
        if tag.group != group {
            group = &tag.group;
            let _ = write!(page, "\n## [{group}]({file})\n\n| clause | tests |\n|---|---|\n");
        }
        let names = citing.get(tag).map(|names| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        });
        let _ = writeln!(page, "| {tag} | {} |", names.unwrap_or_else(|| "none".into()));
    }
    Ok((page, citing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        tag_of(text).expect(text)
    }

    #[test]
    fn clauses_are_found_where_they_begin() {
        assert_eq!(clause_of("- **PT_PIN.3** The caller MUST own it."), Some(tag("PT_PIN.3")));
        assert_eq!(clause_of("**FRAMES.12** A frame"), Some(tag("FRAMES.12")));
        for line in ["see PT_PIN.3", "- as **PT_PIN.3** says", "- **bold** text", "**1.2**", ""] {
            assert_eq!(clause_of(line), None, "{line}");
        }
    }

    #[test]
    fn tests_cite_clauses_that_there_are() {
        let clauses =
            vec![("calls/a.md".to_owned(), tag("A.1")), ("calls/a.md".to_owned(), tag("A.2"))];
        let of =
            |cited: &'static str| coverage(&clauses, std::iter::once(("a::ok".to_owned(), cited)));
        let (page, covered) = of("A.2").expect("cites what is there");
        assert_eq!(covered, 1);
        assert!(page.contains("| A.1 | none |\n| A.2 | `a::ok` |\n"), "{page}");
        assert!(page.contains("## [A](calls/a.md)"), "{page}");
        let error = of("A.1 A.3").expect_err("unknown").to_string();
        assert!(error.contains("a::ok") && error.contains("A.3"), "{error}");
        assert!(of("A").expect_err("no tag").to_string().contains("is no tag"));
    }
}
