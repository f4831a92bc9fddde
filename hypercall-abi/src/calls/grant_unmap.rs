//! `grant_unmap`: closes a handle.

use super::{Args, Call};
use crate::{Error, GrantHandle, Number};

/// Closes a handle that no page-table entry uses any more; `Busy` while one does. Cached
/// translations of the frame are flushed before the call returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantUnmap {
    /// The handle.
    pub handle: GrantHandle,
}

impl Call for GrantUnmap {
    const NUMBER: Number = Number::GrantUnmap;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(GrantUnmap { handle: super::handle(args[0])? })
    }

    fn encode(&self) -> Args {
        [self.handle.0 as u64, 0, 0, 0, 0, 0]
    }
}
