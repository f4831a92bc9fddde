//! `tlb_flush`: forgets cached translations of the caller.

use super::{Args, Call};
use crate::{Error, Number, VirtAddr};

/// Which translations to flush.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FlushScope {
    /// All of the caller's; argument 0 is 0.
    All,
    /// Those of one page of the current address space; argument 0 is 1, argument 1 an
    /// address within the page.
    Page(VirtAddr),
}

impl FlushScope {
    fn from_args(args: &Args) -> Result<FlushScope, Error> {
        match args[0] {
            0 => Ok(FlushScope::All),
            1 => Ok(FlushScope::Page(VirtAddr(args[1]))),
            _ => Err(Error::BadArgument),
        }
    }

    fn to_args(self) -> (u64, u64) {
        match self {
            FlushScope::All => (0, 0),
            FlushScope::Page(address) => (1, address.0),
        }
    }
}

/// Flushes translations of the calling domain on the processor that runs it. The hypervisor
/// flushes by itself whatever its own safety needs; this call is for the guest's own use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TlbFlush {
    /// What to flush.
    pub scope: FlushScope,
}

impl Call for TlbFlush {
    const NUMBER: Number = Number::TlbFlush;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(TlbFlush { scope: FlushScope::from_args(args)? })
    }

    fn encode(&self) -> Args {
        let (kind, address) = self.scope.to_args();
        [kind, address, 0, 0, 0, 0]
    }
}
