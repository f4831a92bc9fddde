//! Citations in the documentation of tests that are not of the conformance suite.

use crate::lint::Source;
use anyhow::{Context, Result};

/// How a line of documentation begins that cites clauses.
const MARK: &str = "/// Clauses: ";

/// A test, and the clauses that it cites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Citation {
    /// The test, as the page of coverage shows it.
    pub test: String,
    /// Tags with a space between them.
    pub clauses: String,
}

/// The citations of every source file.
pub fn citations(sources: &[Source]) -> Result<Vec<Citation>> {
    let mut found = Vec::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(clauses) = line.strip_prefix(MARK) else { continue };
            let path = source.path.display();
            let name = lines[at..].iter().find_map(|line| function(line)).with_context(|| {
                format!("{path}, line {}: no function follows what cites clauses", at + 1)
            })?;
            let clauses = clauses.trim_end_matches('.').to_owned();
            found.push(Citation { test: format!("`{name}` in `{path}`"), clauses });
        }
    }
    Ok(found)
}

/// The name in a line such as `pub fn name(`.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: String) -> Source {
        Source { path: "a/b.rs".into(), text }
    }

    #[test]
    fn a_line_of_documentation_cites_for_the_function_below() {
        let text = format!("{MARK}A.1 B.2.\n#[test]\nfn it_is_so() {{\n");
        let found = citations(&[source(text)]).expect("a function follows");
        let want = Citation { test: "`it_is_so` in `a/b.rs`".into(), clauses: "A.1 B.2".into() };
        assert_eq!(found, [want]);
        let error = citations(&[source(format!("{MARK}A.1\n"))]).expect_err("none").to_string();
        assert!(error.contains("a/b.rs, line 1"), "{error}");
    }
}
