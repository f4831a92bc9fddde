//! The kernel's heap: one range of memory, chosen at boot.
#![allow(unsafe_code, reason = "the allocator is given raw memory")]

use bare_machine::direct_map;
use core::ops::Range;
use linked_list_allocator::LockedHeap;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Bytes that it should have on a machine with that many pages.
pub fn bytes_for(pages: u64) -> u64 {
    kernel_core::settings::heap_pages(pages) * kernel_core::PAGE as u64
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
