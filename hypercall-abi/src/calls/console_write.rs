//! `console_write`: bytes for the operator.

use super::{Args, Call};
use crate::{Error, Number};

/// Bytes that one call writes at most.
pub const MAX_BYTES: u64 = 512;

/// A stream of bytes from a domain to its operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub enum Stream {
    /// Text, UTF-8 as a rule.
    Text = 0,
    /// defmt frames (`encoding-raw`), one whole frame a call.
    Log = 1,
    /// Test results and measurements, in a format of the two ends' own.
    Report = 2,
}

impl Stream {
    /// The stream of that number.
    pub const fn new(number: u64) -> Option<Stream> {
        match number {
            0 => Some(Stream::Text),
            1 => Some(Stream::Log),
            2 => Some(Stream::Report),
            _ => None,
        }
    }
}

/// Writes the first `length` bytes of the argument frame to one of the domain's streams. The
/// operator sees which domain they come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConsoleWrite {
    /// Which stream.
    pub stream: Stream,
    /// Bytes, 1 to [`MAX_BYTES`].
    pub length: u64,
}

impl Call for ConsoleWrite {
    const NUMBER: Number = Number::ConsoleWrite;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(ConsoleWrite {
            stream: Stream::new(args[0]).ok_or(Error::BadArgument)?,
            length: super::bounded(args[1], MAX_BYTES)?,
        })
    }

    fn encode(&self) -> Args {
        [self.stream as u64, self.length, 0, 0, 0, 0]
    }
}
