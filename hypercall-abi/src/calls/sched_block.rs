//! `sched_block`: sleeps until an event.

use super::{Args, Call};
use crate::{Error, Number};

/// Unmasks events (`events_masked` becomes 0) and waits until an unmasked port is pending; returns
/// at once if one is. When a trap entry is registered the event trap is delivered before the call
/// returns; a guest without one finds the pending bits after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SchedBlock;

impl Call for SchedBlock {
    const NUMBER: Number = Number::SchedBlock;

    #[inline]
    fn decode(_args: &Args) -> Result<Self, Error> {
        Ok(SchedBlock)
    }

    fn encode(&self) -> Args {
        [0, 0, 0, 0, 0, 0]
    }
}
