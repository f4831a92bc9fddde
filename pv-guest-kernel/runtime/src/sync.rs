//! What main code and event handlers share.
//!
//! There is one vCPU, so that masking events is enough to be alone. Traps that are not events
//! (faults) still come: their handlers stay away from what the interrupted code holds.
#![allow(unsafe_code, reason = "a cell that is guarded by the event mask")]

use crate::{events, vcpu};
use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// Runs `f` with events masked. Events that came meanwhile are handled before this returns,
/// unless they were masked before it.
pub fn masked<R>(f: impl FnOnce() -> R) -> R {
    let before = vcpu::events_masked().swap(1, Ordering::SeqCst);
    let result = f();
    if before == 0 {
        events::unmask();
    }
    result
}

/// A value that main code and event handlers share.
#[derive(Debug)]
pub struct Shared<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: `with` gives out one reference at a time.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A cell with that value.
    pub const fn new(value: T) -> Shared<T> {
        Shared { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// Runs `f` on the value, with events masked.
    ///
    /// # Panics
    /// If the value is being used already: by a caller of this very function, or by the code
    /// that a fault interrupted.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        masked(|| {
            let taken = self.taken.swap(true, Ordering::Acquire);
            assert!(!taken, "a shared value is used by the code that this interrupts");
            // SAFETY: `taken` was false and is true until `f` has returned, so this is the
            // only reference.
            let result = f(unsafe { &mut *self.value.get() });
            self.taken.store(false, Ordering::Release);
            result
        })
    }
}
