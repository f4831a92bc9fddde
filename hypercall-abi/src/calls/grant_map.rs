//! `grant_map`: maps a grant of another domain: a handle and a frame number.

use super::{Args, Call};
use crate::{DomainId, Error, GrantHandle, GrantRef, Mfn, Number, calls::grant_share::Access};

/// What `grant_map` returns in one value: the handle in bits 63 to 40, the frame in bits 39
/// to 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MappedGrant {
    /// Names the mapping in `grant_unmap`.
    pub handle: GrantHandle,
    /// The frame that page-table entries may name.
    pub frame: Mfn,
}

impl MappedGrant {
    /// Lowest bit of the handle.
    pub const HANDLE_SHIFT: u32 = 40;

    /// Bits of the frame.
    pub const FRAME_MASK: u64 = (1 << Self::HANDLE_SHIFT) - 1;

    /// As the value of the call.
    pub const fn to_value(self) -> u64 {
        (self.handle.0 as u64) << Self::HANDLE_SHIFT | (self.frame.0 & Self::FRAME_MASK)
    }

    /// From the value of the call.
    pub const fn from_value(value: u64) -> MappedGrant {
        MappedGrant {
            handle: GrantHandle((value >> Self::HANDLE_SHIFT) as u32),
            frame: Mfn(value & Self::FRAME_MASK),
        }
    }
}

/// Opens a grant. The value is a [`MappedGrant`]: a handle, and the number of the machine frame,
/// which page-table entries of the caller may name while the handle lives. A domain has at most
/// one live handle for a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantMap {
    /// Who gave the grant.
    pub domain: DomainId,
    /// Its number there.
    pub grant: GrantRef,
    /// What the entries may do; not more than the grant permits.
    pub access: Access,
}

impl Call for GrantMap {
    const NUMBER: Number = Number::GrantMap;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(GrantMap {
            domain: super::domain(args[0])?,
            grant: GrantRef(super::narrow(args[1])?),
            access: Access::new(args[2]).ok_or(Error::BadArgument)?,
        })
    }

    fn encode(&self) -> Args {
        [self.domain.0 as u64, self.grant.0 as u64, self.access as u64, 0, 0, 0]
    }
}
