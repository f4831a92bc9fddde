//! `spare_put`: keeps a copy of a page in memory that nobody owns, as long as nobody needs it.

use super::{Args, Call};
use crate::{Error, Mfn, Number};

/// Which page of a domain's own that is meant: two numbers that mean nothing to the hypervisor, such as
/// those of a file and of a page in it. Each domain has names of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpareName {
    /// The first, any number.
    pub object: u64,
    /// The second, any number.
    pub index: u64,
}

/// A copy of a frame's content is kept under a name, in place of what was kept under it before. The
/// value is 1 if it is, and 0 if there is no memory for it: then nothing is kept under the name. It goes without
/// a word when the memory is needed for anything else, so that only what can be had again is to be put.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SparePut {
    /// The frame, of the caller's.
    pub frame: Mfn,
    /// What its content is called.
    pub name: SpareName,
}

impl Call for SparePut {
    const NUMBER: Number = Number::SparePut;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        let [frame, object, index, ..] = *args;
        Ok(SparePut { frame: Mfn(frame), name: SpareName { object, index } })
    }

    fn encode(&self) -> Args {
        [self.frame.0, self.name.object, self.name.index, 0, 0, 0]
    }
}
