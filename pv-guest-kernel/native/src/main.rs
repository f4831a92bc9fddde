//! The guest kernel without a hypervisor: in ring 0 or S-mode, with page tables that the processor
//! walks as the kernel writes them. Everything that the kernel decides is `kernel-core`, the same as
//! under Paravane; what is here is the machine.
//!
//! | file | what |
//! |---|---|
//! | `start` | boot, in order; where the kernel begins |
//! | `platform` | the kernel's view of this machine |
//! | `pages`, `space` | pages by number; page tables of processes |
//! | `clock`, `console`, `random` | devices |
//! | `heap`, `fatal`, `crash` | the kernel's own heap; its end when it cannot go on; tests of that |
//! | `arch/` | entering and leaving processes; entries of their tables |
//!
//! Command line:
//!
//! | word | meaning |
//! |---|---|
//! | `machine-test` | test that the machine keeps what the kernel expects of it, then switch off |
//! | `crash=HOW` | fail in that way, see `crash` |
//! | `quiet` | say nothing at the start |
//! | `init=`, `swap=`, `time=`, others | see `kernel_core::kernel::Kernel::new` |

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
mod clock;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod crash;
#[cfg(target_os = "none")]
mod fatal;
#[cfg(target_os = "none")]
mod heap;
#[cfg(target_os = "none")]
mod pages;
#[cfg(target_os = "none")]
mod platform;
#[cfg(target_os = "none")]
mod random;
#[cfg(target_os = "none")]
mod space;
#[cfg(target_os = "none")]
mod start;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "native-kernel is an image for bare metal; `cargo xtask run --native` builds and boots it"
    );
}
