//! `sched_yield`: lets other vCPUs run first.

use super::{Args, Call};
use crate::{Error, Number};

/// The vCPU goes to the end of the run queue and stays runnable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SchedYield;

impl Call for SchedYield {
    const NUMBER: Number = Number::SchedYield;

    #[inline]
    fn decode(_args: &Args) -> Result<Self, Error> {
        Ok(SchedYield)
    }

    fn encode(&self) -> Args {
        [0, 0, 0, 0, 0, 0]
    }
}
