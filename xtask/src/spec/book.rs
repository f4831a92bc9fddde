//! The clauses of the book.

use anyhow::{Context, Result, bail};
use std::path::Path;

/// A clause's tag, such as `PT_PIN.3`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tag {
    /// The call or the area.
    pub group: String,
    /// Its number there.
    pub number: u32,
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.group, self.number)
    }
}

/// A clause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clause {
    /// Its file, from the folder of the book's text.
    pub file: String,
    /// Its tag.
    pub tag: Tag,
    /// Why no test can check it.
    pub not_testable: Option<String>,
}

/// Every clause of the book's files, in the book's order.
pub fn clauses(folder: &Path) -> Result<Vec<Clause>> {
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
    let mut clauses: Vec<Clause> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        for clause in of_file(&name, &text) {
            if clauses.iter().any(|other| other.tag == clause.tag) {
                bail!(
                    "{name} has clause {}, which is in the book already: number it anew",
                    clause.tag
                );
            }
            clauses.push(clause);
        }
    }
    Ok(clauses)
}

/// The clauses of one file.
fn of_file(name: &str, text: &str) -> Vec<Clause> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(at, line)| Some((at, clause_of(line)?)));
    starts
        .map(|(at, tag)| {
            // A clause goes on in lines that are indented.
            let rest = lines[at + 1..].iter().take_while(|line| line.starts_with(' '));
            let body: Vec<&str> =
                std::iter::once(&lines[at]).chain(rest).map(|line| line.trim()).collect();
            Clause { file: name.to_owned(), tag, not_testable: reason(&body.join(" ")) }
        })
        .collect()
}

/// The reason at the end of a clause that no test can check.
fn reason(body: &str) -> Option<String> {
    let (_, reason) = body.strip_suffix(".*")?.rsplit_once("*Not testable: ")?;
    Some(reason.to_owned())
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
pub fn tag_of(text: &str) -> Option<Tag> {
    let (group, number) = text.split_once('.')?;
    let is_group = group.starts_with(|c: char| c.is_ascii_uppercase())
        && group.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let number = number.parse().ok()?;
    is_group.then(|| Tag { group: group.to_owned(), number })
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
    fn a_clause_says_why_it_cannot_be_tested() {
        let text = "- **A.1** It MUST be so. *Not testable: nobody\n  sees it.*\n- **A.2** And so.\n\n*Not testable: no.*\n";
        let found = of_file("a.md", text);
        assert_eq!(found[0].not_testable.as_deref(), Some("nobody sees it"));
        assert_eq!(found[1].not_testable, None);
        assert_eq!(found.len(), 2);
    }
}
