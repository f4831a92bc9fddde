//! What differs between the architectures. Each module defines the same names:
//!
//! | name | what |
//! |---|---|
//! | `WORDS` | words of the registers, as a trap frame holds them |
//! | `PC` | which of them is the program counter |
//! | `trap_entry`, `landing` | where traps arrive, and where trap returns can go: fresh stacks |
//! | `set_call` | number and arguments into registers |
//! | `enter` | makes a call with all registers as given |
//! | `code_word` | eight bytes of random code |
//! | `code_written` | code was written that is to be run |
#![allow(unsafe_code, reason = "entries and calls with all registers are assembly")]

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU64;
use hypercall_abi::VirtAddr;

/// Bytes of the stack on which everything after the first trap runs.
const STACK_BYTES: usize = 32 * 1024;

#[repr(align(16))]
struct Stack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: there is one vCPU, and whoever enters takes the whole stack over.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_BYTES]));

/// The stack pointer of a caller of `enter` while its registers are garbage.
static SAVED: AtomicU64 = AtomicU64::new(0);

/// The end of the stack.
pub fn stack() -> VirtAddr {
    VirtAddr(STACK.0.get() as u64 + STACK_BYTES as u64)
}

/// What a call comes back with, in two registers.
#[repr(C)]
pub struct Returned {
    /// The status.
    pub status: u64,
    /// The value.
    pub value: u64,
}
