//! `share_break`: makes pages have frames of their own.

use super::{Args, Call};
use crate::{Error, Number, Pfn};

/// Pages that one call is about at most.
pub const MAX_PAGES: u64 = 512;

/// Each page that shares a frame gets one of its own with the same content; the P2M says which.
/// For pages whose frames are to be granted, to become page tables or to go to the hypervisor.
/// The pages are gone through in order up to the first for which there is no frame; the value
/// counts those before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShareBreak {
    /// The first page.
    pub first: Pfn,
    /// How many pages, 1 to [`MAX_PAGES`].
    pub count: u64,
}

impl Call for ShareBreak {
    const NUMBER: Number = Number::ShareBreak;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(ShareBreak { first: Pfn(args[0]), count: super::bounded(args[1], MAX_PAGES)? })
    }

    fn encode(&self) -> Args {
        [self.first.0, self.count, 0, 0, 0, 0]
    }
}
