//! One hart: its control registers.
#![allow(unsafe_code, reason = "control registers")]

use super::csr::{
    STATUS_EXECUTE_READ, STATUS_FLOATING_POINT, STATUS_INTERRUPTS, STATUS_PREVIOUS_SUPERVISOR,
    STATUS_USER_MEMORY, STATUS_VECTOR, change,
};
use super::floating_point;

/// Counters that U-mode may read: cycle, time, instret.
const USER_COUNTERS: u64 = 0b111;

/// Sets the processor up: from here on traps are handled.
///
/// # Safety
/// `entry` is one for traps, which expects 0 in sscratch while the image runs.
pub unsafe fn init(entry: u64) {
    // SAFETY: the image runs with interrupts off, never uses U-mode's pages as such, and lets
    // users have the floating-point unit; the entry is one, as the caller promises.
    unsafe {
        change!(write "stvec", entry);
        change!(write "sscratch", 0);
        change!(
            clear "sstatus",
            STATUS_INTERRUPTS
                | STATUS_PREVIOUS_SUPERVISOR
                | STATUS_VECTOR
                | STATUS_USER_MEMORY
                | STATUS_EXECUTE_READ
        );
        change!(set "sstatus", STATUS_FLOATING_POINT);
        change!(write "scounteren", USER_COUNTERS);
    }
    floating_point::detect();
}
