//! Paravane's validation core: decides every hypercall, touches no hardware.
//!
//! # Principles
//!
//! - **The core decides, the image acts.** All that the core knows of a machine is the trait
//!   [`Machine`]; the same code runs in the hypervisor image and on a host against
//!   `model::ModelMachine`.
//! - **The state is plain data.** [`State`] can be cloned, compared and hashed; there are no
//!   globals, no interior mutability, no logging.
//! - **Check, then commit.** Whatever a call is refused for is found before anything changes.
//! - **Every step is bounded.** A call that needs more than its budget stays with its vCPU
//!   and is continued; a guest never sees a call half done.
//! - **Invariants are code.** [`audit`] recomputes them from scratch.
//!
//! # Where things are
//!
//! [`frame`]: the state of each machine frame. [`format`]: page-table entries as data. `pt`:
//! validation of page tables. [`grant`], [`event`], [`vcpu`], [`sched`], [`domain`]: what
//! they say. [`share`]: pages that several domains have in one frame. `calls`: one file a hypercall. `loader`: building a domain. `teardown`: taking
//! it apart. [`census`]: page tables counted, for the operator.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "model"))]
extern crate std;
// The tests' worlds are written against the crate's name, and are used by its own tests too.
#[cfg(test)]
extern crate self as pv_core;

pub mod audit;
pub mod balloon;
mod budget;
mod call;
mod calls;
pub mod census;
pub mod domain;
pub mod event;
pub mod format;
pub mod frame;
pub mod grant;
mod loader;
mod machine;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod planted;
mod platform;
mod pt;
mod quick;
pub mod reclaim;
pub mod sched;
pub mod share;
pub mod spare;
mod state;
pub mod sweep;
mod teardown;
pub mod tlb;
mod trap;
pub mod vcpu;

pub use domain::{DomainSummary, EndReason, Slot, Trap};
pub use frame::{Region, RegionKind};
pub use loader::{BuildError, DomainSpec, Image, Segment};
pub use machine::{ATOMIC_ORDER, Direction, FRAME_WORDS, Machine, Transfer};
#[cfg(feature = "planted")]
pub use planted::Bug;
pub use platform::{Platform, Registers, Riscv64Sv39, Riscv64Sv48, ToyPlatform, X86_64};
pub use quick::{Quick, QuickEntry, quick_call};
pub use sched::Next;
pub use state::{Config, ConfigError, State};

/// How a vCPU came into the hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// By the instruction that makes calls.
    Call,
    /// By a trap of the processor.
    Trap(Trap),
    /// By an interrupt, which has nothing to do with it.
    Interrupt,
}

/// What the image does after an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// Return to the guest with the registers as they are now.
    Return,
    /// Ask [`State::schedule`] what to run.
    Reschedule,
}
