//! The hypervisor's heap: one range of memory, chosen at boot.
#![allow(unsafe_code, reason = "the allocator is given raw memory")]

use crate::direct_map;
use core::ops::Range;
use talc::{TalcLock, source::Manual};

#[global_allocator]
static HEAP: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

/// Gives the allocator its memory.
///
/// # Safety
/// The range of machine addresses is mapped memory that nothing else uses, now or later.
pub unsafe fn init(range: &Range<u64>) {
    let size = (range.end - range.start) as usize;
    // SAFETY: nobody else uses the memory, as the caller promises.
    let claimed = unsafe { HEAP.lock().claim(direct_map::pointer(range.start), size) };
    assert!(claimed.is_some(), "the memory set aside for the heap is too small: {size} bytes");
}
