//! Pages of the kernel's memory, by number: page 0 is where the machine's memory begins.
#![allow(unsafe_code, reason = "pages are reached by address")]

use crate::arch;
use bare_machine::memory::Layout;
use bare_machine::{BootInfo, direct_map};
use core::ops::Range;
use kernel_core::memory::{Frames, Kind, Watermarks};
use kernel_core::{PAGE, Pfn};

/// Where pages lie. Everything here is passed only pages that the kernel was told of, all of which
/// the direct map covers and none of which Rust holds a reference into: that is what every `SAFETY`
/// below rests on.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Machine address of page 0.
    first: u64,
}

impl Pages {
    /// The pages of a machine.
    pub fn new(boot: &BootInfo) -> Pages {
        let page = PAGE as u64;
        let first = boot.memory.iter().map(|range| range.start.div_ceil(page)).min();
        Pages { first: first.unwrap_or(0) * page }
    }

    /// Those of them that nothing uses yet. They are numbered so that those of the boot module
    /// have numbers too.
    pub fn frames(self, layout: &Layout, module: Option<&Range<u64>>) -> Frames {
        let page = PAGE as u64;
        let ends = layout.free.iter().chain(module).map(|range| range.end);
        let end = ends.max().unwrap_or(self.first).next_multiple_of(page);
        let mut frames = Frames::new((end - self.first) / page);
        // From the top, so that the lowest are taken first.
        let mut free: alloc::vec::Vec<&Range<u64>> = layout.free.iter().collect();
        free.sort_by_key(|range| core::cmp::Reverse(range.start));
        for range in free {
            for at in (range.start / page..range.end / page).rev() {
                frames.add(self.page(at * page));
            }
        }
        frames.set_watermarks(Watermarks::for_pages(frames.count(Kind::Free)));
        frames
    }

    /// Those that lie in a range as a whole.
    pub fn within(self, range: &Range<u64>) -> impl Iterator<Item = Pfn> + use<> {
        let page = PAGE as u64;
        let pages = range.start.div_ceil(page)..range.end / page;
        pages.map(move |at| self.page(at * page))
    }

    /// Machine address of a page.
    #[inline(always)]
    pub fn address(self, page: Pfn) -> u64 {
        self.first.wrapping_add(page.0 << PAGE.trailing_zeros())
    }

    /// The page at a machine address.
    #[inline(always)]
    pub fn page(self, address: u64) -> Pfn {
        Pfn((address - self.first) / PAGE as u64)
    }

    fn at(self, page: Pfn, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= PAGE && length <= PAGE - offset);
        direct_map::pointer(self.address(page)).wrapping_add(offset)
    }

    /// Reads bytes of a page.
    #[inline]
    pub fn read(self, page: Pfn, offset: usize, to: &mut [u8]) {
        let from = self.at(page, offset, to.len());
        // SAFETY: inside one page; `to` is Rust's, and so in no page.
        unsafe { core::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
    }

    /// Writes bytes of a page.
    #[inline]
    pub fn write(self, page: Pfn, offset: usize, from: &[u8]) {
        let to = self.at(page, offset, from.len());
        // SAFETY: as `read`.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Copies a page to another.
    pub fn copy(self, from: Pfn, to: Pfn) {
        assert!(from != to, "a page is copied to itself");
        // SAFETY: two whole pages.
        unsafe { arch::copy_page(self.at(from, 0, PAGE).cast(), self.at(to, 0, PAGE).cast()) };
    }

    /// Fills a page with zeros.
    pub fn clear(self, page: Pfn) {
        // SAFETY: a whole page.
        unsafe { arch::zero_page(self.at(page, 0, PAGE).cast()) };
    }
}
