//! `console_read`: bytes from the operator.

use super::{Args, Call};
use crate::{Error, Number};

/// Moves up to `capacity` bytes that wait for this domain into the argument frame; the value
/// counts them, and is 0 when none wait. [`Port::CONSOLE`](crate::Port::CONSOLE) becomes pending when bytes come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConsoleRead {
    /// Bytes wanted at most, 1 to 4096.
    pub capacity: u64,
}

impl Call for ConsoleRead {
    const NUMBER: Number = Number::ConsoleRead;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(ConsoleRead { capacity: super::bounded(args[0], crate::PAGE_SIZE)? })
    }

    fn encode(&self) -> Args {
        [self.capacity, 0, 0, 0, 0, 0]
    }
}
