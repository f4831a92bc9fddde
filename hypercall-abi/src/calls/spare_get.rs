//! `spare_get`: copies a page back that [`spare_put`](super::spare_put) has kept.

use super::spare_put::SpareName;
use super::{Args, Call};
use crate::{Error, Mfn, Number};

/// The value is 1 if a page is kept under the name: it is in the frame then, and goes on being kept. It is
/// 0 if there is none, and the frame is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpareGet {
    /// The frame, of the caller's and mapped writable.
    pub frame: Mfn,
    /// What was kept.
    pub name: SpareName,
}

impl Call for SpareGet {
    const NUMBER: Number = Number::SpareGet;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let [frame, object, index, ..] = *args;
        Ok(SpareGet { frame: Mfn(frame), name: SpareName { object, index } })
    }

    fn encode(&self) -> Args {
        [self.frame.0, self.name.object, self.name.index, 0, 0, 0]
    }
}
