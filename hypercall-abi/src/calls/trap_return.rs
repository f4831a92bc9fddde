//! `trap_return`: leaves a trap, with page-table updates on the way.

use super::{Args, Call};
use crate::{Error, Number};

/// Applies `count` updates from the argument frame, as `pte_update` does, then takes the topmost
/// trap frame off the vCPU page and goes on from its registers, in the mode that it names. On
/// success the call does not return. If an update is refused nothing is taken off, and the value
/// counts the updates that took effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrapReturn {
    /// Updates in the argument frame, 0 to
    /// [`MAX_UPDATES`](crate::calls::pte_update::MAX_UPDATES).
    pub count: u64,
}

impl Call for TrapReturn {
    const NUMBER: Number = Number::TrapReturn;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(TrapReturn {
            count: super::bounded_from_zero(args[0], crate::calls::pte_update::MAX_UPDATES)?,
        })
    }

    fn encode(&self) -> Args {
        [self.count, 0, 0, 0, 0, 0]
    }
}
