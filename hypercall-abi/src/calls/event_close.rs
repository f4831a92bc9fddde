//! `event_close`: closes a port.

use super::{Args, Call};
use crate::{Error, Number, Port};

/// Closes an allocated port. The other end, if it was bound, becomes unbound and reserved for
/// the caller's domain. Pending and mask bits of the closed port are cleared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EventClose {
    /// The port; not one of the well-known ones.
    pub port: Port,
}

impl Call for EventClose {
    const NUMBER: Number = Number::EventClose;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(EventClose { port: Port(super::narrow(args[0])?) })
    }

    fn encode(&self) -> Args {
        [self.port.0 as u64, 0, 0, 0, 0, 0]
    }
}
