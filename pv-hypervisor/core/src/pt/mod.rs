//! Page tables: references of entries, validation of trees, updates of entries.

mod entry;
mod update;
mod walk;

pub(crate) use update::{Source, Then, UpdateWork};
pub(crate) use walk::{Progress, Walk};
