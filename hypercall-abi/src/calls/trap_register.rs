//! `trap_register`: where the guest kernel takes its traps.

use super::{Args, Call};
use crate::{Error, Number, VirtAddr};

/// Registers one entry for every trap and event of the vCPU, and the stack for those that come
/// from a process. See [`crate::trap`] for what the entry finds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrapRegister {
    /// Address of the entry, in the guest's range.
    pub entry: VirtAddr,
    /// Stack pointer on entry from virtual user mode: the address past the highest byte, in
    /// the guest's range and a multiple of 16.
    pub stack: VirtAddr,
}

impl Call for TrapRegister {
    const NUMBER: Number = Number::TrapRegister;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        Ok(TrapRegister { entry: VirtAddr(args[0]), stack: VirtAddr(args[1]) })
    }

    fn encode(&self) -> Args {
        [self.entry.0, self.stack.0, 0, 0, 0, 0]
    }
}
