//! `batch`: several calls in one entry.

use super::{Args, Call};
use crate::{Error, Number, Status};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Entries that one batch has at most: a full argument frame.
pub const MAX_ENTRIES: u64 = 64;

/// One call of a batch: 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BatchEntry {
    /// In: the call's number. Out: its [`Status`].
    pub number_or_status: u64,
    /// In: its arguments. Out: argument 0 holds the value; the others are as they were.
    pub args: Args,
    /// Reserved: ignored.
    pub reserved: u64,
}

const _: () = assert!(size_of::<BatchEntry>() == 64);

impl BatchEntry {
    /// The entry that makes a call.
    pub fn new<C: Call>(call: &C) -> BatchEntry {
        BatchEntry { number_or_status: C::NUMBER as u64, args: call.encode(), reserved: 0 }
    }

    /// Once the batch has returned: the status of the call.
    pub const fn status(&self) -> Status {
        Status(self.number_or_status)
    }

    /// Once the batch has returned: the value of the call.
    pub const fn value(&self) -> u64 {
        self.args[0]
    }
}

/// The argument frame holds `count` [`BatchEntry`]s. They are made in order; status and value of each
/// are written into its entry. The batch goes on after a call that was refused; the value counts
/// the entries that were made. Calls that read or write the argument frame, that switch to
/// another vCPU or context, and `batch` itself get `NotInBatch`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Batch {
    /// Entries, 1 to [`MAX_ENTRIES`].
    pub count: u64,
}

impl Call for Batch {
    const NUMBER: Number = Number::Batch;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(Batch { count: super::bounded(args[0], MAX_ENTRIES)? })
    }

    fn encode(&self) -> Args {
        [self.count, 0, 0, 0, 0, 0]
    }
}
