//! `balloon_report`: what the guest's kernel tells the hypervisor of its memory.

use super::{Args, Call};
use crate::{Error, Number, extent::Order};

/// Extents that one report of free memory names at most: a full argument frame of numbers.
pub const MAX_FRAMES: u64 = 512;

/// What the kernel tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BalloonReport {
    /// The record [`BalloonStatistics`](crate::balloon_statistics::BalloonStatistics) at the start of
    /// the argument frame. The value is 0. What it says is a hint: it is kept for the operator, and
    /// nothing is taken or given for its sake alone.
    Statistics,
    /// Free memory that the kernel offers: the argument frame holds numbers as for
    /// [`balloon_inflate`](super::balloon_inflate), with the same conditions. The frames are
    /// the hypervisor's as those of a balloon are, but count apart from the balloon's: the
    /// domain gets them back by `balloon_deflate`.
    Free {
        /// How many numbers the argument frame holds, 1 to [`MAX_FRAMES`].
        count: u64,
        /// How large an extent is.
        order: Order,
    },
}

impl Call for BalloonReport {
    const NUMBER: Number = Number::BalloonReport;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        match args[0] {
            0 => Ok(BalloonReport::Statistics),
            1 => Ok(BalloonReport::Free {
                count: super::bounded(args[1], MAX_FRAMES)?,
                order: Order::decode(args[2])?,
            }),
            _ => Err(Error::BadArgument),
        }
    }

    fn encode(&self) -> Args {
        match self {
            BalloonReport::Statistics => [0; 6],
            BalloonReport::Free { count, order } => [1, *count, order.encode(), 0, 0, 0],
        }
    }
}
