//! The page that says which tests check which clause.

use super::book::{Clause, Tag, tag_of};
use super::cited::Citation;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the citations come to.
#[derive(Debug)]
pub struct Coverage {
    /// The page.
    pub page: String,
    /// One sentence.
    pub summary: String,
    /// Clauses that no test cites and that do not say why.
    pub open: Vec<Tag>,
}

/// Puts clauses and citations together.
pub fn coverage(clauses: &[Clause], citations: &[Citation]) -> Result<Coverage> {
    let mut citing: BTreeMap<Tag, Vec<&str>> = BTreeMap::new();
    for Citation { test, clauses: cited } in citations {
        for text in cited.split_whitespace() {
            let tag = tag_of(text).with_context(|| {
                format!(
                    "test {test} cites `{text}`, which is no tag: write it as in the book, PT_PIN.3"
                )
            })?;
            let Some(clause) = clauses.iter().find(|clause| clause.tag == tag) else {
                bail!(
                    "test {test} cites clause {tag}, which the book does not have: cite one that it has"
                );
            };
            if clause.not_testable.is_some() {
                bail!(
                    "test {test} cites clause {tag}, which the book calls not testable: one of the two is wrong"
                );
            }
            citing.entry(tag).or_default().push(test);
        }
    }
    let untestable = clauses.iter().filter(|clause| clause.not_testable.is_some()).count();
    let summary = format!(
        "{} of {} clauses are cited by a test; {untestable} cannot be tested, each with the reason",
        citing.len(),
        clauses.len()
    );
    let mut page = format!(
        "# Coverage\n\nWhich tests check which clause. `group::name` is a test of the conformance suite, others stand\nin the file that is named. This page is written by `cargo xtask spec`.\n\n{summary}.\n"
    );
    let mut open = Vec::new();
    let mut group = "";
    for Clause { file, tag, not_testable } in clauses {
        if tag.group != group {
            group = &tag.group;
            let _ = write!(page, "\n## [{group}]({file})\n\n| clause | tests |\n|---|---|\n");
        }
        let tests = match (citing.get(tag), not_testable) {
            (Some(tests), _) => tests.join(", "),
            (None, Some(reason)) => format!("not testable: {reason}"),
            (None, None) => {
                open.push(tag.clone());
                "none".into()
            }
        };
        let _ = writeln!(page, "| {tag} | {tests} |");
    }
    Ok(Coverage { page, summary, open })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(tag: &str, not_testable: Option<&str>) -> Clause {
        let tag = tag_of(tag).expect(tag);
        let not_testable = not_testable.map(str::to_owned);
        Clause { file: "calls/a.md".into(), tag, not_testable }
    }

    fn of(cited: &str) -> Result<Coverage> {
        let clauses = [clause("A.1", None), clause("A.2", None), clause("A.3", Some("too far"))];
        coverage(&clauses, &[Citation { test: "`a::ok`".into(), clauses: cited.into() }])
    }

    #[test]
    fn each_clause_is_tested_or_not_testable_or_open() {
        let coverage = of("A.2").expect("cites what is there");
        assert_eq!(coverage.open, [tag_of("A.1").expect("a tag")]);
        let rows = "| A.1 | none |\n| A.2 | `a::ok` |\n| A.3 | not testable: too far |\n";
        assert!(coverage.page.contains(rows), "{}", coverage.page);
        assert!(coverage.page.contains("## [A](calls/a.md)"), "{}", coverage.page);
        assert!(coverage.summary.starts_with("1 of 3 clauses"), "{}", coverage.summary);
    }

    #[test]
    fn tests_cite_clauses_that_there_are() {
        let error = of("A.1 A.4").expect_err("unknown").to_string();
        assert!(error.contains("a::ok") && error.contains("A.4"), "{error}");
        assert!(of("A").expect_err("no tag").to_string().contains("is no tag"));
        assert!(of("A.3").expect_err("not testable").to_string().contains("one of the two"));
    }
}
