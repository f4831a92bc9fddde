//! Which pages are in the swap area, and who refers to them: [`Swap`].
//!
//! A slot has one use for each entry of an address space that says "swapped, there", and it may
//! have a page in memory with the same content. One rule keeps the two the same without
//! looking at dirty bits: **a page that has a slot is writable nowhere.** Who writes it takes
//! the slot from it first ([`Swap::forget`]); entries that refer to the slot keep it, with what
//! it holds. So a page with a slot is clean, and is dropped without writing.

use super::{Backing, BackingError, Slot};
use crate::{Pfn, Platform};
use alloc::{boxed::Box, vec::Vec};
use core::num::NonZero;

/// What has been done since the start, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwapCounts {
    /// Read back (`pswpin` of Linux).
    pub read: u64,
    /// Written (`pswpout`).
    pub written: u64,
    /// Dropped without writing: the slot had them already.
    pub clean: u64,
    /// Dropped without a slot: all zero.
    pub zero: u64,
    /// Read back before as many others had gone as memory holds: they should have stayed.
    pub refaults: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Entries of address spaces that refer to it.
    entries: u32,
    /// The page in memory with its content: number + 1, or 0. Of a free slot: the next free one.
    page: u32,
    /// When its page left memory: the number of pages that had left before.
    left: u32,
}

/// The swap area.
pub struct Swap<P: Platform> {
    backing: Option<Box<dyn Backing<P>>>,
    records: Vec<Record>,
    /// Of each page: its slot + 1, or 0. Empty when there is no swap area.
    slot_of: Vec<u32>,
    /// Head of the free slots: number + 1, or 0. The others follow by `Record::page`.
    first_free: u32,
    free: u64,
    cached: u64,
    left: u32,
    counts: SwapCounts,
    /// Nanoseconds for which somebody waited for a slot to be read, since they were taken.
    waited: u64,
}

impl<P: Platform> Swap<P> {
    /// A swap area for pages `0..span`; `None` for none.
    pub(super) fn new(backing: Option<Box<dyn Backing<P>>>, span: u64) -> Swap<P> {
        let slots = backing.as_ref().map_or(0, |backing| backing.slots());
        // A slot and its successor fit in an entry.
        let slots = slots.min((1 << 28) - 1);
        let next = |slot| if slot + 1 < slots { slot + 2 } else { 0 };
        let records = (0..slots).map(|slot| Record { page: next(slot), ..Record::default() });
        Swap {
            records: records.collect(),
            slot_of: if slots > 0 { alloc::vec![0; span as usize] } else { Vec::new() },
            first_free: u32::from(slots > 0),
            free: slots.into(),
            cached: 0,
            left: 0,
            counts: SwapCounts::default(),
            waited: 0,
            backing,
        }
    }

    /// Slots in all.
    pub fn total(&self) -> u64 {
        self.records.len() as u64
    }

    /// Slots that hold nothing.
    pub fn free(&self) -> u64 {
        self.free
    }

    /// Slots whose content is in memory too.
    pub fn cached(&self) -> u64 {
        self.cached
    }

    /// What has been done.
    pub fn counts(&self) -> SwapCounts {
        self.counts
    }

    /// The slot of a page in memory.
    #[inline]
    fn slot_of(&self, page: Pfn) -> Option<Slot> {
        let slot = self.slot_of.get(page.0 as usize).copied().unwrap_or(0);
        slot.checked_sub(1).map(Slot)
    }

    /// Whether a page in memory has a slot: it is not to be written.
    #[inline]
    pub(super) fn has(&self, page: Pfn) -> bool {
        self.slot_of(page).is_some()
    }

    /// The page in memory with the content of a slot.
    pub(super) fn page_of(&self, slot: Slot) -> Option<Pfn> {
        self.records[slot.0 as usize].page.checked_sub(1).map(|page| Pfn(page.into()))
    }

    /// A page has its slot no more: it is to be written, or is free.
    #[inline]
    pub(super) fn forget(&mut self, page: Pfn) {
        if let Some(slot) = self.slot_of(page) {
            self.slot_of[page.0 as usize] = 0;
            self.cached -= 1;
            let record = &mut self.records[slot.0 as usize];
            record.page = 0;
            record.left = self.left;
            self.free_unused(slot);
        }
    }

    /// One entry more refers to a slot.
    pub(super) fn refer(&mut self, slot: Slot) {
        let record = &mut self.records[slot.0 as usize];
        // At most as many as there are entries of all address spaces, which memory limits.
        record.entries = record.entries.checked_add(1).expect("entries of a slot");
    }

    /// One entry less refers to a slot.
    pub(super) fn release(&mut self, slot: Slot) {
        let record = &mut self.records[slot.0 as usize];
        assert!(record.entries > 0, "slot {} is given back twice", slot.0);
        record.entries -= 1;
        if record.page == 0 {
            self.free_unused(slot);
        }
    }

    /// Sees to it that a page, which is writable nowhere, has a slot with its content.
    ///
    /// # Errors
    /// [`BackingError`], and the page has none: no slot is free, or the backing failed.
    pub(super) fn save(&mut self, platform: &mut P, page: Pfn) -> Result<Slot, BackingError> {
        if let Some(slot) = self.slot_of(page) {
            self.counts.clean += 1;
            return Ok(slot);
        }
        let slot = Slot(self.first_free.checked_sub(1).ok_or(BackingError)?);
        self.backing.as_mut().ok_or(BackingError)?.write(platform, slot, page)?;
        self.counts.written += 1;
        self.first_free = self.records[slot.0 as usize].page;
        self.free -= 1;
        self.attach(slot, page);
        Ok(slot)
    }

    /// Fills a page with the content of a slot, to which an entry refers. Memory has `memory`
    /// pages.
    ///
    /// # Errors
    /// [`BackingError`].
    pub(super) fn read(
        &mut self,
        platform: &mut P,
        slot: Slot,
        page: Pfn,
        memory: u64,
    ) -> Result<(), BackingError> {
        let began = platform.now();
        self.backing.as_mut().ok_or(BackingError)?.read(platform, slot, page)?;
        self.waited += platform.now().saturating_sub(began);
        self.counts.read += 1;
        let since = self.left.wrapping_sub(self.records[slot.0 as usize].left);
        self.counts.refaults += u64::from(u64::from(since) <= memory);
        Ok(())
    }

    /// Takes for how long somebody waited for slots to be read, in nanoseconds.
    pub(crate) fn take_waited(&mut self) -> Option<NonZero<u64>> {
        let waited = NonZero::new(self.waited)?;
        self.waited = 0;
        Some(waited)
    }

    /// A page with the content of a slot has that slot from now on. It is writable nowhere.
    pub(super) fn attach(&mut self, slot: Slot, page: Pfn) {
        self.records[slot.0 as usize].page = page.0 as u32 + 1;
        self.slot_of[page.0 as usize] = slot.0 + 1;
        self.cached += 1;
    }

    /// A page leaves memory; for the statistics.
    pub(super) fn note_left(&mut self, zero: bool) {
        self.left = self.left.wrapping_add(1);
        self.counts.zero += u64::from(zero);
    }

    /// Sees to free slots, if there is none: takes them from those pages in memory that alone
    /// have them.
    pub(super) fn make_room(&mut self) {
        if self.first_free != 0 {
            return;
        }
        for page in 0..self.slot_of.len() {
            let page = Pfn(page as u64);
            let unused = |slot: Slot| self.records[slot.0 as usize].entries == 0;
            if self.slot_of(page).is_some_and(unused) {
                self.forget(page);
            }
        }
    }

    /// Entries that refer to each slot, and the page in memory with its content.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, u32, Option<Pfn>)> {
        let mut pages = alloc::vec![None; self.records.len() + 1];
        for (page, slot) in self.slot_of.iter().enumerate() {
            pages[*slot as usize] = Some(Pfn(page as u64));
        }
        self.records
            .iter()
            .enumerate()
            .map(move |(slot, record)| (Slot(slot as u32), record.entries, pages[slot + 1]))
    }

    fn free_unused(&mut self, slot: Slot) {
        let record = &mut self.records[slot.0 as usize];
        if record.entries == 0 {
            record.page = self.first_free;
            self.first_free = slot.0 + 1;
            self.free += 1;
        }
    }
}

impl<P: Platform> core::fmt::Debug for Swap<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Swap {{ {} of {} slots free, {:?} }}", self.free, self.total(), self.counts)
    }
}
