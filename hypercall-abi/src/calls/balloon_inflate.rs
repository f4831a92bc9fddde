//! `balloon_inflate`: gives frames of the caller to the hypervisor.

use super::{Args, Call};
use crate::{Error, Number, extent::Order};

/// Extents that one call takes: a full argument frame of numbers.
pub const MAX_FRAMES: u64 = 512;

/// The argument frame holds the numbers of `count` frames, eight bytes each: of the first frame of
/// each extent. Each frame must be the caller's own and referenced by nothing: no page-table entry,
/// grant, pin or registration. The extents are taken in order up to the first that is refused,
/// each whole or not at all; the value counts those taken, on an error too. A frame that was taken is
/// scrubbed before any domain sees it again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BalloonInflate {
    /// How many numbers the argument frame holds, 1 to [`MAX_FRAMES`].
    pub count: u64,
    /// How large an extent is.
    pub order: Order,
}

impl BalloonInflate {
    /// The call for so many single frames.
    pub const fn frames(count: u64) -> BalloonInflate {
        BalloonInflate { count, order: Order::Frame }
    }

    /// The call for so many extents of 512 frames.
    pub const fn extents(count: u64) -> BalloonInflate {
        BalloonInflate { count, order: Order::Extent }
    }
}

impl Call for BalloonInflate {
    const NUMBER: Number = Number::BalloonInflate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let count = super::bounded(args[0], MAX_FRAMES)?;
        Ok(BalloonInflate { count, order: Order::decode(args[1])? })
    }

    fn encode(&self) -> Args {
        [self.count, self.order.encode(), 0, 0, 0, 0]
    }
}
