//! `p2m_register`: tells the hypervisor where the caller's P2M lies.

use super::{Args, Call};
use crate::{Error, Number};

/// Frames that one call registers at most.
pub const MAX_FRAMES: u64 = 64;

/// The argument frame holds `count` frame numbers, eight bytes each: the next frames of the
/// caller's P2M, in the order of the pages that they map, 512 pages each. They stay registered
/// until the domain ends: the hypervisor writes the slot of a page whose frame it changes.
///
/// Either all of them are registered or none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct P2mRegister {
    /// How many frame numbers the argument frame holds, 1 to [`MAX_FRAMES`].
    pub count: u64,
}

impl Call for P2mRegister {
    const NUMBER: Number = Number::P2mRegister;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(P2mRegister { count: super::bounded(args[0], MAX_FRAMES)? })
    }

    fn encode(&self) -> Args {
        [self.count, 0, 0, 0, 0, 0]
    }
}
