//! What a conformance guest tells the host: records of `postcard` with a version byte
//! before them, one record a call of `console_write` on the report stream.

use crate::outcome::Outcome;
use hypercall_abi::calls::console_write;
use serde::{Deserialize, Serialize};

/// First byte of every record.
pub const VERSION: u8 = 2;

/// Bytes that every record fits: what one call writes.
pub const MAX_BYTES: usize = console_write::MAX_BYTES as usize;

/// One record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Record<'a> {
    /// A test begins.
    TestStarted {
        /// Its name, such as `pt_pin::success`.
        name: &'a str,
    },
    /// It has ended.
    TestFinished {
        /// Its name.
        name: &'a str,
        /// How.
        #[serde(borrow)]
        outcome: Told<'a>,
        /// The clauses that it checks, with a space between them.
        clauses: &'a str,
    },
    /// A test wants these bytes typed into the console of the domain that reports.
    WantsTyped {
        /// The bytes.
        bytes: &'a [u8],
    },
    /// No test comes any more.
    Done {
        /// How many ended in which way.
        counts: Counts,
    },
}

/// How a test ended, as it travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Told<'a> {
    /// All its checks held.
    Success,
    /// One did not.
    Failure(&'a str),
    /// It cannot be made here, and why.
    Skip(&'a str),
    /// It could not be carried out.
    Error(&'a str),
}

impl<'a> From<&'a Outcome> for Told<'a> {
    fn from(outcome: &'a Outcome) -> Told<'a> {
        match outcome {
            Outcome::Success => Told::Success,
            Outcome::Failure(message) => Told::Failure(message.as_str()),
            Outcome::Skip(reason) => Told::Skip(reason),
            Outcome::Error(message) => Told::Error(message.as_str()),
        }
    }
}

/// Tests by how they ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All checks held.
    pub success: u32,
    /// A check did not hold.
    pub failure: u32,
    /// Could not be made.
    pub skip: u32,
    /// Could not be carried out.
    pub error: u32,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Success => self.success += 1,
            Outcome::Failure(_) => self.failure += 1,
            Outcome::Skip(_) => self.skip += 1,
            Outcome::Error(_) => self.error += 1,
        }
    }
}

/// Writes a record into `buffer` and returns the part that holds it. `None`: it does not fit.
pub fn encode<'b>(record: &Record<'_>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    postcard::to_slice(&(VERSION, record), buffer).ok().map(|bytes| &*bytes)
}

/// Reads a record that takes up all of `bytes`. `None`: it is of another version, cut short,
/// or something else.
pub fn decode(bytes: &[u8]) -> Option<Record<'_>> {
    let ((version, record), rest) = postcard::take_from_bytes::<(u8, Record<'_>)>(bytes).ok()?;
    (version == VERSION && rest.is_empty()).then_some(record)
}
