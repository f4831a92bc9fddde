//! The guest's memory as its balloon sees it. This allocator keeps no extents together, so that only
//! single pages go; a kernel with an allocator of its own can move extents by the calls here.
#![allow(unsafe_code, reason = "pages leave the kernel's map and the guest")]

use crate::{
    calls::{self, Partial},
    memory::Memory,
    paging::{self, Protection},
    physmap::{self, Page},
    updates::kernel_page,
    vcpu,
};
use balloon::{Answer, BalloonPort};
use heapless::Vec;
use hypercall_abi::{
    Mfn, Pfn, balloon_statistics::BalloonStatistics, calls::pte_update::Update, extent::Order,
};

/// Updates that one call carries when pages are mapped and unmapped.
const CHUNK: usize = 128;

fn answer(result: Result<u64, Partial>) -> Answer {
    match result {
        Ok(done) => Answer { done, refused: None },
        Err(Partial { done, error }) => Answer { done, refused: Some(error) },
    }
}

/// Writes the entries of pages of the balloon in the kernel's map; how many, from the first. Not inlined:
/// the list is large for a kernel's stack.
#[inline(never)]
fn update(pages: &[Pfn], entry: impl Fn(Pfn) -> Option<u64>) -> usize {
    let mut done = 0;
    for chunk in pages.chunks(CHUNK) {
        let updates: Vec<Update, CHUNK> = chunk
            .iter()
            .map_while(|page| {
                entry(*page).map(|value| Update::new(kernel_page(physmap::address(*page)), value))
            })
            .collect();
        // SAFETY: the pages are the balloon's: nothing uses them.
        let result = unsafe { calls::pte_update(&updates) };
        let count = result.unwrap_or_else(|partial| partial.done) as usize;
        done += count;
        if count < chunk.len() {
            break;
        }
    }
    done
}

impl BalloonPort for Memory {
    fn take_page(&mut self) -> Option<Pfn> {
        self.allocate().map(Page::into_pfn)
    }

    fn give_page(&mut self, page: Pfn) {
        // SAFETY: the balloon gives back what it took, mapped writable.
        self.free(unsafe { Page::from_pfn(page) });
    }

    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.p2m.frame_of(page)
    }

    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        update(pages, |_| Some(0))
    }

    fn flush(&mut self) {
        // The updates flush each page as they unmap it, extents are flushed together, and the hypervisor
        // flushes a frame before anyone else gets it.
    }

    fn map(&mut self, pages: &[Pfn]) -> usize {
        let format = self.format;
        let entry = |frame| format.page_entry(frame, Protection::WRITE);
        let mut done = 0;
        loop {
            done += update(&pages[done..], |page| self.p2m.frame_of(page).map(entry));
            // The kernel's own tables may not reach there yet.
            let Some(&page) = pages.get(done) else { return done };
            let Some(frame) = self.p2m.frame_of(page) else { return done };
            let root = self.kernel_root;
            // SAFETY: the page is the balloon's: nothing uses it.
            let mut tables = unsafe { self.validated() };
            let address = physmap::address(page);
            let made = paging::map(&mut tables, root, address, frame, Protection::WRITE);
            if made.and_then(|()| Memory::flush(self)).is_err() {
                return done;
            }
            done += 1;
        }
    }

    fn unmap_extents(&mut self, firsts: &[Pfn]) -> usize {
        self.unmap_blocks(firsts)
    }

    fn map_extents(&mut self, firsts: &[Pfn]) -> usize {
        self.map_blocks(firsts)
    }

    fn release(&mut self, frames: &[Mfn]) -> Answer {
        // SAFETY: the frames are behind pages of the balloon, which are unmapped.
        answer(unsafe { calls::balloon_inflate(frames, Order::Frame) })
    }

    fn make_hole(&mut self, page: Pfn) {
        let result = self.p2m.make_hole(page);
        debug_assert!(result.is_ok(), "the balloon makes a hole once: {result:?}");
    }

    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
        answer(calls::balloon_deflate(frames, Order::Frame))
    }

    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        let page = self.p2m.first_hole()?;
        self.p2m.fill_hole(page, frame).ok().map(|()| page)
    }

    fn report(&mut self, frames: &[Mfn]) -> Answer {
        // SAFETY: as for `release`.
        answer(unsafe { calls::balloon_report_free(frames, Order::Frame) })
    }

    fn release_extents(&mut self, firsts: &[Mfn]) -> Answer {
        // SAFETY: as for `release`.
        answer(unsafe { calls::balloon_inflate(firsts, Order::Extent) })
    }

    fn report_extents(&mut self, firsts: &[Mfn]) -> Answer {
        // SAFETY: as for `release`.
        answer(unsafe { calls::balloon_report_free(firsts, Order::Extent) })
    }

    fn obtain_extents(&mut self, firsts: &mut [Mfn]) -> Answer {
        answer(calls::balloon_deflate(firsts, Order::Extent))
    }

    fn tell(&mut self, statistics: &BalloonStatistics) -> bool {
        calls::balloon_report_statistics(statistics).is_ok()
    }

    /// Every page that is no hole has a frame of the guest's own.
    fn owned_frames(&mut self) -> u64 {
        self.p2m.pages() - self.p2m.holes()
    }

    fn target_frames(&mut self) -> u64 {
        vcpu::target_frames()
    }
}
