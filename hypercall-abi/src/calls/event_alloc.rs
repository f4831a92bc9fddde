//! `event_alloc`: opens a port that another domain may bind.

use super::{Args, Call};
use crate::{DomainId, Error, Number};

/// The value is the new port. Until `domain` binds it, sending on it is `PortState`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EventAlloc {
    /// Who may bind it; [`DomainId::SELF`] or the caller's own identity for a channel to oneself.
    pub domain: DomainId,
}

impl Call for EventAlloc {
    const NUMBER: Number = Number::EventAlloc;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(EventAlloc { domain: super::domain(args[0])? })
    }

    fn encode(&self) -> Args {
        [self.domain.0 as u64, 0, 0, 0, 0, 0]
    }
}
