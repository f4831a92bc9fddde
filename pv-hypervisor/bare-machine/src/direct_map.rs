//! All of memory, at its machine address plus a constant: how the image reaches frames.
#![allow(unsafe_code, reason = "this is where machine addresses become pointers")]

use crate::arch;
use core::ops::Range;

/// Pointer to the byte at a machine address. Making it is harmless; using it needs the
/// address to be memory that the direct map covers.
pub fn pointer(address: u64) -> *mut u8 {
    arch::DIRECT_MAP.wrapping_add(address) as *mut u8
}

/// Bytes of memory that nothing writes while the image runs.
///
/// # Safety
/// The range is mapped memory, and nobody ever writes it.
pub unsafe fn bytes(range: &Range<u64>) -> &'static [u8] {
    // SAFETY: mapped and unchanging, as the caller promises; bytes have no alignment.
    unsafe { core::slice::from_raw_parts(pointer(range.start), (range.end - range.start) as usize) }
}

/// Reads the word at a machine address, once.
///
/// # Safety
/// The address is a multiple of eight in mapped memory.
pub unsafe fn read(address: u64) -> u64 {
    // SAFETY: mapped and aligned, as the caller promises.
    unsafe { pointer(address).cast::<u64>().read_volatile() }
}

/// Writes the word at a machine address.
///
/// # Safety
/// As [`read`], and the word is nothing that Rust holds a reference to.
pub unsafe fn write(address: u64, value: u64) {
    // SAFETY: mapped and aligned, as the caller promises.
    unsafe { pointer(address).cast::<u64>().write_volatile(value) }
}
