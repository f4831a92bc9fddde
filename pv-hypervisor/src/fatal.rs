//! What happens when the hypervisor itself cannot go on: it says why, and switches off.

use crate::arch::{self, Registers};
use crate::{console, say};
use bare_machine::shown::Shown;
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Breaks the console's lock; switches off at once if a failure is being told already.
fn begin() {
    if FAILED.swap(true, Ordering::AcqRel) {
        arch::power_off(false);
    }
    console::break_lock();
}

/// Ends the run as failed, with one sentence.
pub fn stop(reason: fmt::Arguments<'_>) -> ! {
    begin();
    say!("hypervisor: cannot go on: {reason}");
    arch::power_off(false)
}

/// Ends the run as failed: a trap in the hypervisor itself.
pub fn trap(what: fmt::Arguments<'_>, registers: &Registers) -> ! {
    begin();
    say!("hypervisor: cannot go on: {what} in the hypervisor\n{}", Shown(registers));
    arch::power_off(false)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    begin();
    match info.location() {
        Some(at) => say!(
            "hypervisor: cannot go on: panic at {}:{}: {}",
            at.file(),
            at.line(),
            info.message()
        ),
        None => say!("hypervisor: cannot go on: panic: {}", info.message()),
    }
    arch::power_off(false)
}
