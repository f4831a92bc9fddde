//! Calls to the firmware: RISC-V SBI 1.0.
#![allow(unsafe_code, reason = "a firmware call is one instruction")]

use core::arch::asm;

/// The base extension.
const BASE: u64 = 0x10;
/// The timer extension.
pub const TIME: u64 = 0x5449_4d45;
/// The system reset extension.
pub const SYSTEM_RESET: u64 = 0x5352_5354;
/// Legacy: set the timer.
pub const LEGACY_SET_TIMER: u64 = 0;
/// Legacy: write a byte to the console.
pub const LEGACY_PUT: u64 = 1;
/// Legacy: read a byte from the console, or −1.
pub const LEGACY_GET: u64 = 2;
/// Legacy: switch off.
pub const LEGACY_SHUTDOWN: u64 = 8;

/// Makes a call: error and value. None of the calls made here touches memory of ours.
pub fn call(extension: u64, function: u64, arguments: [u64; 2]) -> (i64, u64) {
    let (error, value);
    // SAFETY: the firmware changes a0 and a1 alone; timer, reset and console calls take no
    // address of memory.
    unsafe {
        asm!(
            "ecall",
            in("a7") extension,
            in("a6") function,
            inlateout("a0") arguments[0] => error,
            inlateout("a1") arguments[1] => value,
            options(nostack),
        );
    }
    (error, value)
}

/// Whether the firmware has an extension.
pub fn has(extension: u64) -> bool {
    matches!(call(BASE, 3, [extension, 0]), (0, value) if value != 0)
}
