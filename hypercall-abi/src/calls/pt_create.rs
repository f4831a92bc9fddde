//! `pt_create`: an empty page table of a frame.

use super::{Args, Call};
use crate::{Error, Mfn, Number, addr::Level};

/// Clears a frame that the caller owns and makes it an empty, validated and pinned page
/// table. The frame must not be mapped writable anywhere. It is filled with `pte_update`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PtCreate {
    /// The frame.
    pub frame: Mfn,
    /// Level of the table, 1 to the level of the root.
    pub level: Level,
}

impl Call for PtCreate {
    const NUMBER: Number = Number::PtCreate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(PtCreate { frame: Mfn(args[0]), level: Level::new(args[1]).ok_or(Error::BadLevel)? })
    }

    fn encode(&self) -> Args {
        [self.frame.0, self.level.number() as u64, 0, 0, 0, 0]
    }
}
