//! The guest's own memory, page by page: page `p` is mapped at `physmap_base + p * 4096`.
#![allow(unsafe_code, reason = "pages are reached by address; who may is told by the token `Page`")]

use crate::arch;
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{PAGE_SIZE, Pfn, VirtAddr, start_info::StartInfo};

static BASE: AtomicU64 = AtomicU64::new(0);

pub(crate) fn init(info: &StartInfo) {
    BASE.store(info.physmap_base, Ordering::Relaxed);
}

/// Where a page is mapped.
pub fn address(page: Pfn) -> VirtAddr {
    VirtAddr(BASE.load(Ordering::Relaxed) + page.0 * PAGE_SIZE)
}

/// The page that is mapped at an address of the map.
pub fn page_at(address: VirtAddr) -> Option<Pfn> {
    let offset = address.0.checked_sub(BASE.load(Ordering::Relaxed))?;
    Some(Pfn(offset / PAGE_SIZE))
}

/// Reads an aligned word of a page.
///
/// # Safety
/// The page is mapped.
pub unsafe fn read_word(page: Pfn, index: usize) -> u64 {
    assert!(index < 512, "a page has 512 words");
    // SAFETY: the caller answers for the page, and the index is within it. The read is
    // volatile, as processor and hypervisor write page tables too.
    unsafe { (address(page).0 as *const u64).add(index).read_volatile() }
}

/// Writes an aligned word of a page.
///
/// # Safety
/// The page is mapped writable and nothing of Rust's lies in it.
pub unsafe fn write_word(page: Pfn, index: usize, value: u64) {
    assert!(index < 512, "a page has 512 words");
    // SAFETY: the caller answers for the page, and the index is within it.
    unsafe { (address(page).0 as *mut u64).add(index).write_volatile(value) }
}

/// Reads bytes of a page.
///
/// # Panics
/// If they are not all in the page.
///
/// # Safety
/// The page is mapped, and `to` does not lie in it.
pub unsafe fn read_bytes(page: Pfn, offset: usize, to: &mut [u8]) {
    let from = bytes_of(page, offset, to.len());
    // SAFETY: the bytes are within the page, for which the caller answers.
    unsafe { core::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) }
}

/// Writes bytes of a page.
///
/// # Panics
/// If they are not all in the page.
///
/// # Safety
/// The page is mapped writable and nothing of Rust's lies in it.
pub unsafe fn write_bytes(page: Pfn, offset: usize, from: &[u8]) {
    let to = bytes_of(page, offset, from.len());
    // SAFETY: the bytes are within the page, for which the caller answers.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) }
}

/// Copies a page.
///
/// # Safety
/// Both are mapped, the second writable, and nothing of Rust's lies in it.
pub unsafe fn copy_page(from: Pfn, to: Pfn) {
    let (from, to) = (address(from).0 as *const u64, address(to).0 as *mut u64);
    // SAFETY: the caller answers for the pages.
    unsafe { arch::copy_page(from, to) }
}

/// Fills a page with zeros.
///
/// # Safety
/// The page is mapped writable and nothing of Rust's lies in it.
pub unsafe fn zero_page(page: Pfn) {
    // SAFETY: the caller answers for the page.
    unsafe { arch::zero_page(address(page).0 as *mut u64) }
}

/// Where bytes of a page are mapped.
fn bytes_of(page: Pfn, offset: usize, length: usize) -> *mut u8 {
    let room = (PAGE_SIZE as usize).checked_sub(offset);
    assert!(room.is_some_and(|room| length <= room), "the bytes are within one page");
    (address(page).0 as usize + offset) as *mut u8
}

/// The right to use one page of the guest's memory, which has a frame and is mapped writable:
/// whoever holds it is the only one who reaches the page through it.
#[derive(PartialEq, Eq, Debug)]
pub struct Page(Pfn);

impl Page {
    /// The token of a page.
    ///
    /// # Safety
    /// The page is mapped writable, nobody else holds its token and nothing of Rust's lies in
    /// it.
    pub unsafe fn from_pfn(page: Pfn) -> Page {
        Page(page)
    }

    /// Gives the token up; the page's number.
    pub fn into_pfn(self) -> Pfn {
        self.0
    }

    /// The page's number.
    pub fn pfn(&self) -> Pfn {
        self.0
    }

    /// What is in it.
    pub fn bytes(&self) -> &[u8; PAGE_SIZE as usize] {
        // SAFETY: the page is mapped, and the token is borrowed for as long as the bytes are.
        unsafe { &*(address(self.0).0 as *const [u8; PAGE_SIZE as usize]) }
    }

    /// What is in it, for changing.
    pub fn bytes_mut(&mut self) -> &mut [u8; PAGE_SIZE as usize] {
        // SAFETY: the page is mapped writable, and the token is borrowed for as long as the
        // bytes are.
        unsafe { &mut *(address(self.0).0 as *mut [u8; PAGE_SIZE as usize]) }
    }

    /// Fills it with zeros.
    pub fn zero(&mut self) {
        // SAFETY: the page is mapped writable, and the token is borrowed.
        unsafe { zero_page(self.0) }
    }
}
