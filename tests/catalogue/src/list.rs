//! The list: `tests/catalogue/advisories.tsv`, one line an advisory, with tabs between
//!
//! | column | what |
//! |---|---|
//! | id | `T001` and so on, without a gap |
//! | group | a letter of [`GROUPS`] |
//! | advisory | `XSA-148`, `CVE-…`, or `-` for a class of attacks that has no number |
//! | attack | what was done, in a few words |
//! | answer | names of tests with a space between them, or `RULE.4`, or `open` |
//! | why | why the rule leaves no place for it, or what is missing; a note on the tests, or nothing |

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Where the list is, from the folder of the workspace.
pub const FILE: &str = "tests/catalogue/advisories.tsv";

/// Rows that the list must have.
pub const ROWS: usize = 298;

/// Columns, as the first line names them.
const COLUMNS: &str = "id\tgroup\tadvisory\tattack\tanswer\twhy";

/// What the advisories are about, by letter.
pub const GROUPS: [(char, &str); 13] = [
    ('A', "Page tables and types"),
    ('B', "Long work, half done"),
    ('C', "Stale translations and caches"),
    ('D', "Memory given and taken"),
    ('E', "Grants"),
    ('F', "Shared memory"),
    ('G', "Event channels"),
    ('H', "Ways in and out of the processor's modes"),
    ('I', "Emulated instructions"),
    ('J', "What is left in memory and registers"),
    ('K', "Arguments, rights, bounds"),
    ('L', "The end of a domain"),
    ('M', "Devices that write to memory"),
];

/// One advisory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number in the list, such as `T006`.
    pub id: String,
    /// The letter of its group.
    pub group: char,
    /// The name that the world knows it by.
    pub advisory: Option<String>,
    /// What was done.
    pub attack: String,
    /// What we have against it.
    pub answer: Answer,
    /// Why that is enough, or what is missing.
    pub why: String,
}

/// What we have against an attack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// These tests make it, and see it fail.
    Tests(Vec<String>),
    /// This rule of the design leaves no place for it.
    Rule(String),
    /// Nothing: a limit, said plainly.
    Open,
}

impl Row {
    /// The word by which a test cites the row.
    pub fn citation(&self) -> &str {
        self.advisory.as_deref().unwrap_or(&self.id)
    }
}

/// Whether a word cites a row of the list, rather than a clause of the book.
pub fn is_citation(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    word.strip_prefix("XSA-").is_some_and(digits)
        || word.strip_prefix("CVE-").is_some_and(|rest| digits(&rest.replace('-', "")))
        || (word.len() == 4 && word.strip_prefix('T').is_some_and(digits))
}

/// Reads the list.
///
/// # Errors
/// When a line of it is not what it should be.
pub fn read(root: &Path) -> Result<Vec<Row>> {
    let path = root.join(FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Row>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(COLUMNS), "{FILE}: the first line must be `{COLUMNS}`");
    let row = |(index, line): (usize, &str)| {
        parse_row(line).with_context(|| format!("{FILE}, line {}", index + 2))
    };
    lines.enumerate().map(row).collect()
}

fn parse_row(line: &str) -> Result<Row> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [id, group, advisory, attack, answer, why] = columns[..] else {
        bail!("{} columns instead of 6", columns.len());
    };
    let letter = group.chars().next().filter(|_| group.len() == 1);
    let group = letter.filter(|letter| GROUPS.iter().any(|(known, _)| known == letter));
    let group = group.context("the group is not one of `list::GROUPS`")?;
    ensure!(!attack.is_empty(), "nothing says what the attack is");
    let advisory = (advisory != "-").then(|| advisory.to_owned());
    ensure!(
        advisory.as_deref().is_none_or(is_citation),
        "the advisory is neither XSA-1, CVE-1-1 nor `-`"
    );
    let answer = match answer {
        "open" => Answer::Open,
        "" => bail!("no answer: name tests or a rule, or write `open` and say what is missing"),
        rule if rule.starts_with("RULE.") => Answer::Rule(rule.to_owned()),
        tests => Answer::Tests(tests.split(' ').map(str::to_owned).collect()),
    };
    if !matches!(answer, Answer::Tests(_)) {
        ensure!(!why.is_empty(), "a rule and `open` want a reason in the last column");
    }
    let (id, attack, why) = (id.to_owned(), attack.to_owned(), why.to_owned());
    Ok(Row { id, group, advisory, attack, answer, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Row> {
        Ok(parse(&format!("{COLUMNS}\n{line}\n"))?.remove(0))
    }

    #[test]
    fn the_three_answers() {
        let row = one("T001\tA\tXSA-9\tdid it\ta::b c.rs::d\t").unwrap();
        assert_eq!(row.answer, Answer::Tests(vec!["a::b".into(), "c.rs::d".into()]));
        assert_eq!(row.citation(), "XSA-9");
        assert_eq!(one("T1\tB\t-\tx\tRULE.4\tno").unwrap().answer, Answer::Rule("RULE.4".into()));
        let row = one("T154\tG\t-\tx\topen\tnot yet").unwrap();
        assert_eq!((row.answer.clone(), row.citation()), (Answer::Open, "T154"));
    }

    #[test]
    fn lines_that_are_not_complete_are_refused() {
        for (line, what) in [
            ("T1\tA\tXSA-9\tx\ta::b", "5 columns"),
            ("T1\tZ\tXSA-9\tx\ta::b\t", "group"),
            ("T1\tA\tnine\tx\ta::b\t", "advisory"),
            ("T1\tA\tXSA-9\t\ta::b\t", "attack"),
            ("T1\tA\tXSA-9\tx\t\t", "no answer"),
            ("T1\tA\tXSA-9\tx\topen\t", "reason"),
            ("T1\tA\tXSA-9\tx\tRULE.4\t", "reason"),
        ] {
            let error = format!("{:#}", one(line).expect_err(line));
            assert!(error.contains(what) && error.contains("line 2"), "{line}: {error}");
        }
        assert!(parse("id\n").is_err());
    }

    #[test]
    fn citations_are_told_from_clauses() {
        for word in ["XSA-1", "XSA-148", "CVE-2026-102703", "T139"] {
            assert!(is_citation(word), "{word}");
        }
        for word in ["PT_PIN.3", "XSA-", "XSA-1a", "TRAP.1", "T1390", "RULE.1", "CVE-"] {
            assert!(!is_citation(word), "{word}");
        }
    }
}
