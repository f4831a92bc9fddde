//! `balloon_deflate`: asks the hypervisor for frames.

use super::{Args, Call};
use crate::{Error, Number, extent::Order};

/// Extents that one call gives at most: a full argument frame of numbers.
pub const MAX_FRAMES: u64 = 512;

/// The hypervisor writes the numbers of the frames it gives into the argument frame, eight
/// bytes each, in order: of the first frame of each extent; the value counts them. Frames come
/// filled with zeros. When fewer than `count` can be had the status says why (`QuotaExceeded`,
/// `NoMemory`) and those counted by the value are the caller's all the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BalloonDeflate {
    /// How many are wanted, 1 to [`MAX_FRAMES`].
    pub count: u64,
    /// How large an extent is. An extent of 512 frames is contiguous and begins at a multiple of 512.
    pub order: Order,
}

impl BalloonDeflate {
    /// The call for so many single frames.
    pub const fn frames(count: u64) -> BalloonDeflate {
        BalloonDeflate { count, order: Order::Frame }
    }

    /// The call for so many extents of 512 frames.
    pub const fn extents(count: u64) -> BalloonDeflate {
        BalloonDeflate { count, order: Order::Extent }
    }
}

impl Call for BalloonDeflate {
    const NUMBER: Number = Number::BalloonDeflate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let count = super::bounded(args[0], MAX_FRAMES)?;
        Ok(BalloonDeflate { count, order: Order::decode(args[1])? })
    }

    fn encode(&self) -> Args {
        [self.count, self.order.encode(), 0, 0, 0, 0]
    }
}
