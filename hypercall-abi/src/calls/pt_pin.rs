//! `pt_pin`: validates a page-table tree and holds it validated.

use super::{Args, Call};
use crate::{Error, Mfn, Number, addr::Level};

/// Validates the table that the caller has written in `frame`, and every table below it that
/// is not validated yet, and pins it: it stays a page table until it is unpinned and no
/// table or root names it. None of the tables may be mapped writable anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PtPin {
    /// The frame that holds the table.
    pub frame: Mfn,
    /// Level of the table, 1 to the level of the root.
    pub level: Level,
}

impl Call for PtPin {
    const NUMBER: Number = Number::PtPin;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(PtPin { frame: Mfn(args[0]), level: Level::new(args[1]).ok_or(Error::BadLevel)? })
    }

    fn encode(&self) -> Args {
        [self.frame.0, self.level.number() as u64, 0, 0, 0, 0]
    }
}
