//! The tests that can be named, with the words that each cites: clauses of the book, and
//! advisories.
//!
//! A test of the conformance suite is named `pt_pin::entry_bits` and cites in its list. Any
//! other is named by its file and its function, `tests/core/tests/flush.rs::name`,
//! and cites in lines `/// Clauses: PT_PIN.3` and `/// Advisories: XSA-148` of its documentation.
//! Where a file makes tests out of a table, as those that boot a machine do, the name is that of
//! the line, `word: "name"`, and a plain comment before it cites.

use crate::list::is_citation;
use anyhow::{Context, Result, bail};
use conformance::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How the text of a comment begins that cites.
const MARKS: [&str; 2] = ["Clauses: ", "Advisories: "];

/// Folders whose files hold tests that may be named.
const FOLDERS: [&str; 8] = [
    "hypercall-abi",
    "pv-hypervisor/bundle",
    "pv-hypervisor/core",
    "pv-guest-kernel/runtime",
    "balloon",
    "tests/catalogue/tests",
    "tests/core/tests",
    "xtask/src/test",
];

/// Every test that cites something or could: name, and the words that it cites.
#[derive(Default)]
pub struct Tests(BTreeMap<String, BTreeSet<String>>);

impl Tests {
    /// Finds all tests.
    ///
    /// # Errors
    /// When a file cannot be read, or cites for nothing.
    pub fn find(root: &Path) -> Result<Tests> {
        let mut tests = Tests::default();
        for case in registry::all() {
            let words = case.clauses.split_whitespace().map(str::to_owned).collect();
            tests.0.insert(format!("{}::{}", case.group, case.name), words);
        }
        for folder in FOLDERS {
            tests.search(root, &root.join(folder))?;
        }
        Ok(tests)
    }

    /// Tests with what they cite, for the tests of the check.
    #[cfg(test)]
    pub(crate) fn of(tests: &[(&str, &str)]) -> Tests {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Tests(tests.iter().map(|(name, cited)| ((*name).to_owned(), words(cited))).collect())
    }

    /// What a test cites. `None`: there is no such test.
    pub fn cited_by(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.0.get(name)
    }

    /// Every test with what it cites.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.0.iter().map(|(name, words)| (name.as_str(), words))
    }

    fn search(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                if !path.join("CACHEDIR.TAG").exists() {
                    self.search(root, &path)?;
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let path = path.strip_prefix(root).unwrap_or(&path);
                // In a folder of tests, macros make tests of functions that are not marked.
                let all = path.components().any(|part| part.as_os_str() == "tests");
                let named = in_file(path, &text)?;
                for Named { name, words, .. } in named.into_iter().filter(|one| all || one.is_test)
                {
                    let name = format!("{}::{name}", path.display());
                    self.0.entry(name).or_default().extend(words);
                }
            }
        }
        Ok(())
    }
}

/// What has a name in a file: a function, or the line of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What the lines before it cite, in their order.
    pub words: Vec<String>,
    /// Whether it is marked as a test, as functions are, or is the line of a table.
    pub is_test: bool,
}

/// Everything in a file that has a name. `path` is for the error.
///
/// # Errors
/// When nothing that has a name follows a line that cites.
pub fn in_file(path: &Path, text: &str) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut marked = false;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.starts_with("//") {
            words.extend(cited(line).map(str::to_owned));
        } else if line == "#[test]" {
            marked = true;
        } else if !line.starts_with("#[") {
            let (function, word) = (function(line), word(line));
            if let Some(name) = function.or(word) {
                let is_test = marked || function.is_none();
                let words = std::mem::take(&mut words);
                found.push(Named { name: name.to_owned(), words, is_test });
            } else if !words.is_empty() {
                bail!(
                    "{}, line {number}: no function follows what cites {}",
                    path.display(),
                    words.join(" ")
                );
            }
            marked = false;
        }
    }
    if !words.is_empty() {
        bail!("{}: no function follows what cites {}", path.display(), words.join(" "));
    }
    Ok(found)
}

/// What a comment cites.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let text = line.strip_prefix("/// ").or(line.strip_prefix("// ")).unwrap_or_default();
    let list = MARKS.iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or_default();
    list.trim_end_matches('.').split_whitespace()
}

/// The clauses among what is cited.
pub fn clauses<'a>(words: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    words.into_iter().filter(|word| !is_citation(word))
}

/// The name of the function that begins on a line such as `pub fn name(`.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

/// The word of a table's line: `Misbehaviour { word: "null", ... }`.
fn word(line: &str) -> Option<&str> {
    line.split_once("word: \"")?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<Vec<Named>> {
        in_file(Path::new("a/b.rs"), text)
    }

    #[test]
    fn what_stands_before_a_name_cites_for_it() {
        let text = [
            "/// It is so.",
            "/// Clauses: A.1 RULE.2.",
            "/// Advisories: XSA-1 XSA-22",
            "#[test]",
            "fn one() {",
            "}",
            "// As XSA-3 and RULE.4 say.",
            "pub fn two<P>() {}",
            "    // Advisories: XSA-9",
            "    Bad { word: \"null\", reason: \"x\" },",
        ];
        let found = named(&text.join("\n")).unwrap();
        let found: Vec<(&str, String, bool)> =
            found.iter().map(|one| (&*one.name, one.words.join(" "), one.is_test)).collect();
        let want = [
            ("one", "A.1 RULE.2 XSA-1 XSA-22".to_owned(), true),
            ("two", String::new(), false),
            ("null", "XSA-9".to_owned(), true),
        ];
        assert_eq!(found, want);
        assert_eq!(clauses(found[0].1.split(' ')).collect::<Vec<_>>(), ["A.1", "RULE.2"]);
    }

    #[test]
    fn what_cites_for_nothing_is_an_error() {
        for text in
            ["/// Clauses: A.1\nlet x = 1;\nfn f() {}\n", "fn f() {}\n/// Advisories: XSA-1"]
        {
            let error = named(text).unwrap_err().to_string();
            assert!(error.contains("a/b.rs") && error.contains("no function follows"), "{error}");
        }
    }
}
