//! Runtime library for guest kernels of Paravane.
//!
//! A guest kernel is a bare-metal program that depends on this crate, names its main function
//! and links with the script that comes with it:
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! pv_guest::entry!(main);
//!
//! fn main(info: &'static pv_guest::abi::start_info::StartInfo) {
//!     pv_guest::println!("domain {} has {} pages", info.domain.0, info.frames);
//! }
//! ```
//!
//! ```ignore
//! // build.rs
//! fn main() {
//!     println!("cargo::rustc-link-arg-bins=-T{}", std::env::var("DEP_PV_GUEST_LINKER_SCRIPT").unwrap());
//!     println!("cargo::rustc-link-arg-bins=--no-pie");
//! }
//! ```
//!
//! # What lies where
//!
//! | module | what |
//! |---|---|
//! | [`p2m`], [`pages`], [`paging`] | the guest's memory as pure data structures; they build and test on any host |
//! | [`pending`] | the order in which events are taken, so that none is lost; on any host too |
//! | `calls` | every call of the hypervisor as a function of the same name |
//! | `memory`, `space` | the guest's pages and page tables on top of both |
//! | `balloon_port` | the same as a balloon sees it, whose extents come and go by whole tables |
//! | `stack` | a larger stack than the boot stack, with a guard |
//! | `trap`, `user`, `events`, `time` | traps, processes, event channels, the timer |
//! | `console`, `grants`, `heap` | text, logs, memory of others, the global allocator |
//!
//! One vCPU: code runs on it alone, and is interrupted by events only where they are not
//! masked (`sync` keeps what is shared with event handlers).

#![no_std]
#![deny(missing_docs)]

pub use hypercall_abi as abi;

pub mod p2m;
pub mod pages;
pub mod paging;
pub mod pending;

#[cfg(target_os = "none")]
pub mod arch;
#[cfg(target_os = "none")]
pub mod argument;
#[cfg(target_os = "none")]
pub mod balloon_port;
#[cfg(target_os = "none")]
mod blocks;
#[cfg(target_os = "none")]
pub mod calls;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod events;
#[cfg(target_os = "none")]
pub mod fresh;
#[cfg(target_os = "none")]
pub mod grants;
#[cfg(all(target_os = "none", feature = "heap"))]
pub mod heap;
#[cfg(all(target_os = "none", feature = "defmt"))]
mod log;
#[cfg(target_os = "none")]
pub mod memory;
#[cfg(all(target_os = "none", feature = "panic-handler"))]
mod panic;
#[cfg(target_os = "none")]
pub mod physmap;
#[cfg(target_os = "none")]
pub mod space;
#[cfg(target_os = "none")]
pub mod stack;
#[cfg(target_os = "none")]
pub mod start;
#[cfg(target_os = "none")]
pub mod sync;
#[cfg(target_os = "none")]
pub mod time;
#[cfg(target_os = "none")]
pub mod trap;
#[cfg(target_os = "none")]
pub mod updates;
#[cfg(target_os = "none")]
pub mod user;
#[cfg(target_os = "none")]
pub mod vcpu;
