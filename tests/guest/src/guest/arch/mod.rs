//! What differs between the architectures. Each module defines the same names:
//!
//! | name | what |
//! |---|---|
//! | `trap_entry` | where the hypervisor enters for traps |
//! | `read`, `write`, `execute` | one access, that may fault |
//! | `give_up` | makes the frame of a faulting access go on where it reports failure |
//! | `start` | the registers that machine code of a test starts with |
//! | `go` | returns to the topmost trap frame; comes back when that code has ended |
//! | `returning_stack` | the stack pointer of code of the kernel that can return |
//! | `leave` | makes the frame of code that trapped go on in `go`; its registers and its place |
#![allow(unsafe_code, reason = "accesses whose faults are expected are assembly")]

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// What an access comes back with, in two registers.
#[repr(C)]
pub struct Accessed {
    /// What was read.
    pub value: u64,
    /// 1 if it faulted.
    pub failed: u64,
}
