//! Memory in few instructions, and what else is one instruction.
#![allow(unsafe_code, reason = "pages are raw memory, and instructions have no function")]

use core::arch::asm;

/// Fills a page with zeros.
///
/// # Safety
/// It is a page, and nothing of Rust's lies in it.
pub unsafe fn zero_page(page: *mut u64) {
    // SAFETY: the compiler makes the string instruction of it; the caller answers for the page.
    unsafe { page.write_bytes(0, 512) };
}

/// Copies a page to another.
///
/// # Safety
/// They are two pages, and nothing of Rust's lies in the second.
pub unsafe fn copy_page(from: *const u64, to: *mut u64) {
    // SAFETY: as `zero_page`; they do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(from, to, 512) };
}

/// Makes what was written visible to fetches, which it always is.
pub fn synchronize_fetches() {}

/// `rdrand`, where the processor has it, and has a number.
pub fn hardware_random() -> Option<u64> {
    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    // SAFETY: every processor with long mode has the instruction.
    let features = unsafe { core::arch::x86_64::__cpuid(1) };
    if features.ecx & 1 << 30 == 0 {
        return None;
    }
    let (value, found): (u64, u8);
    // SAFETY: the processor has the instruction, which changes only these.
    unsafe {
        asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) found, options(nomem, nostack));
    }
    (found != 0).then_some(value)
}
