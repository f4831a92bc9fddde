//! The guest kernel of Paravane. It shows what a guest can do, step by step, and checks it:
//! whatever surprises it ends the domain as crashed.
//!
//! Command line:
//!
//! | word | meaning |
//! |---|---|
//! | `peer=N` | domain to share a page and exchange signals with; it runs this kernel too |
//! | `crash=HOW` | misbehave in that way, see `kernel/misbehave.rs` |
//! | `machine-test` | test the machine under the kernel core, and no more |
//! | `quiet` | run programs, from the file system that it was given, and show nothing before |
//! | `init=`, `swap=`, `time=`, others | with a file system: see `kernel_core::kernel::Kernel::new` |

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod kernel;
#[cfg(target_os = "none")]
mod paravirtual;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("pv-guest-kernel is an image for bare metal; `cargo xtask run` builds and boots it");
}
