//! The frames that the hostile guest plays with: pages of its own at first, then whatever the
//! balloon gives. What it runs on is not among them.
#![allow(unsafe_code, reason = "pages are reached by address, and may be mapped no more")]

use super::random;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hypercall_abi::{Mfn, PAGE_SIZE, VirtAddr};
use pv_guest::{memory::Memory, physmap};

/// Frames.
const SIZE: usize = 32;

static FRAMES: [AtomicU64; SIZE] = [const { AtomicU64::new(0) }; SIZE];
static PAGES: [AtomicU64; SIZE] = [const { AtomicU64::new(0) }; SIZE];

/// Fills it.
pub fn fill(memory: &mut Memory) -> Result<(), &'static str> {
    for (frame, page) in FRAMES.iter().zip(&PAGES) {
        let pfn = memory.allocate().ok_or("too little memory")?.into_pfn();
        let machine = memory.p2m().frame_of(pfn).ok_or("a page without a frame")?;
        frame.store(machine.0, Relaxed);
        page.store(physmap::address(pfn).0, Relaxed);
    }
    Ok(())
}

/// One of its frames.
pub fn frame() -> Mfn {
    Mfn(random::one_of(&FRAMES.each_ref()).load(Relaxed))
}

/// A frame that the balloon gave takes the place of another.
pub fn gained(frame: Mfn) {
    random::one_of(&FRAMES.each_ref()).store(frame.0, Relaxed);
}

/// Where one of its pages was mapped at first.
pub fn address() -> VirtAddr {
    VirtAddr(random::one_of(&PAGES.each_ref()).load(Relaxed))
}

/// Writes a word somewhere into a page, if it is mapped writable still: a trap if not.
pub fn scribble(value: u64) {
    let words = PAGE_SIZE / 8;
    // Most of what matters in a table is at its ends.
    let index = random::one_of(&[0, 1, 2, 255, 256, words - 1, random::below(words)]);
    let place = address().0 + 8 * index;
    // SAFETY: nothing of Rust's lies in the pages of the pool. A fault abandons this context,
    // which holds nothing.
    unsafe { (place as *mut u64).write_volatile(value) };
}
