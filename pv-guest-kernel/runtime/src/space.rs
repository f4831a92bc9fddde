//! The address space of a process: a validated tree of its own, in which the kernel does not
//! appear.
#![allow(
    unsafe_code,
    reason = "page tables of processes and the pages behind them are reached by address"
)]

use crate::{
    calls,
    memory::Memory,
    paging::{self, PagingError, Protection},
    physmap::{self, Page},
};
use hypercall_abi::{Mfn, PAGE_SIZE, VirtAddr};

/// An address space. What it maps belongs to it: pages are given to it and come back from it.
#[derive(Debug)]
pub struct AddressSpace {
    root: Mfn,
}

impl AddressSpace {
    /// An empty address space: one pinned table.
    ///
    /// # Errors
    /// [`PagingError::NoPage`], [`PagingError::Refused`].
    pub fn new(memory: &mut Memory) -> Result<AddressSpace, PagingError> {
        let page = memory.allocate().ok_or(PagingError::NoPage)?.into_pfn();
        let frame = memory.p2m.frame_of(page).ok_or(PagingError::NotMapped)?;
        // SAFETY: the token of the page was given up: nothing writes it any more.
        unsafe { memory.protect_page(page, Protection::READ) }?;
        memory.flush()?;
        // SAFETY: nothing of Rust's lies in the page.
        unsafe { calls::pt_create(frame, memory.format.root_level()) }
            .map_err(PagingError::Refused)?;
        Ok(AddressSpace { root: frame })
    }

    /// The root's frame.
    pub fn root(&self) -> Mfn {
        self.root
    }

    /// Gives a page to the process. The update waits: [`user::run`](crate::user::run) or
    /// [`Memory::flush`] makes it.
    ///
    /// # Errors
    /// As [`paging::map`]; the page is free again.
    pub fn map(
        &mut self,
        memory: &mut Memory,
        address: VirtAddr,
        page: Page,
        protection: Protection,
    ) -> Result<(), PagingError> {
        let frame = memory.p2m.frame_of(page.pfn()).ok_or(PagingError::NotMapped)?;
        // SAFETY: the page's token is given to this space, so that nothing else uses it.
        let mut tables = unsafe { memory.validated() };
        let result = paging::map(&mut tables, self.root, address, frame, protection);
        match result {
            Ok(()) => {
                page.into_pfn();
            }
            Err(_) => memory.free(page),
        }
        result
    }

    /// Takes a page from the process, at once.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], also for a frame that is not the guest's own;
    /// [`PagingError::Refused`].
    pub fn unmap(&mut self, memory: &mut Memory, address: VirtAddr) -> Result<Page, PagingError> {
        let (frame, _) = self.find(memory, address).ok_or(PagingError::NotMapped)?;
        let page = memory.p2m.page_of(frame).ok_or(PagingError::NotMapped)?;
        // SAFETY: only the process loses the page.
        paging::unmap(&mut unsafe { memory.validated() }, self.root, address)?;
        memory.flush()?;
        calls::tlb_flush(None).map_err(PagingError::Refused)?;
        // SAFETY: `map` gave the token up, and the process cannot reach the page any more.
        Ok(unsafe { Page::from_pfn(page) })
    }

    /// What an address is mapped to.
    pub fn find(&self, memory: &Memory, address: VirtAddr) -> Option<(Mfn, Protection)> {
        paging::find(memory, self.root, address)
    }

    /// Copies memory of the process, which does not run meanwhile.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`]: part of it is not mapped. What was copied before that stands
    /// in `bytes`.
    pub fn read(
        &self,
        memory: &Memory,
        address: VirtAddr,
        bytes: &mut [u8],
    ) -> Result<(), PagingError> {
        let mut done = 0;
        while done < bytes.len() {
            let at = address.0.checked_add(done as u64).ok_or(PagingError::BadAddress)?;
            let offset = at % PAGE_SIZE;
            let length = (bytes.len() - done).min((PAGE_SIZE - offset) as usize);
            let (frame, _) = self.find(memory, VirtAddr(at)).ok_or(PagingError::NotMapped)?;
            let page = memory.p2m.page_of(frame).ok_or(PagingError::NotMapped)?;
            let source = (physmap::address(page).0 + offset) as *const u8;
            let target = bytes[done..].as_mut_ptr();
            // SAFETY: the page belongs to this space and is mapped in the kernel's map too;
            // the length is within the page and within `bytes`, which are different memory.
            unsafe { core::ptr::copy_nonoverlapping(source, target, length) };
            done += length;
        }
        Ok(())
    }

    /// Makes it the one that processes run in.
    ///
    /// # Errors
    /// [`PagingError::Refused`].
    pub fn activate(&self, memory: &mut Memory) -> Result<(), PagingError> {
        memory.set_user_root(Some(self.root))
    }

    /// Takes it apart: its tables and all pages in it become free.
    ///
    /// # Errors
    /// [`PagingError::Refused`].
    pub fn destroy(self, memory: &mut Memory) -> Result<(), PagingError> {
        memory.flush()?;
        if memory.user_root == Some(self.root) {
            memory.set_user_root(None)?;
        }
        calls::pt_unpin(self.root).map_err(PagingError::Refused)?;
        // SAFETY: nothing named the tree but the pin, and what it maps was given to it.
        unsafe { memory.release_tree(self.root, true) }
    }
}
