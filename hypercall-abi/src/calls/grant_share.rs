//! `grant_share`: permits another domain to map a frame.

use super::{Args, Call};
use crate::{DomainId, Error, Mfn, Number};

/// What a granted frame may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub enum Access {
    /// Reading only.
    Read = 0,
    /// Reading and writing.
    ReadWrite = 1,
}

impl Access {
    /// The access of that number.
    pub const fn new(number: u64) -> Option<Access> {
        match number {
            0 => Some(Access::Read),
            1 => Some(Access::ReadWrite),
            _ => None,
        }
    }
}

/// Gives `domain` the right to map one frame of the caller. The value is the grant's number,
/// a [`GrantRef`](crate::GrantRef), which the caller tells the other domain in a way of its own. While the
/// grant lives the frame cannot leave the caller; while it permits writing, the frame cannot
/// become a page table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantShare {
    /// Who may map it. Not the caller.
    pub domain: DomainId,
    /// The frame, which the caller owns.
    pub frame: Mfn,
    /// What it may be mapped for.
    pub access: Access,
}

impl Call for GrantShare {
    const NUMBER: Number = Number::GrantShare;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(GrantShare {
            domain: super::domain(args[0])?,
            frame: Mfn(args[1]),
            access: Access::new(args[2]).ok_or(Error::BadArgument)?,
        })
    }

    fn encode(&self) -> Args {
        [self.domain.0 as u64, self.frame.0, self.access as u64, 0, 0, 0]
    }
}
