//! The end of a run: SBI system reset; after a failure the device by which an emulator is told.
#![allow(unsafe_code, reason = "sleeping is an instruction, the device a register in memory")]

use super::device::Device;
use super::sbi;

/// The device that ends an emulator with an exit status, where there is one.
pub static FINISHER: Device = Device::none();
/// What is written to it after a failure: status 1.
const FAILED: u32 = 1 << 16 | 0x3333;

/// Switches the machine off. The exit status of QEMU becomes 0 after success and 1 after a
/// failure; the report says more.
pub fn power_off(success: bool) -> ! {
    if !success && let Some(address) = FINISHER.address() {
        // SAFETY: the device is mapped, by the boot tables or by our own, and starts no access to
        // memory.
        unsafe { (address as *mut u32).write_volatile(FAILED) };
    }
    // Type 0: shutdown. Reason 0: none, 1: failure, which firmware may keep to itself.
    sbi::call(sbi::SYSTEM_RESET, 0, [0, if success { 0 } else { 1 }]);
    sbi::call(sbi::LEGACY_SHUTDOWN, 0, [0, 0]);
    loop {
        // SAFETY: sleeping changes nothing.
        unsafe { core::arch::asm!("wfi", options(nomem, nostack)) };
    }
}
