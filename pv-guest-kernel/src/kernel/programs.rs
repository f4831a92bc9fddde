//! Step 6: programs that were built for Linux, out of the file system that the domain was given.
#![allow(unsafe_code, reason = "the module is reached by address, and then becomes free pages")]

use super::surprise::{Surprise, surprise};
use crate::paravirtual::{self, Paravirtual};
use kernel_core::{
    Platform,
    kernel::Kernel,
    settings::{GROWTH_BYTES, Settings, heap_pages},
};
use pv_guest::{
    abi::{PAGE_SIZE, Pfn, start_info::StartInfo},
    memory::Memory,
    physmap::{self, Page},
    println,
};

/// Pages of the heap: by what the guest starts with, and for what it may grow to the records of its
/// pages.
pub fn heap_pages_of(info: &StartInfo) -> u64 {
    let growth = info.max_frames.saturating_sub(info.frames);
    heap_pages(info.frames) + (growth * GROWTH_BYTES).div_ceil(PAGE_SIZE)
}

/// Runs the first process and all that come of it, until the first ends.
pub fn run(info: &StartInfo, memory: Memory) -> Result<(), Surprise> {
    let start = physmap::address(info.module_pfn).0 as *const u8;
    // SAFETY: the hypervisor mapped the module there; its pages are nobody's else, as they lie
    // before `free_pfn`.
    let archive = unsafe { core::slice::from_raw_parts(start, info.module_bytes as usize) };
    let (machine, frames) = paravirtual::boot(info, memory);
    let heap_bytes = heap_pages_of(info) * PAGE_SIZE;
    let pages = info.max_frames.max(info.frames);
    let settings = Settings::for_memory(Paravirtual::MACHINE, pages, heap_bytes);
    let kernel = Kernel::new(machine, frames, archive, info.command_line().as_bytes(), settings);
    let mut kernel = kernel.map_err(|error| surprise!("{error}"))?;
    let module = info.module_pfn.0..info.module_pfn.0 + info.module_bytes.div_ceil(PAGE_SIZE);
    for page in module {
        // SAFETY: it was a page of `archive`, which is unpacked and used no more; the map of
        // memory has all pages but tables writable.
        let page = unsafe { Page::from_pfn(Pfn(page)) };
        let page = kernel.platform.lend(page);
        kernel.add_pages([page]);
    }
    let end = kernel.run();
    println!("kernel: {end}");
    if end.is_good() { Ok(()) } else { Err(surprise!("programs ended badly")) }
}
