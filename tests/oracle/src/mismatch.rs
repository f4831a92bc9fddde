//! What is told when the core and the book differ.

use hypercall_abi::Number;
use hypercall_abi::calls::{Args, Hypercall};

/// The core did not do what the book says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// The calls up to there, each on a line, if they have not been told already.
    pub story: Vec<String>,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "then: {}", self.what)
    }
}

impl std::error::Error for Mismatch {}

/// A call as one would write it.
pub fn describe(number: u64, args: &Args) -> String {
    match Hypercall::decode(number, args) {
        Ok(call) => format!("{call:x?}"),
        Err(_) => match Number::new(number) {
            Some(call) => format!("{}{args:x?}", call.name()),
            None => format!("call {number}{args:x?}"),
        },
    }
}
