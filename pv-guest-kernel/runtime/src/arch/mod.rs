//! What differs between the architectures. Each module defines the same names:
//!
//! | name | what |
//! |---|---|
//! | `_start` | where the hypervisor enters the image |
//! | `trap_entry` | where it enters for traps |
//! | `enter_user`, `leave_user` | into a process, and back where that was called |
//! | `call_on_stack` | goes on with another stack |
//! | `counter` | the counter, now |
//! | `zero_page`, `copy_page`, `copy_registers` | memory, in as few instructions as can be |
//! | `save_floating_point`, `load_floating_point` | a process's registers that no trap frame has |
//! | `CLEAN_FLOATING_POINT` | what they hold when a program starts |
//! | `synchronize_instructions` | makes what was written visible to fetches |
//! | `hardware_random` | a random number of the processor's, if it has any |
//! | `TrapFrameExt` for `TrapFrame` | the registers of a process that a kernel cares about |
#![allow(unsafe_code, reason = "entries, stacks and the counter are the processor's own")]

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
use riscv64 as current;
#[cfg(target_arch = "x86_64")]
use x86_64 as current;

pub use current::{
    CLEAN_FLOATING_POINT, call_on_stack, counter, hardware_random, load_floating_point,
    save_floating_point, synchronize_instructions,
};
pub(crate) use current::{
    copy_page, copy_registers, enter_user, leave_user, trap_entry, zero_page,
};

/// Bytes of the floating-point registers at most: x86-64's `fxsave` area. riscv64 has `f0` to
/// `f31` and `fcsr` in the first 264.
pub const FLOATING_POINT_BYTES: usize = 512;

/// The floating-point registers of a process that does not run.
pub type FloatingPoint = [u8; FLOATING_POINT_BYTES];

/// The registers of an interrupted context by what they are for. A process makes a system
/// call as a kernel makes a hypercall: the same registers for number, arguments and result.
pub trait TrapFrameExt {
    /// A process that is to begin at `entry`, with its stack pointer and two arguments.
    fn new_user(entry: u64, stack: u64, arguments: [u64; 2]) -> Self;

    /// Program counter.
    fn program_counter(&self) -> u64;

    /// Sets the program counter.
    fn set_program_counter(&mut self, address: u64);

    /// Stack pointer.
    fn stack_pointer(&self) -> u64;

    /// Sets the stack pointer.
    fn set_stack_pointer(&mut self, address: u64);

    /// Number and first three arguments of a system call.
    fn system_call(&self) -> (u64, [u64; 3]);

    /// Answers a system call, and goes on behind the instruction.
    fn finish_system_call(&mut self, result: u64);
}

extern "C" fn trap_return_refused(status: u64, value: u64) -> ! {
    panic!("trap_return was refused: status {status}, value {value}");
}
