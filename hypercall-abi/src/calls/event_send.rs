//! `event_send`: signals the other end of a channel.

use super::{Args, Call};
use crate::{Error, Number, Port};

/// Sets the pending bit of the other end's port. If the port is not masked, a blocked vCPU
/// becomes runnable and an event trap is due. Signals do not queue: a port is pending or not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EventSend {
    /// The caller's end.
    pub port: Port,
}

impl Call for EventSend {
    const NUMBER: Number = Number::EventSend;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(EventSend { port: Port(super::narrow(args[0])?) })
    }

    fn encode(&self) -> Args {
        [self.port.0 as u64, 0, 0, 0, 0, 0]
    }
}
