//! One vCPU as the entry code sees it: its registers, and where the hypervisor's stack is.

use crate::arch::{FloatingPoint, Registers};
use crate::run::Hypervisor;
use pv_core::Slot;
use spin::mutex::SpinMutex;

/// State of a vCPU that the processor and the entry code use. Lies still: the processor holds
/// its address while the vCPU runs.
#[repr(C, align(16))]
pub struct Context {
    /// The guest's registers, while the guest does not run.
    pub registers: Registers,
    /// The stack that an entry goes on with: the processor's, set before the vCPU runs.
    pub host_stack: u64,
    /// Whose vCPU it is.
    pub hypervisor: &'static SpinMutex<Hypervisor>,
    /// The vCPU's place in the core.
    pub slot: Slot,
    /// Whether its end has been told.
    pub told: bool,
    /// The guest's floating-point registers, while another vCPU runs.
    pub floating_point: FloatingPoint,
}

// The entry code finds the stack directly behind the registers.
const _: () = {
    assert!(core::mem::offset_of!(Context, registers) == 0);
    assert!(core::mem::offset_of!(Context, host_stack) == size_of::<Registers>());
};
