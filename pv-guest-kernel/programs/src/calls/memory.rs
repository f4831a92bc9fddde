//! Calls on memory.
#![allow(unsafe_code, reason = "system calls take addresses")]

use super::{Errno, result};
use crate::arch::{call, number};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Protection: nothing, read, write, execute.
pub const PROT_NONE: usize = 0;
/// It can be read.
pub const PROT_READ: usize = 1;
/// It can be written.
pub const PROT_WRITE: usize = 2;

/// A mapping that is shared with children.
pub const MAP_SHARED: usize = 1;
/// A mapping of the process alone.
pub const MAP_PRIVATE: usize = 2;
/// A mapping exactly there.
pub const MAP_FIXED: usize = 0x10;
/// A mapping of no file.
pub const MAP_ANONYMOUS: usize = 0x20;

/// Maps memory of no file: its address. With [`MAP_FIXED`] what was there is lost.
///
/// # Safety
/// With [`MAP_FIXED`] nothing may rely on what was there.
pub unsafe fn map(
    address: usize,
    length: usize,
    protection: usize,
    flags: usize,
) -> Result<usize, Errno> {
    let arguments = [address, length, protection, flags | MAP_ANONYMOUS, -1_isize as usize, 0];
    // SAFETY: the caller answers for what was there.
    result(unsafe { call(number::MMAP, arguments) })
}

/// Maps a file from its beginning, somewhere: its address.
pub fn map_file(file: i32, length: usize, protection: usize, flags: usize) -> Result<usize, Errno> {
    // SAFETY: nothing is mapped there yet.
    result(unsafe { call(number::MMAP, [0, length, protection, flags, file as usize, 0]) })
}

/// New memory, for reading and writing.
pub fn new_memory(length: usize, flags: usize) -> Result<usize, Errno> {
    // SAFETY: nothing is mapped there yet.
    unsafe { map(0, length, PROT_READ | PROT_WRITE, flags) }
}

/// Unmaps memory.
///
/// # Safety
/// Nothing may rely on it.
pub unsafe fn unmap(address: usize, length: usize) -> Result<(), Errno> {
    // SAFETY: the caller answers for the memory.
    result(unsafe { call(number::MUNMAP, [address, length, 0, 0, 0, 0]) }).map(drop)
}

/// Changes what may be done with memory.
///
/// # Safety
/// Nothing may rely on doing something else.
pub unsafe fn protect(address: usize, length: usize, protection: usize) -> Result<(), Errno> {
    // SAFETY: the caller answers for the memory.
    result(unsafe { call(number::MPROTECT, [address, length, protection, 0, 0, 0]) }).map(drop)
}

/// Moves the end of the heap: where it is then. 0 only asks.
///
/// # Safety
/// Nothing may rely on what is behind the new end.
pub unsafe fn brk(end: usize) -> usize {
    // SAFETY: the caller answers for the memory.
    unsafe { call(number::BRK, [end, 0, 0, 0, 0, 0]) as usize }
}

/// Reads a byte of memory, whatever the compiler thinks of it.
///
/// # Safety
/// The byte must be readable, or the program be ready for the fault.
pub unsafe fn load(address: usize) -> u8 {
    // SAFETY: the caller answers for the address.
    unsafe { (address as *const u8).read_volatile() }
}

/// Writes a byte of memory, whatever the compiler thinks of it.
///
/// # Safety
/// The byte must be the caller's to write, or the program be ready for the fault.
pub unsafe fn store(address: usize, byte: u8) {
    // SAFETY: the caller answers for the address.
    unsafe { (address as *mut u8).write_volatile(byte) }
}

/// Reads a word of memory.
///
/// # Safety
/// As of [`load`]; the address must be a multiple of eight.
pub unsafe fn load_word(address: usize) -> u64 {
    // SAFETY: the caller answers for the address.
    unsafe { (address as *const u64).read_volatile() }
}

/// Writes a word of memory.
///
/// # Safety
/// As of [`store`]; the address must be a multiple of eight.
pub unsafe fn store_word(address: usize, word: u64) {
    // SAFETY: the caller answers for the address.
    unsafe { (address as *mut u64).write_volatile(word) }
}
