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
//! An image names its two hooks with [`image!`]. On a host the crate is empty.

#![cfg(target_os = "none")]
#![no_std]

pub mod arch;
pub mod direct_map;
pub mod hooks;
pub mod image;
pub mod memory;
pub mod paging;
pub mod shown;
mod uart;

pub use pv_boot_info::{BootInfo, Ranges};
