//! One hart: its control registers.
#![allow(unsafe_code, reason = "control registers")]

use super::csr::{
    STATUS_EXECUTE_READ, STATUS_FLOATING_POINT, STATUS_INTERRUPTS, STATUS_PREVIOUS_SUPERVISOR,
    STATUS_USER_MEMORY, STATUS_VECTOR, change,
};
use super::{floating_point, trap};
use crate::context::Context;
use crate::image;

/// Counters that U-mode may read: cycle, time, instret.
const GUEST_COUNTERS: u64 = 0b111;

/// Sets the processor up: from here on traps are handled.
pub fn init_processor() {
    // SAFETY: the hypervisor runs with interrupts off, never uses U-mode's pages as such, and
    // lets guests have the floating-point unit; the entry is `trap.s`.
    unsafe {
        change!(write "stvec", trap::entry());
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
        change!(write "scounteren", GUEST_COUNTERS);
    }
    floating_point::detect();
}

/// Makes `context` the vCPU that the next entries are from.
///
/// # Safety
/// `context` is valid, and lies still, until another one is prepared.
pub unsafe fn prepare_context(context: *mut Context) {
    // SAFETY: valid, as the caller promises. Returning to the guest leaves the address in
    // sscratch.
    unsafe { (*context).host_stack = image::image().stack_top };
}
