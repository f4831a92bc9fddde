//! The pages that are the kernel core's: which they are, and what is in them.
#![allow(unsafe_code, reason = "pages are reached by address")]

use super::sharing;
use alloc::vec::Vec;
use kernel_core::memory::{BLOCK, Frames};
use pv_guest::{
    abi::Pfn,
    memory::Memory,
    physmap::{self, Page},
};

/// Free pages that stay with the runtime: for tables of the kernel's own map, when a grant is
/// mapped.
const KEPT: u64 = 16;

/// The pages that were handed to the kernel core. It names them by number in safe code: each
/// number is checked here, so that none reaches memory of Rust's own.
#[derive(Debug)]
pub struct Pages {
    /// A bit for each page of the guest.
    lent: Vec<u64>,
}

impl Pages {
    /// Hands all free pages but a few over. Pages that the balloon has are holes.
    pub fn lend(memory: &mut Memory) -> (Pages, Frames) {
        let span = memory.p2m().pages();
        let mut frames = Frames::new(span);
        let mut lent = alloc::vec![0; (span as usize).div_ceil(64)];
        let mut lend = |page: Pfn| lent[page.0 as usize / 64] |= 1 << (page.0 % 64);
        // The last that comes in is the first that is taken: the lowest.
        let mut hand_over = |page: Page| {
            let page = page.into_pfn();
            lend(page);
            frames.add(page);
        };
        memory.allocate_all_but(KEPT, &mut hand_over);
        for page in (0..span).map(Pfn).filter(|page| memory.p2m().frame_of(*page).is_none()) {
            lend(page);
            frames.add_hole(page);
        }
        // Once, before anything runs, each block is looked at: what has an extent behind it the core
        // keeps together, for the balloon.
        for first in (0..span / BLOCK).map(|block| Pfn(block * BLOCK)) {
            if memory.p2m().is_extent(first) {
                frames.set_extent(first, true);
            }
        }
        (Pages { lent }, frames)
    }

    /// Hands one more page over.
    pub fn lend_one(&mut self, page: Page) -> Pfn {
        let page = page.into_pfn();
        self.lent[page.0 as usize / 64] |= 1 << (page.0 % 64);
        page
    }

    /// Lets all pages that were handed over share frames from now on; whether they may.
    pub fn share(&self, memory: &mut Memory) -> bool {
        if memory.register_p2m().is_err() {
            return false;
        }
        let all = 0..self.lent.len() as u64 * 64;
        memory.let_move(all.clone().map(Pfn).filter(|page| self.is_lent(*page)));
        let mut next = all.start;
        while next < all.end {
            let run = (next..all.end).take_while(|page| self.is_lent(Pfn(*page))).count() as u64;
            sharing::offer_all(Pfn(next), run);
            next += run + 1;
        }
        true
    }

    #[inline]
    fn is_lent(&self, page: Pfn) -> bool {
        let word = self.lent.get(page.0 as usize / 64).copied().unwrap_or(0);
        word >> (page.0 % 64) & 1 != 0
    }

    /// The page, if it is the core's.
    #[inline]
    fn checked(&self, page: Pfn) -> Pfn {
        assert!(self.is_lent(page), "page {} was never handed over", page.0);
        page
    }

    /// Reads bytes of a page.
    pub fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        // SAFETY: pages that were handed over are mapped, and hold nothing of Rust's: `to` does
        // not lie there.
        unsafe { physmap::read_bytes(self.checked(page), offset, to) }
    }

    /// Writes bytes of a page.
    pub fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        // SAFETY: as for `read`. One that is a table is mapped for reading only: to write it is
        // an error of the core, and faults.
        unsafe { physmap::write_bytes(self.checked(page), offset, from) }
    }

    /// Copies a page.
    pub fn copy(&mut self, from: Pfn, to: Pfn) {
        // SAFETY: as for `write`.
        unsafe { physmap::copy_page(self.checked(from), self.checked(to)) }
    }

    /// Fills a page with zeros.
    pub fn clear(&mut self, page: Pfn) {
        // SAFETY: as for `write`.
        unsafe { physmap::zero_page(self.checked(page)) }
    }
}
