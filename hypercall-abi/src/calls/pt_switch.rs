//! `pt_switch`: sets the roots of the vCPU.

use super::{Args, Call};
use crate::{Error, Mfn, Number};

/// What becomes of one of the two roots.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootChange {
    /// It stays as it is; on the wire `u64::MAX`.
    Keep,
    /// There is none any more; on the wire `u64::MAX - 1`.
    Clear,
    /// It becomes this table; on the wire the frame's number.
    Set(Mfn),
}

impl RootChange {
    const KEEP: u64 = u64::MAX;
    const CLEAR: u64 = u64::MAX - 1;

    /// From an argument register.
    pub const fn from_value(value: u64) -> RootChange {
        match value {
            Self::KEEP => RootChange::Keep,
            Self::CLEAR => RootChange::Clear,
            frame => RootChange::Set(Mfn(frame)),
        }
    }

    /// As an argument register.
    pub const fn to_value(self) -> u64 {
        match self {
            RootChange::Keep => Self::KEEP,
            RootChange::Clear => Self::CLEAR,
            RootChange::Set(frame) => frame.0,
        }
    }
}

/// Sets the root that the guest kernel runs on, the root that its processes run on, or both.
/// The tables must be validated tables of the root level. The switch takes effect at once for
/// the mode that the vCPU is in, and flushes its translations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PtSwitch {
    /// For virtual kernel mode. [`RootChange::Clear`] is refused.
    pub kernel_root: RootChange,
    /// For virtual user mode.
    pub user_root: RootChange,
}

impl Call for PtSwitch {
    const NUMBER: Number = Number::PtSwitch;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(PtSwitch {
            kernel_root: RootChange::from_value(args[0]),
            user_root: RootChange::from_value(args[1]),
        })
    }

    fn encode(&self) -> Args {
        [self.kernel_root.to_value(), self.user_root.to_value(), 0, 0, 0, 0]
    }
}
