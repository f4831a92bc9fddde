//! The end of a run: SBI system reset.
#![allow(unsafe_code, reason = "sleeping is an instruction")]

use super::sbi;

/// Switches the machine off. QEMU's exit status tells little; the report says more.
pub fn power_off(success: bool) -> ! {
    // Type 0: shutdown. Reason 0: none, 1: failure.
    sbi::call(sbi::SYSTEM_RESET, 0, [0, if success { 0 } else { 1 }]);
    sbi::call(sbi::LEGACY_SHUTDOWN, 0, [0, 0]);
    loop {
        // SAFETY: sleeping changes nothing.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) };
    }
}
