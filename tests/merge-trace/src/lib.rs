//! What `merge-trace` tells, for the program that tells it and for `cargo xtask experiment merge-trace`,
//! which reads it.

mod line;

pub use line::{Event, Line, Page, PageLine, RecordKind, RecordLine, What};
