//! The console as processes know it: a terminal.

/// The terminal.
#[derive(Debug, Default)]
pub struct Terminal {}
