//! `event_bind`: joins a port that another domain has opened for the caller.

use super::{Args, Call};
use crate::{DomainId, Error, Number, Port};

/// The value is the caller's own new port. From then on each end sends to the other. The new
/// port is pending once, so that nothing sent before is lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EventBind {
    /// Who opened the port; [`DomainId::SELF`] for the caller.
    pub domain: DomainId,
    /// Its port.
    pub port: Port,
}

impl Call for EventBind {
    const NUMBER: Number = Number::EventBind;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(EventBind { domain: super::domain(args[0])?, port: Port(super::narrow(args[1])?) })
    }

    fn encode(&self) -> Args {
        [self.domain.0 as u64, self.port.0 as u64, 0, 0, 0, 0]
    }
}
