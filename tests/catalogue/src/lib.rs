//! The catalogue of advisories: attacks on hypervisors that were published, each with the
//! tests that make it here, the rule of the design that leaves no place for it, or a plain
//! word that nothing is done about it.
//!
//! * `advisories.tsv` is the list: one line an advisory;
//! * a test cites the advisories that it answers: among its clauses if it is of the
//!   conformance suite, in its documentation if it is another ([`citations`]);
//! * the rules stand in `spec/src/rules.md`, each with the tests that show it ([`rules`]);
//! * [`check`] finds what does not fit together, [`page`] writes `spec/src/advisories.md`.

#![forbid(unsafe_code)]

pub mod check;
pub mod citations;
pub mod list;
pub mod page;
pub mod rules;

use anyhow::Result;
use list::{Answer, Row};
use rules::Rule;
use std::path::{Path, PathBuf};

/// Everything that is checked and shown.
pub struct Catalogue {
    /// The lines of the list, in its order.
    pub rows: Vec<Row>,
    /// The rules of the design.
    pub rules: Vec<Rule>,
}

/// Rows by how they are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// By tests that make the attack.
    pub tested: usize,
    /// By a rule of the design.
    pub ruled_out: usize,
    /// Not at all.
    pub open: usize,
}

impl Counts {
    /// All of them.
    pub const fn total(self) -> usize {
        self.tested + self.ruled_out + self.open
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Catalogue {
    /// Reads the list and the rules.
    ///
    /// # Errors
    /// When a file cannot be read, or a line of it is not what it should be.
    pub fn read(root: &Path) -> Result<Catalogue> {
        Ok(Catalogue { rows: list::read(root)?, rules: rules::read(root)? })
    }

    /// Counts the rows of a group, or all.
    pub fn counts(&self, group: Option<char>) -> Counts {
        let mut counts = Counts::default();
        for row in self.rows.iter().filter(|row| group.is_none_or(|group| row.group == group)) {
            match row.answer {
                Answer::Tests(_) => counts.tested += 1,
                Answer::Rule(_) => counts.ruled_out += 1,
                Answer::Open => counts.open += 1,
            }
        }
        counts
    }
}
