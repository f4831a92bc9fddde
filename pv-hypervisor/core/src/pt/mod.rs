//! Page tables: references of entries, validation of trees, updates of entries.

mod by_page;
pub(crate) mod entry;
pub(crate) mod update;
pub(crate) mod walk;

pub(crate) use entry::Place;
pub(crate) use update::{Source, Then, UpdateWork};
pub(crate) use walk::{Progress, Walk};
