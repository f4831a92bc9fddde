//! `shutdown`: ends the calling domain.

use super::{Args, Call};
use crate::{Error, Number};

/// Why a domain ends itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u64)]
pub enum ShutdownReason {
    /// It has done what it was started for.
    PowerOff = 0,
    /// Something went wrong in it: the run counts as failed.
    Crash = 1,
}

impl ShutdownReason {
    /// The reason of that number.
    pub const fn new(number: u64) -> Option<ShutdownReason> {
        match number {
            0 => Some(ShutdownReason::PowerOff),
            1 => Some(ShutdownReason::Crash),
            _ => None,
        }
    }
}

/// Does not return. Every frame, port and grant of the domain goes back to the hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shutdown {
    /// Why.
    pub reason: ShutdownReason,
}

impl Call for Shutdown {
    const NUMBER: Number = Number::Shutdown;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(Shutdown { reason: ShutdownReason::new(args[0]).ok_or(Error::BadArgument)? })
    }

    fn encode(&self) -> Args {
        [self.reason as u64, 0, 0, 0, 0, 0]
    }
}
