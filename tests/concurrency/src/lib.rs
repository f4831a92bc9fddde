//! What processors share, played through every interleaving by loom, with all that the memory
//! of a weakly ordered machine may do: the very code of the core and of the guest's runtime, on
//! words that loom watches.
//!
//! `tests/events.rs`: the bits of a vCPU page, which hypervisor and guest write without a common
//! lock. `tests/calls.rs`: calls of two domains on two processors, on one state behind one lock,
//! and an entry that a processor marks as accessed while it is replaced.
//!
//! Beside what holds stand variants in which the order is wrong, and loom finds that.

#![forbid(unsafe_code)]

mod machine;
mod page;

pub use machine::{Shared, Word, Words};
pub use page::GuestPage;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Plays through every interleaving of `scenario`.
pub fn holds(scenario: impl Fn() + Sync + Send + 'static) {
    loom::model(scenario);
}

/// Plays through every interleaving in which processors are interrupted at most so often in the
/// midst of what they do: where all would be too many.
pub fn holds_within(preemptions: usize, scenario: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(scenario);
}

/// Whether loom finds an interleaving in which `scenario` fails.
pub fn fails(scenario: impl Fn() + Sync + Send + 'static) -> bool {
    catch_unwind(AssertUnwindSafe(|| loom::model(scenario))).is_err()
}
