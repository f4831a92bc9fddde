//! `event_mask`: masks or unmasks a port.

use super::{Args, Call};
use crate::{Error, Number, Port};

/// A masked port becomes pending without a trap and without waking the vCPU. Unmasking a port
/// that is pending makes the trap due at once. (A guest may also set the mask bit in the vCPU
/// page itself; clearing it there does not look at what is pending.)
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EventMask {
    /// The port.
    pub port: Port,
    /// Whether it is to be masked: 0 or 1.
    pub masked: bool,
}

impl Call for EventMask {
    const NUMBER: Number = Number::EventMask;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(EventMask { port: Port(super::narrow(args[0])?), masked: super::flag(args[1])? })
    }

    fn encode(&self) -> Args {
        [self.port.0 as u64, self.masked as u64, 0, 0, 0, 0]
    }
}
