//! The hypervisor's heap: one range of memory, chosen at boot.
#![allow(unsafe_code, reason = "the allocator is given raw memory")]

use crate::options::Options;
use bare_machine::direct_map;
use core::ops::Range;
use hypercall_abi::PAGE_SIZE;
use pv_core::domain::MAX_DOMAINS;
use talc::{TalcLock, source::Manual};

/// Bytes that the hypervisor has whatever the machine: the manifest, lists of domains.
const BASE: u64 = 1 << 20;
/// Bytes for each domain: its tables in the core, and its vCPU.
const PER_DOMAIN: u64 = 64 << 10;
/// Memory of the machine for each domain that there is to be room for.
const MEMORY_PER_DOMAIN: u64 = 1 << 20;
/// Bytes for each frame of memory: the frame table, and an eighth to round its growth; what the
/// audit counts, in an image that has it.
const PER_FRAME: u64 = if cfg!(feature = "audit") { 18 + 32 } else { 18 };

#[global_allocator]
static HEAP: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

/// Bytes for each frame where pages may be without one of their own: what is remembered of pages, of
/// entries that map them, and of what they hash to.
const PER_FRAME_MOVING: u64 = 80;

/// Pages of a disk that are used at most, for each frame of memory.
pub const SWAP_PER_FRAME: u64 = 8;

/// Bytes for each page of guests that may be kept in memory that nobody owns: what is known of it, and a
/// quarter to round the growth of that.
const PER_SPARE_PAGE: u64 = 40;

/// What compresses a page works with.
const PACKING: u64 = 64 << 10;

/// Bytes that it should have on a machine with that many frames.
pub fn bytes_for(frames: u64, options: &Options) -> u64 {
    let domains = (frames * PAGE_SIZE / MEMORY_PER_DOMAIN).min(MAX_DOMAINS as u64);
    let moving = if options.moves_pages() { frames * PER_FRAME_MOVING } else { 0 };
    // Each chunk of the store has a link, and each place of the swap device a bit.
    let store = options.store.saturating_add(options.store / 32).saturating_add(PACKING);
    let swap = options.swap.bytes();
    // A disk has a bit for each of its pages that are used.
    let swap = swap.saturating_add(swap / 1024).saturating_add(frames * SWAP_PER_FRAME / 8);
    let away = if options.store != 0 { store.saturating_add(swap) } else { 0 };
    let spare = options.spare_pages(frames) * PER_SPARE_PAGE;
    (BASE + frames * PER_FRAME + moving + spare + domains * PER_DOMAIN).saturating_add(away)
}

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
