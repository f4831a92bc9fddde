//! Memory in few instructions, and what else is one instruction.
#![allow(unsafe_code, reason = "pages are raw memory, and instructions have no function")]

use core::arch::asm;

/// Words that are written in one round.
const ROUND: usize = 16;

/// Fills a page with zeros: a round of stores, where a loop of words takes three instructions
/// each.
///
/// # Safety
/// It is a page, and nothing of Rust's lies in it.
pub unsafe fn zero_page(page: *mut u64) {
    for round in (0..512).step_by(ROUND) {
        for index in round..round + ROUND {
            // SAFETY: within the page, for which the caller answers. Volatile, or the compiler
            // would call that loop.
            unsafe { page.add(index).write_volatile(0) };
        }
    }
}

/// Copies a page to another, in the same way.
///
/// # Safety
/// They are two pages, and nothing of Rust's lies in the second.
pub unsafe fn copy_page(from: *const u64, to: *mut u64) {
    for round in (0..512).step_by(ROUND) {
        for index in round..round + ROUND {
            // SAFETY: as `zero_page`.
            unsafe { to.add(index).write_volatile(from.add(index).read()) };
        }
    }
}

/// Makes what was written visible to fetches.
pub fn synchronize_fetches() {
    // SAFETY: it orders stores before fetches, and changes nothing.
    unsafe { asm!("fence.i", options(nostack)) };
}

/// The hart's source of entropy is for machine mode.
pub fn hardware_random() -> Option<u64> {
    None
}
