//! A tree of page tables that the kernel writes itself, before the hypervisor validates it.
//!
//! The tables lie in free pages, which the kernel writes like any memory. Before they can be
//! pinned they must be mapped writable nowhere: not in the tree that the vCPU is on, and not in
//! the tree itself.
#![allow(unsafe_code, reason = "pages are reached by address; roots change what addresses mean")]

use crate::{
    calls,
    memory::{Memory, Tables, retire_tables},
    paging::{self, Format, PagingError, Protection, TableRead, TableWrite, Visit},
    physmap,
};
use hypercall_abi::{
    Error, Mfn, PAGE_SIZE, Pfn, VirtAddr, addr::Level, calls::pt_switch::RootChange,
};

unsafe extern "C" {
    static __image_start: u8;
    static __image_end: u8;
}

/// First address of the kernel's image, and the first behind it.
pub fn image_range() -> (VirtAddr, VirtAddr) {
    let start = &raw const __image_start;
    let end = &raw const __image_end;
    (VirtAddr(start as u64), VirtAddr(end as u64))
}

/// A tree in the making.
#[derive(Debug)]
pub struct FreshTree {
    root: Mfn,
}

impl FreshTree {
    /// An empty tree.
    ///
    /// # Errors
    /// [`PagingError::NoPage`].
    pub fn new(memory: &mut Memory) -> Result<FreshTree, PagingError> {
        let level = memory.format.root_level();
        Ok(FreshTree { root: Writer { memory }.new_table(level)? })
    }

    /// The root's frame.
    pub fn root(&self) -> Mfn {
        self.root
    }

    /// Maps a frame.
    ///
    /// # Errors
    /// As [`paging::map`].
    pub fn map(
        &mut self,
        memory: &mut Memory,
        address: VirtAddr,
        frame: Mfn,
        protection: Protection,
    ) -> Result<(), PagingError> {
        paging::map(&mut Writer { memory }, self.root, address, frame, protection)
    }

    /// Maps what a kernel needs to go on: its image where it is linked, each page as it is
    /// mapped now, and all of its memory at the physmap, for reading and writing, without the
    /// pages of the image.
    ///
    /// # Errors
    /// As [`paging::map`].
    pub fn map_kernel(&mut self, memory: &mut Memory) -> Result<(), PagingError> {
        let (start, end) = image_range();
        for address in (start.0..end.0).step_by(PAGE_SIZE as usize).map(VirtAddr) {
            let (frame, protection) = memory.find(address).ok_or(PagingError::NotMapped)?;
            self.map(memory, address, frame, protection)?;
        }
        let image = memory.info.image_pfn.0;
        let image = image..image + (end.0 - start.0).div_ceil(PAGE_SIZE);
        for page in (0..memory.p2m.pages()).filter(|page| !image.contains(page)).map(Pfn) {
            let Some(frame) = memory.p2m.frame_of(page) else { continue };
            self.map(memory, physmap::address(page), frame, Protection::WRITE)?;
        }
        Ok(())
    }

    /// Tables of the tree.
    pub fn table_count(&self, memory: &Memory) -> u64 {
        let mut count = 0;
        paging::visit(&memory.tables(), self.root, &mut |visit| {
            count += u64::from(matches!(visit, Visit::Table { .. }));
        });
        count
    }

    /// Within the tree: maps its own tables, and those of the tree that the vCPU is on, for
    /// reading only.
    pub fn protect_tables(&mut self, memory: &mut Memory) {
        let tables = memory.tables();
        for tree in [self.root, memory.kernel_root] {
            paging::visit(&tables, tree, &mut |visit| {
                let Visit::Table { frame, .. } = visit else { return };
                let Some(page) = tables.p2m.page_of(frame) else { return };
                let entry = paging::entry_of(&tables, self.root, physmap::address(page));
                let Some((table, index)) = entry else { return };
                let Some(table) = tables.p2m.page_of(table) else { return };
                let entry = tables.format.page_entry(frame, Protection::READ);
                // SAFETY: the table is one of this tree, which nothing has validated yet.
                unsafe { physmap::write_word(table, index as usize, entry) };
            });
        }
    }

    /// In the tree that the vCPU is on: maps the tables of this one for reading only. From here
    /// on the tree cannot be written.
    ///
    /// # Errors
    /// [`PagingError::Refused`].
    pub fn make_read_only(&mut self, memory: &mut Memory) -> Result<(), PagingError> {
        let tables = Tables { p2m: &memory.p2m, format: memory.format };
        let updates = &mut memory.updates;
        let mut result = Ok(());
        paging::visit(&tables, self.root, &mut |visit| {
            let Visit::Table { frame, .. } = visit else { return };
            let Some(page) = tables.p2m.page_of(frame) else { return };
            let entry = tables.format.page_entry(frame, Protection::READ);
            let target = crate::updates::kernel_page(physmap::address(page));
            // SAFETY: nothing but this tree's own methods writes its tables, and they do not any
            // more: `switch` is the next.
            result = result.and(unsafe { updates.push(target, entry) });
        });
        result.and_then(|()| memory.flush())
    }

    /// Has the tree validated and pinned.
    ///
    /// # Errors
    /// As `pt_pin`.
    pub fn pin(&self, memory: &Memory) -> Result<(), Error> {
        calls::pt_pin(self.root, memory.format.root_level())
    }

    /// Switches the kernel to the tree, which is pinned, and makes the tables that it was on
    /// free pages.
    ///
    /// # Errors
    /// [`PagingError::Refused`]; the kernel stays on the old tree if it was the switch.
    ///
    /// # Safety
    /// The tree maps everything that Rust code uses where the old one does.
    pub unsafe fn switch(self, memory: &mut Memory) -> Result<(), PagingError> {
        let root = RootChange::Set(self.root);
        // SAFETY: the caller answers for the tree.
        unsafe { calls::pt_switch(root, RootChange::Keep) }.map_err(PagingError::Refused)?;
        let old = core::mem::replace(&mut memory.kernel_root, self.root);
        // SAFETY: the vCPU's only kernel root is the new one.
        unsafe { retire_tables(memory, old) }
    }
}

impl Memory {
    pub(crate) fn tables(&self) -> Tables<'_> {
        Tables { p2m: &self.p2m, format: self.format }
    }
}

/// Writes tables that nothing has validated.
struct Writer<'a> {
    memory: &'a mut Memory,
}

impl TableRead for Writer<'_> {
    fn format(&self) -> Format {
        self.memory.format
    }

    fn read(&self, table: Mfn, index: u16) -> u64 {
        self.memory.tables().read(table, index)
    }
}

impl TableWrite for Writer<'_> {
    fn write(
        &mut self,
        table: Mfn,
        _level: Level,
        index: u16,
        value: u64,
    ) -> Result<(), PagingError> {
        let page = self.memory.p2m.page_of(table).ok_or(PagingError::NotMapped)?;
        // SAFETY: the page was allocated by `new_table`, is mapped writable until
        // `make_read_only`, and nothing of Rust's lies in it.
        unsafe { physmap::write_word(page, index as usize, value) };
        Ok(())
    }

    fn new_table(&mut self, _level: Level) -> Result<Mfn, PagingError> {
        let page = self.memory.allocate_zeroed().ok_or(PagingError::NoPage)?.into_pfn();
        self.memory.p2m.frame_of(page).ok_or(PagingError::NotMapped)
    }

    fn discard_table(&mut self, table: Mfn) {
        if let Some(page) = self.memory.p2m.page_of(table) {
            // SAFETY: the page is mapped writable, and its token was given up by `new_table`.
            self.memory.free(unsafe { physmap::Page::from_pfn(page) });
        }
    }
}
