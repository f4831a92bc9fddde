//! What happens when the kernel itself cannot go on: it says why, and switches off.

use crate::say;
use bare_machine::arch::{self, Registers};
use bare_machine::shown::Shown;
use core::fmt;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

static FAILED: AtomicBool = AtomicBool::new(false);

/// Switches off at once if a failure is being told already.
fn begin() {
    if FAILED.swap(true, Ordering::AcqRel) {
        arch::power_off(false);
    }
}

/// Ends the run as failed, with one sentence.
pub fn stop(reason: fmt::Arguments<'_>) -> ! {
    begin();
    say!("kernel: cannot go on: {reason}");
    arch::power_off(false)
}

/// Ends the run as failed: a trap in the kernel itself.
pub fn trap(what: fmt::Arguments<'_>, registers: &Registers) -> ! {
    begin();
    say!("kernel: cannot go on: {what} in the kernel\n{}", Shown(registers));
    arch::power_off(false)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    begin();
    say!("kernel: cannot go on: {info}");
    arch::power_off(false)
}
