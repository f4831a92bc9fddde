//! Which guest runs the suite.

use super::c_tests;
use crate::domains::Source;
use crate::images::CONFORMANCE;
use anyhow::{Result, bail};
use conformance::registry;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A guest that can run the suite, or a part of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Guest {
    /// `rust`: ours, the whole suite.
    #[default]
    Rust,
    /// `c`: the one in C, a part of it.
    C,
    /// Anybody's: an ELF file, or the folder of a crate. It knows best which tests it has.
    Path(PathBuf),
}

impl FromStr for Guest {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Guest, Infallible> {
        Ok(match text {
            "rust" => Guest::Rust,
            "c" => Guest::C,
            path => Guest::Path(path.into()),
        })
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Guest::Rust => f.write_str("rust"),
            Guest::C => f.write_str("c"),
            Guest::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Guest {
    /// The title of a run on that place.
    pub fn title(&self, place: &str) -> String {
        match self {
            Guest::Rust => format!("conformance, {place}"),
            Guest::C => format!("conformance in C, {place}"),
            Guest::Path(path) => format!("conformance of {}, {place}", path.display()),
        }
    }

    /// Its image.
    pub fn source(&self) -> Source {
        match self {
            Guest::Rust => Source::Package(CONFORMANCE),
            Guest::C => Source::CGuest,
            Guest::Path(path) => Source::Path(path.clone()),
        }
    }

    /// Its tests whose names contain `filter`, with the clauses that they check; `None`: only
    /// the guest knows.
    pub fn tests(&self, filter: &str) -> Result<Option<Vec<(String, String)>>> {
        let all: Vec<(String, String)> = match self {
            Guest::Rust => registry::all()
                .map(|test| (format!("{}::{}", test.group, test.name), test.clauses.to_owned()))
                .collect(),
            Guest::C => c_tests::all()?.into_iter().map(|test| (test.name, test.clauses)).collect(),
            Guest::Path(_) => return Ok(None),
        };
        let chosen: Vec<_> = all.into_iter().filter(|(name, _)| name.contains(filter)).collect();
        if chosen.is_empty() {
            bail!("no test's name contains `{filter}`: `--list` shows them all");
        }
        Ok(Some(chosen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_a_word_or_a_path() {
        let guest = |text: &str| text.parse::<Guest>().expect("any text is one");
        assert_eq!(guest("c"), Guest::C);
        assert_eq!(guest("rust"), Guest::Rust);
        assert_eq!(guest("./c"), Guest::Path("./c".into()));
        assert_eq!(guest("c").to_string(), "c");
    }

    #[test]
    fn tests_are_chosen_by_name() {
        for guest in [Guest::Rust, Guest::C] {
            let chosen = guest.tests("pt_pin::tree").expect("is there").expect("is known");
            assert_eq!(chosen, [("pt_pin::tree".to_owned(), "PT_PIN.9 PT_PIN.11".to_owned())]);
            assert!(guest.tests("no such test").is_err());
        }
        assert_eq!(Guest::Path("k".into()).tests("").expect("is no error"), None);
    }
}
