//! The end of a run: QEMU's `isa-debug-exit`.

use super::instructions::port_write_long;
use core::arch::asm;

/// I/O address of the device, as `cargo xtask` configures it.
const EXIT: u16 = 0xf4;

/// Switches the machine off. The exit status of QEMU becomes 33 after success and 35 after a
/// failure; the report says more.
#[allow(unsafe_code, reason = "halting is an instruction")]
pub fn power_off(success: bool) -> ! {
    port_write_long(EXIT, if success { 16 } else { 17 });
    loop {
        // SAFETY: with interrupts off the processor stops for good, which is what is wanted on a
        // machine without the device.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}
