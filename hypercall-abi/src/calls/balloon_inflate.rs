//! `balloon_inflate`: gives frames of the caller to the hypervisor.

use super::{Args, Call};
use crate::{Error, Number};

/// Frame numbers that one call takes: a full argument frame.
pub const MAX_FRAMES: u64 = 512;

/// The argument frame holds `count` frame numbers, eight bytes each. Each frame must be the
/// caller's own and referenced by nothing: no page-table entry, grant, pin or registration.
/// The frames are taken in order up to the first that is refused; the value counts those taken,
/// on an error too. A frame that was taken is scrubbed before any domain sees it again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BalloonInflate {
    /// How many frame numbers the argument frame holds, 1 to [`MAX_FRAMES`].
    pub count: u64,
}

impl Call for BalloonInflate {
    const NUMBER: Number = Number::BalloonInflate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(BalloonInflate { count: super::bounded(args[0], MAX_FRAMES)? })
    }

    fn encode(&self) -> Args {
        [self.count, 0, 0, 0, 0, 0]
    }
}
