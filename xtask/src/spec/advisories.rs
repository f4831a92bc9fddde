//! The page that says what answers which advisory.

use super::Page;
use crate::workspace;
use anyhow::Result;
use catalogue::{Catalogue, page};

/// The page, from the catalogue in the tree.
pub fn page() -> Result<Page> {
    let root = workspace::root();
    Ok(Page { path: root.join(page::FILE), text: page::render(&Catalogue::read(root)?) })
}
