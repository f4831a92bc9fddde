//! Citations of clauses in the documentation of tests that are not of the conformance suite.

use crate::lint::Source;
use anyhow::Result;
use catalogue::citations::{clauses, in_file};

/// A test, and the clauses that it cites.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Citation {
    /// The test, as the page of coverage shows it.
    pub test: String,
    /// Tags with a space between them.
    pub clauses: String,
}

impl Citation {
    /// Of what a test cites, the clauses.
    pub fn new<'a>(test: String, words: impl IntoIterator<Item = &'a str>) -> Citation {
        Citation { test, clauses: clauses(words).collect::<Vec<_>>().join(" ") }
    }
}

/// The citations of every source file.
pub fn citations(sources: &[Source]) -> Result<Vec<Citation>> {
    let mut found = Vec::new();
    for Source { path, text } in sources {
        for named in in_file(path, text)? {
            let test = format!("`{}` in `{}`", named.name, path.display());
            let citation = Citation::new(test, named.words.iter().map(String::as_str));
            if !citation.clauses.is_empty() {
                found.push(citation);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_cite_clauses_in_their_documentation() {
        let text = "/// Clauses: A.1 B.2.\n/// Advisories: XSA-1\n#[test]\nfn it_is_so() {\n}\n/// Advisories: XSA-2\nfn other() {}\n";
        let found =
            citations(&[Source { path: "a/b.rs".into(), text: text.into() }]).expect("fits");
        let want = Citation { test: "`it_is_so` in `a/b.rs`".into(), clauses: "A.1 B.2".into() };
        assert_eq!(found, [want]);
    }
}
