//! The registers of real processors, in the terms of Linux's system-call interface, and what
//! their traps mean to the kernel. Platforms share this, whoever stores the registers.
//!
//! Each type wraps the words as entry code stores them, the hypervisor's and the bare machine's
//! alike, so that no platform has to put them in another order.

mod riscv64;
mod x86_64;

pub use riscv64::RiscvRegisters;
pub use x86_64::X86Registers;

use crate::{Access, Exit};
use hypercall_abi::trap::{Cause, FaultAccess};

/// Why a process left the processor, from what the processor or the hypervisor says: the cause,
/// and for a page fault what was tried and where.
pub fn exit(cause: Cause, tried: FaultAccess, address: u64) -> Exit {
    match cause {
        Cause::Event => Exit::Interrupt,
        Cause::SystemCall => Exit::Call,
        Cause::PageFault => Exit::Fault { address, access: access(tried) },
        Cause::IllegalInstruction => Exit::Illegal,
        Cause::Breakpoint | Cause::Debug => Exit::Breakpoint,
        Cause::DivideError | Cause::FloatingPoint => Exit::Arithmetic,
        Cause::Misaligned | Cause::AccessFault => Exit::Misaligned,
        // x86-64 does not tell the address, which is one that no process can have: so is this.
        Cause::Protection => Exit::Fault { address: u64::MAX, access: Access::Read },
    }
}

fn access(tried: FaultAccess) -> Access {
    if tried.contains(FaultAccess::EXECUTE) {
        Access::Execute
    } else if tried.contains(FaultAccess::WRITE) {
        Access::Write
    } else {
        Access::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fault_tells_what_was_tried() {
        for (tried, access) in [
            (FaultAccess::READ, Access::Read),
            (FaultAccess::WRITE | FaultAccess::PRESENT, Access::Write),
            (FaultAccess::EXECUTE | FaultAccess::PRESENT, Access::Execute),
        ] {
            assert_eq!(
                exit(Cause::PageFault, tried, 0x1234),
                Exit::Fault { address: 0x1234, access }
            );
        }
    }

    #[test]
    fn only_a_page_fault_is_at_an_address_that_can_be_mapped() {
        for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::PageFault) {
            match exit(cause, FaultAccess::READ, 0x1000) {
                Exit::Fault { address, .. } => assert_eq!(address >> 63, 1, "{cause:?}"),
                exit => assert_ne!(exit == Exit::Call, cause != Cause::SystemCall, "{cause:?}"),
            }
        }
    }
}
