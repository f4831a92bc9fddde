//! What differs between the architectures. Each module defines the same names:
//!
//! | name | what |
//! |---|---|
//! | `instructions` | the counter of instructions |
//! | `trap_entry` | where the hypervisor enters for traps; goes on at `traps::HANDLER` |
//! | `skip`, `count_skip` | handlers: go on behind the load that faulted |
//! | `count_map` | handler: return with an update that maps the page |
//! | `count_system_call`, `take_event` | handlers of the other traps |
//! | `load_faulting` | a load whose fault `skip` handles |
//! | `enter_process` | goes to the process in the trap frame until it has trapped often enough |
//! | `process` | bytes of a trap frame, and the registers of the process by their offsets |
//! | `SYSTEM_CALLS`, `FAULTS` | code of the process: calls for ever, loads from page after page |
#![allow(unsafe_code, reason = "entries and handlers are a few instructions each")]

#[cfg(target_arch = "riscv64")]
mod riscv64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "riscv64")]
pub use riscv64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
