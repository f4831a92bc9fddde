//! `domain_query`: what the hypervisor counts of a domain.

use super::{Args, Call};
use crate::{DomainId, Error, Number};

/// Writes a [`DomainInfo`](crate::domain_info::DomainInfo) to the start of the argument frame. A guest may ask about itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DomainQuery {
    /// Whom: [`DomainId::SELF`] or the caller's own identity.
    pub domain: DomainId,
}

impl Call for DomainQuery {
    const NUMBER: Number = Number::DomainQuery;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(DomainQuery { domain: super::domain(args[0])? })
    }

    fn encode(&self) -> Args {
        [self.domain.0 as u64, 0, 0, 0, 0, 0]
    }
}
