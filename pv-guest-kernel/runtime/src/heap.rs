//! The global allocator: a heap in pages that follow one another, in the kernel's map.
#![allow(unsafe_code, reason = "an allocator gives out memory by address")]

use crate::{memory::Memory, physmap, sync::Shared};
use core::{
    alloc::{GlobalAlloc, Layout},
    ptr::NonNull,
};
use hypercall_abi::PAGE_SIZE;
use linked_list_allocator::Heap;

struct GuestHeap(Shared<Heap>);

#[global_allocator]
static HEAP: GuestHeap = GuestHeap(Shared::new(Heap::empty()));

/// Gives the heap that many pages, once. `false`: they could not be had.
///
/// # Panics
/// If the heap has its pages already.
pub fn init(memory: &mut Memory, pages: u64) -> bool {
    let Some(first) = memory.allocate_contiguous(pages) else { return false };
    let start = physmap::address(first).0 as *mut u8;
    HEAP.0.with(|heap| {
        assert!(heap.size() == 0, "the heap is made once");
        // SAFETY: the pages are mapped writable one after another, and are the heap's for good.
        unsafe { heap.init(start, (pages * PAGE_SIZE) as usize) };
    });
    true
}

// SAFETY: the heap gives out memory that is its own and no other allocation's.
unsafe impl GlobalAlloc for GuestHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let allocated = self.0.with(|heap| heap.allocate_first_fit(layout));
        allocated.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(pointer) = NonNull::new(pointer) else { return };
        // SAFETY: the caller gives back what `alloc` gave out with this layout.
        self.0.with(|heap| unsafe { heap.deallocate(pointer, layout) });
    }
}
