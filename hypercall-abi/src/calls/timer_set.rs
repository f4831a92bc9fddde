//! `timer_set`: sets the one-shot timer of the vCPU.

use super::{Args, Call};
use crate::{Error, Number};

/// Replaces the deadline. When the counter reaches it, [`Port::TIMER`](crate::Port::TIMER) becomes pending; a deadline
/// that has passed makes it pending at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerSet {
    /// Value of the architecture's counter (`rdtsc`, `rdtime`); `u64::MAX` for none.
    pub deadline: u64,
}

impl Call for TimerSet {
    const NUMBER: Number = Number::TimerSet;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(TimerSet { deadline: args[0] })
    }

    fn encode(&self) -> Args {
        [self.deadline, 0, 0, 0, 0, 0]
    }
}
