//! The argument frame of this vCPU, in which bulk arguments of calls lie.
//!
//! Whoever fills it or reads an answer from it masks events meanwhile
//! ([`sync::masked`](crate::sync::masked)), so that no handler uses it in between.
#![allow(
    unsafe_code,
    reason = "the frame is shared with the hypervisor, at an address that only the start information tells"
)]

use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{
    PAGE_SIZE,
    start_info::{ARGUMENT_PFN, StartInfo},
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

static ARGUMENT_FRAME: AtomicU64 = AtomicU64::new(0);

/// Notes where the frame is. The kernel keeps it mapped there.
pub(crate) fn init(info: &StartInfo) {
    let page = info.physmap_base + ARGUMENT_PFN.0 * PAGE_SIZE;
    ARGUMENT_FRAME.store(page, Ordering::Relaxed);
}

fn frame() -> *mut u8 {
    ARGUMENT_FRAME.load(Ordering::Relaxed) as *mut u8
}

/// Writes elements to the start of the frame.
///
/// # Panics
/// If they are longer than a page.
pub fn store<T: IntoBytes + Immutable>(elements: &[T]) {
    let bytes = elements.as_bytes();
    assert!(bytes.len() <= PAGE_SIZE as usize, "the argument frame is one page");
    // SAFETY: the frame is mapped readable and writable for as long as the guest runs, is
    // reached only by the copies in this module, and the length is within it.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), frame(), bytes.len()) }
}

/// Reads elements from the start of the frame.
///
/// # Panics
/// If they are longer than a page.
pub fn load<T: FromBytes + IntoBytes>(elements: &mut [T]) {
    let bytes = elements.as_mut_bytes();
    assert!(bytes.len() <= PAGE_SIZE as usize, "the argument frame is one page");
    // SAFETY: as in `store`; every pattern of bytes is a `T`.
    unsafe { core::ptr::copy_nonoverlapping(frame(), bytes.as_mut_ptr(), bytes.len()) }
}
