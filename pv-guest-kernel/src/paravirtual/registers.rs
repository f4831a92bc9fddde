//! Registers of a process: a trap frame of the hypervisor's interface, in the terms of the
//! system-call interface.

use kernel_core::Machine;
use pv_guest::{abi::trap::TrapFrame, arch::TrapFrameExt};

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
use riscv64 as current;
#[cfg(target_arch = "x86_64")]
use x86_64 as current;

/// The processor.
pub const MACHINE: Machine = current::MACHINE;

/// Whether the kernel sets accessed and dirty bits where the processor leaves that to it.
pub const USED_BITS_BY_KERNEL: bool = current::USED_BITS_BY_KERNEL;

/// The registers of a process.
#[derive(Clone, Debug)]
pub struct Registers {
    pub(super) frame: TrapFrame,
}

impl Registers {
    /// Everything zero but where it begins and its stack.
    fn new(entry: u64, stack: u64) -> Registers {
        Registers { frame: TrapFrame::new_user(entry, stack, [0; 2]) }
    }
}
