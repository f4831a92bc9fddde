//! The kernel's heap: one range of memory, chosen at boot.
#![allow(unsafe_code, reason = "the allocator is given raw memory")]

use bare_machine::direct_map;
use core::ops::Range;
use linked_list_allocator::LockedHeap;

/// Bytes that it has whatever the machine.
const BASE: u64 = 4 << 20;
/// Bytes for each page of memory: records of pages and processes, names and inodes.
const PER_PAGE: u64 = 256;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Bytes that it should have on a machine with that many pages.
pub fn bytes_for(pages: u64) -> u64 {
    BASE + pages * PER_PAGE
}

/// Gives the allocator its memory, once.
///
/// # Safety
/// The range of machine addresses is mapped memory that nothing else uses, now or later.
pub unsafe fn init(range: &Range<u64>) {
    let size = (range.end - range.start) as usize;
    // SAFETY: nobody else uses the memory, as the caller promises.
    unsafe { HEAP.lock().init(direct_map::pointer(range.start), size) };
}
