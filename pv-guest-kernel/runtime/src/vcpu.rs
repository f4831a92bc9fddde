//! The vCPU page of this vCPU: event bits, the event mask, the trap frames.
#![allow(
    unsafe_code,
    reason = "the page is shared with the hypervisor, at an address that only the start information tells"
)]

use crate::pending::EventPage;
use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{
    PAGE_SIZE,
    start_info::{StartInfo, VCPU_PAGE_PFN},
    trap::{TRAP_FRAMES, TrapFrame},
    vcpu_page::{
        EVENT_WORDS, EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, MASK_OFFSET, PENDING_OFFSET,
        TARGET_FRAMES_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET,
    },
};

/// Address of the page; 0 before [`init`]. The trap entry reads it too.
pub(crate) static VCPU_PAGE: AtomicU64 = AtomicU64::new(0);

/// Notes where the page is. The kernel keeps it mapped there.
pub(crate) fn init(info: &StartInfo) {
    let page = info.physmap_base + VCPU_PAGE_PFN.0 * PAGE_SIZE;
    VCPU_PAGE.store(page, Ordering::Relaxed);
}

/// Whether the runtime knows its vCPU page yet.
pub(crate) fn is_ready() -> bool {
    VCPU_PAGE.load(Ordering::Relaxed) != 0
}

fn word(offset: usize) -> &'static AtomicU64 {
    let page = VCPU_PAGE.load(Ordering::Relaxed);
    debug_assert!(page != 0 && offset < PAGE_SIZE as usize && offset.is_multiple_of(8));
    // SAFETY: the page is mapped readable and writable for as long as the guest runs, is
    // reached only through atomics outside the trap frames, and `offset` is aligned.
    unsafe { AtomicU64::from_ptr((page as usize + offset) as *mut u64) }
}

/// Not 0: some unmasked port became pending.
pub fn events_pending() -> &'static AtomicU64 {
    word(EVENTS_PENDING_OFFSET)
}

/// Not 0: no event traps.
pub fn events_masked() -> &'static AtomicU64 {
    word(EVENTS_MASKED_OFFSET)
}

/// Trap frames held.
pub fn trap_depth() -> &'static AtomicU64 {
    word(TRAP_DEPTH_OFFSET)
}

/// Frames that the operator would like the guest to own.
pub fn target_frames() -> u64 {
    word(TARGET_FRAMES_OFFSET).load(Ordering::Relaxed)
}

/// Pending bits of ports `64 * index..64 * index + 64`.
pub fn pending(index: usize) -> &'static AtomicU64 {
    assert!(index < EVENT_WORDS, "there are {EVENT_WORDS} words of ports");
    word(PENDING_OFFSET + 8 * index)
}

/// Mask bits of ports `64 * index..64 * index + 64`.
pub fn mask(index: usize) -> &'static AtomicU64 {
    assert!(index < EVENT_WORDS, "there are {EVENT_WORDS} words of ports");
    word(MASK_OFFSET + 8 * index)
}

/// The page, for [`pending`](mod@crate::pending).
pub struct Page;

impl EventPage for Page {
    type Word = AtomicU64;

    #[inline(always)]
    fn events_pending(&self) -> &AtomicU64 {
        events_pending()
    }

    #[inline(always)]
    fn events_masked(&self) -> &AtomicU64 {
        events_masked()
    }

    #[inline(always)]
    fn pending(&self, index: usize) -> &AtomicU64 {
        pending(index)
    }

    #[inline(always)]
    fn mask(&self, index: usize) -> &AtomicU64 {
        mask(index)
    }
}

/// Where the trap frame of that index lies, 0 to [`TRAP_FRAMES`] − 1.
pub fn trap_frame(index: u64) -> *mut TrapFrame {
    assert!(index < TRAP_FRAMES as u64, "there are {TRAP_FRAMES} trap frames");
    let page = VCPU_PAGE.load(Ordering::Relaxed) as usize;
    (page + TRAP_FRAMES_OFFSET + index as usize * size_of::<TrapFrame>()) as *mut TrapFrame
}
