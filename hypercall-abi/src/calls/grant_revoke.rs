//! `grant_revoke`: takes a grant back.

use super::{Args, Call};
use crate::{Error, GrantRef, Number};

/// Ends a grant that no domain has mapped at the moment; `Busy` while one has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantRevoke {
    /// The grant, of the caller.
    pub grant: GrantRef,
}

impl Call for GrantRevoke {
    const NUMBER: Number = Number::GrantRevoke;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(GrantRevoke { grant: GrantRef(super::narrow(args[0])?) })
    }

    fn encode(&self) -> Args {
        [self.grant.0 as u64, 0, 0, 0, 0, 0]
    }
}
