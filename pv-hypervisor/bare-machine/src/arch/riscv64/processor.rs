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

/// A random number, from a processor that gives any. The register of Zkr is not asked: it faults
/// unless the firmware has opened it to S-mode, which it does not tell.
pub const fn hardware_random() -> Option<u64> {
    None
}
