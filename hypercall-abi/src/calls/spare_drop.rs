//! `spare_drop`: ends the keeping of a page that [`spare_put`](super::spare_put) has kept.

use super::spare_put::SpareName;
use super::{Args, Call};
use crate::{Error, Number};

/// Nothing is kept under the name any more. The value is 1 if something was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpareDrop {
    /// What was kept.
    pub name: SpareName,
}

impl Call for SpareDrop {
    const NUMBER: Number = Number::SpareDrop;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let [object, index, ..] = *args;
        Ok(SpareDrop { name: SpareName { object, index } })
    }

    fn encode(&self) -> Args {
        [self.name.object, self.name.index, 0, 0, 0, 0]
    }
}
