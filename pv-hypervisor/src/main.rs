//! The hypervisor image. The core (`pv-core`) decides; what is here acts, on a machine that
//! `bare-machine` has booted: it enters and leaves guests, keeps time, and speaks over the serial line.
//!
//! | file | what |
//! |---|---|
//! | `arch/` | what differs between processors; `arch/mod.rs` lists the names |
//! | `machine` | the core's view of this machine |
//! | `loader` | domains from the bundle |
//! | `secret` | random numbers that no guest knows |
//! | `run` | entries from guests, scheduling, the end of the run |
//! | `console`, `log`, `report` | frames on the serial line |
//! | `fatal` | what happens when the hypervisor itself cannot go on |

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod context;
#[cfg(target_os = "none")]
mod control;
#[cfg(target_os = "none")]
mod disk;
#[cfg(target_os = "none")]
mod fatal;
#[cfg(target_os = "none")]
mod heap;
#[cfg(target_os = "none")]
mod loader;
#[cfg(target_os = "none")]
mod log;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod observe;
#[cfg(target_os = "none")]
mod options;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod secret;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod stretch;
#[cfg(target_os = "none")]
mod swap;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("The hypervisor runs on the bare machine: `cargo xtask run` boots it.");
}
