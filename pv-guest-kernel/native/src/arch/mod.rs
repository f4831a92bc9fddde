//! What differs between processors and is the kernel's own; the rest is in `bare-machine`. Each
//! architecture's module defines every name below, and nothing else in the image is conditional on
//! the architecture.
//!
//! | name | what |
//! |---|---|
//! | `MACHINE` | which it is |
//! | `Registers` | of a process |
//! | `Processor` | `new` sets it up, `run` runs a process, `other_process` comes between two |
//! | `can_go_on` | whether a process's program counter is one that the processor takes |
//! | `sanitised_float` | floating-point registers without what the processor does not take |
//! | `synchronize_fetches` | makes what was written visible to fetches |
//! | `zero_page`, `copy_page` | memory, in as few instructions as can be |
//! | `hardware_random` | a random number of the processor's, if it has any |
//! | `page_entry`, `table_entry` | entries of processes' tables |
//! | `ACCESSED`, `DIRTY` | bits of entries that map pages |
//! | `FAULTS_WITHOUT_NEED` | whether the processor may fault although an entry permits the access |

use bare_machine::arch::Trap;

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
use riscv64 as current;
#[cfg(target_arch = "x86_64")]
use x86_64 as current;

pub use current::{
    ACCESSED, DIRTY, FAULTS_WITHOUT_NEED, MACHINE, Processor, Registers, can_go_on, copy_page,
    hardware_random, page_entry, sanitised_float, synchronize_fetches, table_entry, zero_page,
};

/// Why a process was left.
pub enum Left {
    /// It made a system call, and goes on behind it.
    Call,
    /// It did something that the processor refused, or asked for a trap.
    Trap(Trap),
    /// A device wants something.
    Interrupt,
}
