//! The guest's memory: a piece of the test's own, where address 0 of the guest is its beginning. A test has
//! one at a time, for each thread.
#![allow(unsafe_code, reason = "driver and device share memory, which each reaches by address")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PhysAddr};

pub const PAGE: u64 = 4096;

/// Pages of the guest.
pub const PAGES: u64 = 4096;

/// Of those, the first, in which the driver has its rings and arrays. Page 0 is none of them: the driver
/// crate takes its address for a refusal.
pub const DRIVERS: u64 = 32;

const LAYOUT: Layout = match Layout::from_size_align((PAGES * PAGE) as usize, PAGE as usize) {
    Ok(layout) => layout,
    Err(_) => panic!("a size and alignment that go together"),
};

struct Memory {
    base: NonNull<u8>,
    /// The next page of the driver's.
    next: Cell<u64>,
}

impl Memory {
    fn new() -> Memory {
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(LAYOUT) };
        Memory { base: NonNull::new(base).expect("memory"), next: Cell::new(1) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated so, and nobody has an address of it any more: the thread ends.
        unsafe { dealloc(self.base.as_ptr(), LAYOUT) };
    }
}

thread_local! {
    static MEMORY: Memory = Memory::new();
}

fn base() -> NonNull<u8> {
    MEMORY.with(|memory| memory.base)
}

fn check(address: u64, bytes: usize) {
    let end = address.checked_add(bytes as u64);
    assert!(end.is_some_and(|end| end <= PAGES * PAGE), "{address:#x} and {bytes} bytes");
}

/// Forgets what a driver had, and clears its pages.
pub fn begin() {
    MEMORY.with(|memory| memory.next.set(1));
    (0..DRIVERS).for_each(|page| fill(page, 0));
}

pub fn read(address: u64, to: &mut [u8]) {
    check(address, to.len());
    let (from, bytes) = (base(), to.len());
    // SAFETY: it lies in the memory, and only this thread has it.
    unsafe { from.add(address as usize).copy_to_nonoverlapping(NonNull::from(to).cast(), bytes) };
}

pub fn write(address: u64, from: &[u8]) {
    check(address, from.len());
    // SAFETY: as above.
    unsafe {
        base()
            .add(address as usize)
            .copy_from_nonoverlapping(NonNull::from(from).cast(), from.len());
    }
}

/// Fills a page.
pub fn fill(page: u64, byte: u8) {
    write(page * PAGE, &[byte; PAGE as usize]);
}

/// A buffer of the driver's, of a page.
pub struct Buffer {
    address: u64,
}

impl Buffer {
    pub fn new() -> Buffer {
        Buffer { address: Arena::dma_alloc(1, BufferDirection::Both).0 }
    }

    /// Its bytes, while it is the driver's.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the page is this buffer's alone, and it is borrowed.
        unsafe {
            std::slice::from_raw_parts_mut(
                base().add(self.address as usize).as_ptr(),
                PAGE as usize,
            )
        }
    }
}

/// Pages of the guest as buffers, which the driver does not look into: those that it reports as free.
pub fn pages(first: u64, count: u64) -> &'static mut [u8] {
    check(first * PAGE, (count * PAGE) as usize);
    assert!(first >= DRIVERS, "the driver's own");
    // SAFETY: only their addresses are used, within the test's thread, which the memory outlives.
    unsafe {
        std::slice::from_raw_parts_mut(
            base().add((first * PAGE) as usize).as_ptr(),
            (count * PAGE) as usize,
        )
    }
}

/// Memory of the driver as the crate has it.
pub struct Arena;

// SAFETY: each page goes out once, zeroed, for as long as the test's guest lives; addresses are those from the
// memory's beginning.
unsafe impl Hal for Arena {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = MEMORY.with(|memory| memory.next.replace(memory.next.get() + pages as u64));
        assert!(first + pages as u64 <= DRIVERS, "the driver has pages enough");
        // SAFETY: the pages lie in the memory.
        (first * PAGE, unsafe { base().add((first * PAGE) as usize) })
    }

    unsafe fn dma_dealloc(_address: PhysAddr, _pointer: NonNull<u8>, _pages: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(_address: PhysAddr, _size: usize) -> NonNull<u8> {
        unreachable!("there is no bus")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        let address = buffer.cast::<u8>().addr().get() - base().addr().get();
        check(address as u64, buffer.len());
        address as u64
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
