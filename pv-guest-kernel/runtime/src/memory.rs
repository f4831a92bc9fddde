//! The guest's memory: the P2M, the free pages, the page tables that the vCPU is on.
#![allow(unsafe_code, reason = "pages and page tables are reached by address")]

use crate::{
    calls,
    p2m::{MapConflict, P2m},
    pages::PageAllocator,
    paging::{self, Format, PagingError, Protection, TableRead, TableWrite, Visit},
    physmap::{self, Page},
    updates::{Updates, kernel_page},
};
use core::sync::atomic::{AtomicBool, Ordering};
use hypercall_abi::{
    Error, Mfn, PAGE_SIZE, Pfn, VirtAddr,
    addr::{Level, TABLE_ENTRIES},
    calls::{pt_switch::RootChange, pte_update::Target},
    start_info::{PageTableFormat, StartInfo},
};

/// All of the guest's memory. There is one.
#[derive(Debug)]
pub struct Memory {
    pub(crate) info: &'static StartInfo,
    pub(crate) p2m: P2m<'static>,
    pub(crate) pages: PageAllocator<'static>,
    pub(crate) format: Format,
    pub(crate) kernel_root: Mfn,
    pub(crate) user_root: Option<Mfn>,
    pub(crate) updates: Updates,
    /// Slots of the area for grants that are in use, see [`grants`](crate::grants).
    pub(crate) grant_slots: u64,
}

/// Why the memory cannot be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryError {
    /// It has been taken already.
    Taken,
    /// This runtime knows no page-table format of that number.
    UnknownFormat(u64),
    /// There are too few free pages for the runtime's own structures.
    TooSmall,
    /// What stands where the P2M should be is no map.
    BadMap(MapConflict),
}

impl core::fmt::Display for MemoryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            MemoryError::Taken => f.write_str("the guest's memory has been taken already"),
            MemoryError::UnknownFormat(number) => {
                write!(f, "page-table format {number} is unknown to this kernel")
            }
            MemoryError::TooSmall => f.write_str("too few free pages for the kernel's own maps"),
            MemoryError::BadMap(conflict) => write!(f, "the P2M is no map: {conflict:?}"),
        }
    }
}

impl core::error::Error for MemoryError {}

impl Memory {
    /// Takes the guest's memory over: indexes the P2M, makes the pages from `free_pfn` on free.
    ///
    /// # Errors
    /// See [`MemoryError`].
    pub fn take(info: &'static StartInfo) -> Result<Memory, MemoryError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Err(MemoryError::Taken);
        }
        let format = PageTableFormat::new(info.page_table_format)
            .ok_or(MemoryError::UnknownFormat(info.page_table_format))?;
        // Pages beyond those that it starts with are holes, until the balloon fills them.
        let most = info.max_frames.max(info.frames);
        let words = PageAllocator::words_for(most);
        let slots = P2m::index_slots(most);
        let bitmap_pages = (words as u64 * 8).div_ceil(PAGE_SIZE);
        let index_pages = (slots as u64 * 4).div_ceil(PAGE_SIZE);
        let index_pfn = Pfn(info.free_pfn.0 + bitmap_pages);
        let first_free = index_pfn.0 + index_pages;
        if first_free >= info.frames {
            return Err(MemoryError::TooSmall);
        }
        // SAFETY: the start information says that the P2M lies there and that nothing uses
        // the pages from `free_pfn` on, all mapped writable; they are taken once, here. Zeroed or
        // not, every pattern is a value of these types.
        let (frames, index, words) = unsafe {
            (
                slice(info.p2m_pfn, most as usize),
                slice(index_pfn, slots),
                slice(info.free_pfn, words),
            )
        };
        let p2m = P2m::new(frames, index).map_err(MemoryError::BadMap)?;
        let mut pages = PageAllocator::new(words, most);
        for page in first_free..info.frames {
            // The allocator is new: no page is free twice.
            let _ = pages.give(Pfn(page));
        }
        Ok(Memory {
            info,
            p2m,
            pages,
            format: Format::new(format),
            kernel_root: info.root,
            user_root: None,
            updates: Updates::new(),
            grant_slots: 0,
        })
    }

    /// The map of pages to frames.
    pub fn p2m(&self) -> &P2m<'static> {
        &self.p2m
    }

    /// Gives a hole a frame, which is mapped nowhere: for a kernel whose own allocator chooses
    /// the hole.
    ///
    /// # Errors
    /// As [`P2m::fill_hole`].
    pub fn back_hole(&mut self, page: Pfn, frame: Mfn) -> Result<(), MapConflict> {
        self.p2m.fill_hole(page, frame)
    }

    /// Pages that are free.
    pub fn free_pages(&self) -> u64 {
        self.pages.free_pages()
    }

    /// Root of the page tables that the kernel runs on.
    pub fn kernel_root(&self) -> Mfn {
        self.kernel_root
    }

    /// Registers the P2M, so that the hypervisor can change which frames back pages that
    /// [`let_move`](Self::let_move) names and that are advised to be shared.
    ///
    /// # Errors
    /// As `p2m_register`: a part may be registered then.
    pub fn register_p2m(&mut self) -> Result<(), Error> {
        /// Frames that one call registers.
        const FRAMES: usize = 64;
        let first = self.info.p2m_pfn.0;
        let end = first + self.p2m.pages().div_ceil(TABLE_ENTRIES);
        let mut frames = heapless::Vec::<Mfn, FRAMES>::new();
        for page in first..end {
            // There is room: it is emptied when it is full.
            let _ = frames.push(self.p2m.frame_of(Pfn(page)).unwrap_or(Mfn::NONE));
            if frames.is_full() || page + 1 == end {
                // SAFETY: the slots are read and written as atomics, each time that one is needed.
                unsafe { calls::p2m_register(&frames) }?;
                frames.clear();
            }
        }
        self.updates.name_pages(self.format);
        Ok(())
    }

    /// Pages that may be advised to be shared from now on. They are mapped by
    /// [`Updates::push_page`], and the numbers of their frames used only after
    /// [`calls::keep_page`]; they are found by their frames no more.
    pub fn let_move(&mut self, pages: impl IntoIterator<Item = Pfn>) {
        pages.into_iter().for_each(|page| self.p2m.let_move(page));
    }

    /// Updates of page tables that wait; [`user::run`](crate::user::run) makes them on its way.
    pub fn updates(&mut self) -> &mut Updates {
        &mut self.updates
    }

    /// Makes the updates that wait.
    ///
    /// # Errors
    /// [`PagingError::Refused`].
    pub fn flush(&mut self) -> Result<(), PagingError> {
        self.updates.flush()
    }

    /// A page, with whatever was in it before.
    pub fn allocate(&mut self) -> Option<Page> {
        let page = self.pages.take()?;
        // SAFETY: free pages have a frame, are mapped writable, and are nobody's.
        Some(unsafe { Page::from_pfn(page) })
    }

    /// A page of zeros.
    pub fn allocate_zeroed(&mut self) -> Option<Page> {
        let mut page = self.allocate()?;
        page.zero();
        Some(page)
    }

    /// `count` pages that follow one another, for good: the first.
    pub fn allocate_contiguous(&mut self, count: u64) -> Option<Pfn> {
        self.pages.take_contiguous(count)
    }

    /// Takes all free pages but `keep`, the highest first.
    pub fn allocate_all_but(&mut self, keep: u64, mut each: impl FnMut(Page)) {
        self.pages.take_all_but(keep, |page| {
            // SAFETY: free pages have a frame, are mapped writable, and are nobody's.
            each(unsafe { Page::from_pfn(page) });
        });
    }

    /// Root of the page tables that processes run on.
    pub fn user_root(&self) -> Option<Mfn> {
        self.user_root
    }

    /// Makes a validated tree the one that processes run on, or none; no call if it is that
    /// already.
    ///
    /// # Errors
    /// [`PagingError::Refused`].
    pub fn set_user_root(&mut self, root: Option<Mfn>) -> Result<(), PagingError> {
        if self.user_root != root {
            let change = root.map_or(RootChange::Clear, RootChange::Set);
            // SAFETY: the kernel's root stays.
            unsafe { calls::pt_switch(RootChange::Keep, change) }.map_err(PagingError::Refused)?;
            self.user_root = root;
        }
        Ok(())
    }

    /// Takes a page back.
    pub fn free(&mut self, page: Page) {
        let result = self.pages.give(page.into_pfn());
        debug_assert!(result.is_ok(), "a page has one token: {result:?}");
    }

    /// The frame and the protection of an address of the kernel.
    pub fn find(&self, address: VirtAddr) -> Option<(Mfn, Protection)> {
        paging::find(self, self.kernel_root, address)
    }

    /// Changes how a page is mapped in the kernel's own map of memory; made with the next
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`PagingError::NotMapped`] for a hole, [`PagingError::Refused`].
    ///
    /// # Safety
    /// Rust code does not rely on what the new protection forbids.
    pub unsafe fn protect_page(
        &mut self,
        page: Pfn,
        protection: Protection,
    ) -> Result<(), PagingError> {
        let frame = self.p2m.frame_of(page).ok_or(PagingError::NotMapped)?;
        let entry = self.format.page_entry(frame, protection);
        // SAFETY: the caller answers for the protection.
        unsafe { self.updates.push(kernel_page(physmap::address(page)), entry) }
    }

    /// Makes the tables of a tree that is no page table any more ordinary pages: mapped
    /// writable and free. With `and_pages` the pages that it maps become free too, if they
    /// are the guest's own.
    ///
    /// # Safety
    /// The tree is not validated any more, and nothing else uses its tables and, with
    /// `and_pages`, what it maps.
    pub(crate) unsafe fn release_tree(
        &mut self,
        root: Mfn,
        and_pages: bool,
    ) -> Result<(), PagingError> {
        self.flush()?;
        let tables = Tables { p2m: &self.p2m, format: self.format };
        let mut result = Ok(());
        let updates = &mut self.updates;
        paging::visit(&tables, root, &mut |visit| {
            let Visit::Table { frame, .. } = visit else { return };
            let Some(page) = tables.p2m.page_of(frame) else { return };
            let entry = tables.format.page_entry(frame, Protection::WRITE);
            // SAFETY: the page gains a permission, and nothing uses it.
            let pushed = unsafe { updates.push(kernel_page(physmap::address(page)), entry) };
            result = result.and(pushed);
        });
        result.and_then(|()| self.updates.flush())?;
        let pages = &mut self.pages;
        paging::visit(&tables, root, &mut |visit| {
            let frame = match visit {
                Visit::Table { frame, .. } => frame,
                Visit::Page { frame, .. } if and_pages => frame,
                Visit::Page { .. } => return,
            };
            if let Some(page) = tables.p2m.page_of(frame) {
                let given = pages.give(page);
                debug_assert!(given.is_ok(), "a page is used once: {given:?}");
            }
        });
        Ok(())
    }
}

/// Reads tables of the guest's own.
pub(crate) struct Tables<'a> {
    pub(crate) p2m: &'a P2m<'static>,
    pub(crate) format: Format,
}

impl TableRead for Tables<'_> {
    fn format(&self) -> Format {
        self.format
    }

    fn read(&self, table: Mfn, index: u16) -> u64 {
        match self.p2m.page_of(table) {
            // SAFETY: every page that has a frame and is used as a table is mapped.
            Some(page) => unsafe { physmap::read_word(page, index as usize) },
            None => 0,
        }
    }
}

/// The validated trees, as they will be when the waiting updates are made.
impl TableRead for Memory {
    fn format(&self) -> Format {
        self.format
    }

    fn read(&self, table: Mfn, index: u16) -> u64 {
        let tables = Tables { p2m: &self.p2m, format: self.format };
        self.updates.waiting_value(table, index).unwrap_or_else(|| tables.read(table, index))
    }
}

/// Writes validated tables, through the hypervisor.
pub(crate) struct Validated<'a> {
    memory: &'a mut Memory,
}

impl Memory {
    /// The validated trees, for writing.
    ///
    /// # Safety
    /// As for [`calls::pte_update`].
    pub(crate) unsafe fn validated(&mut self) -> Validated<'_> {
        Validated { memory: self }
    }
}

impl TableRead for Validated<'_> {
    fn format(&self) -> Format {
        self.memory.format
    }

    fn read(&self, table: Mfn, index: u16) -> u64 {
        self.memory.read(table, index)
    }
}

impl TableWrite for Validated<'_> {
    fn write(
        &mut self,
        table: Mfn,
        _level: Level,
        index: u16,
        value: u64,
    ) -> Result<(), PagingError> {
        // SAFETY: whoever made `self` answers for the entry.
        unsafe { self.memory.updates.push(Target::Entry { table, index }, value) }
    }

    fn new_table(&mut self, _level: Level) -> Result<Mfn, PagingError> {
        let page = self.memory.allocate_zeroed().ok_or(PagingError::NoPage)?.into_pfn();
        let frame = self.memory.p2m.frame_of(page).ok_or(PagingError::NotMapped)?;
        // SAFETY: the token of the page was given up, nothing writes it any more. The entry that
        // names the table comes behind this update, and validates it.
        unsafe { self.memory.protect_page(page, Protection::READ) }?;
        Ok(frame)
    }

    fn discard_table(&mut self, table: Mfn) {
        let Some(page) = self.memory.p2m.page_of(table) else { return };
        // SAFETY: the page gains a permission, and nothing uses it.
        let writable = unsafe { self.memory.protect_page(page, Protection::WRITE) };
        if writable.and_then(|()| self.memory.flush()).is_ok() {
            // SAFETY: the page is mapped writable again, and its token was given up.
            self.memory.free(unsafe { Page::from_pfn(page) });
        }
    }
}

/// Elements that lie one after another from the start of a page.
///
/// # Safety
/// The pages are mapped writable, hold values of `T`, and are used by nothing else.
unsafe fn slice<T>(page: Pfn, count: usize) -> &'static mut [T] {
    // SAFETY: the caller answers for the pages; a page is aligned for every `T` used here.
    unsafe { core::slice::from_raw_parts_mut(physmap::address(page).0 as *mut T, count) }
}

/// Takes the kernel's boot page tables, or others that it does not run on any more, apart.
///
/// # Errors
/// [`PagingError::Refused`] by `pt_unpin`.
///
/// # Safety
/// No root names the tree.
pub unsafe fn retire_tables(memory: &mut Memory, root: Mfn) -> Result<(), PagingError> {
    calls::pt_unpin(root).map_err(PagingError::Refused)?;
    // SAFETY: nothing named the tree but the pin.
    unsafe { memory.release_tree(root, false) }
}
