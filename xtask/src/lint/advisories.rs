//! The catalogue of advisories: every one has an answer that is there.

use super::Findings;
use anyhow::Result;
use catalogue::{Catalogue, check, citations::Tests};
use std::path::Path;

/// Checks the list, the rules, and the tests that they name.
pub fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let catalogue = Catalogue::read(root)?;
    findings.errors.extend(check::check(&catalogue, &Tests::find(root)?));
    Ok(())
}
