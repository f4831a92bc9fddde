//! What the guest kernel decides: files, memory, processes, and the Linux system calls that
//! programs make of them. It runs programs that were built for Linux.
//!
//! # Principles
//!
//! - **One trait stands for the machine**: [`Platform`]. The same code runs under Paravane, on
//!   the bare machine, and on a host against a model, where it is tested.
//! - **Plain state, one loop.** The kernel has no threads and no stack for each process. A system
//!   call that must wait says on what; its process sleeps with its registers still at the call,
//!   and makes it again when it is woken.
//! - **A process is hostile.** Every address, number and name from it is checked and copied
//!   once; what goes wrong is an error of its call, or the end of that process alone.
//! - **Memory is counted.** Every page has its uses; what is spent comes back.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "model"))]
extern crate std;

pub mod balloon;
mod boot;
pub mod calls;
mod console;
mod files;
pub mod fs;
pub mod kernel;
pub mod machine_test;
pub mod memory;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod platform;
pub mod process;
pub mod random;
pub mod registers;
mod run;
pub mod settings;
pub mod terminal;
pub mod ticks;

pub use boot::BootError;
pub use hypercall_abi::{Pfn, VirtAddr};
pub use platform::{
    Access, Change, Exit, FLOAT_BYTES, FloatState, Machine, NoPage, PAGE, Platform, Protection,
    Registers, Used,
};
