//! What an image needs of the bare machine: the hypervisor, and a kernel without one. Boot, the
//! memory map and page tables of the image's own, traps' meaning, serial line, clock, firmware.
//!
//! | file | what |
//! |---|---|
//! | `arch/` | everything that differs between processors; `arch/mod.rs` lists the names |
//! | `memory`, `paging`, `direct_map`, `image` | who uses which memory; the image's own page tables |
//! | `uart` | the serial port |
//! | `hooks` | what the image gives: where to go on, and what to do when that is impossible |
//! | `shown` | registers as text |
//!
//! An image names its two hooks with `image!`. On a host the crate is empty, but for tests.

#![cfg_attr(not(test), no_std)]

#[cfg(target_os = "none")]
pub mod arch;
#[cfg(target_os = "none")]
pub mod direct_map;
#[cfg(target_os = "none")]
pub mod hooks;
#[cfg(target_os = "none")]
pub mod image;
#[cfg(target_os = "none")]
pub mod memory;
#[cfg(target_os = "none")]
pub mod paging;
#[cfg(target_os = "none")]
pub mod shown;
#[cfg(any(target_os = "none", test))]
mod uart;

#[cfg(target_os = "none")]
pub use pv_boot_info::{BootInfo, Ranges};
