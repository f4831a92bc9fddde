//! `pt_unpin`: lets a pinned page table go.

use super::{Args, Call};
use crate::{Error, Mfn, Number};

/// Takes the pin off. If nothing else names the table, it and every table below it that
/// nothing else names become ordinary frames again; their content stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PtUnpin {
    /// The pinned table.
    pub frame: Mfn,
}

impl Call for PtUnpin {
    const NUMBER: Number = Number::PtUnpin;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(PtUnpin { frame: Mfn(args[0]) })
    }

    fn encode(&self) -> Args {
        [self.frame.0, 0, 0, 0, 0, 0]
    }
}
