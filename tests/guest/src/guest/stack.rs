//! Memory for a stack.
#![allow(unsafe_code, reason = "a stack is memory that nobody borrows")]

use core::cell::UnsafeCell;

/// Bytes of each: the trap entry runs on what it finds, and dispatches events there.
const BYTES: usize = 16 << 10;

/// A stack.
#[repr(C, align(16))]
pub struct Stack(UnsafeCell<[u8; BYTES]>);

// SAFETY: there is one vCPU, and Rust never looks into a stack.
unsafe impl Sync for Stack {}

impl Stack {
    /// An empty one.
    pub const fn new() -> Stack {
        Stack(UnsafeCell::new([0; BYTES]))
    }

    /// The address behind it.
    pub fn end(&self) -> u64 {
        self.0.get() as u64 + BYTES as u64
    }

    /// Writes its last word, and returns where that is.
    pub fn push(&self, word: u64) -> u64 {
        let place = self.end() - 8;
        // SAFETY: inside the stack, aligned; nobody uses it now.
        unsafe { (place as *mut u64).write_volatile(word) };
        place
    }
}
