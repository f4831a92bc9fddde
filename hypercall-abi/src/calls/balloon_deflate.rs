//! `balloon_deflate`: asks the hypervisor for frames.

use super::{Args, Call};
use crate::{Error, Number};

/// Frames that one call gives at most: a full argument frame of numbers.
pub const MAX_FRAMES: u64 = 512;

/// The hypervisor writes the numbers of the frames it gives into the argument frame, eight
/// bytes each, in order; the value counts them. Frames come filled with zeros. When fewer than
/// `count` can be had the status says why (`QuotaExceeded`, `NoMemory`) and those counted by
/// the value are the caller's all the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BalloonDeflate {
    /// How many frames are wanted, 1 to [`MAX_FRAMES`].
    pub count: u64,
}

impl Call for BalloonDeflate {
    const NUMBER: Number = Number::BalloonDeflate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(BalloonDeflate { count: super::bounded(args[0], MAX_FRAMES)? })
    }

    fn encode(&self) -> Args {
        [self.count, 0, 0, 0, 0, 0]
    }
}
