//! Page-table updates that travel together.
#![allow(unsafe_code, reason = "an update can take away memory that Rust code uses")]

use crate::{
    argument,
    calls::{self, Partial},
    paging::{Entry, Format, PagingError},
};
use heapless::Vec;
use hypercall_abi::{
    Error, Mfn, Pfn, VirtAddr,
    addr::Level,
    calls::pte_update::{MAX_UPDATES, Space, Target, TargetBits, Update},
};

const CAPACITY: usize = MAX_UPDATES as usize;

/// Updates that wait. They are made in order by [`flush`](Self::flush), or on the way into a
/// process by [`user::run`](crate::user::run).
#[derive(Debug, Default)]
pub struct Updates {
    waiting: Vec<Update, CAPACITY>,
    /// A bit for each waiting target, at a place that many share: what has none is not waiting.
    filter: u64,
    /// The format of entries, once some name pages.
    by_page: Option<Format>,
}

/// The bit of a target in the filter.
fn filter_bit(target: TargetBits) -> u64 {
    1 << ((target.0 >> 3) % 64)
}

impl Updates {
    /// None.
    pub const fn new() -> Updates {
        Updates { waiting: Vec::new(), filter: 0, by_page: None }
    }

    /// Adds an update; makes those before it if there is no room.
    ///
    /// # Errors
    /// What [`flush`](Self::flush) returns; the new one is dropped as well then.
    ///
    /// # Safety
    /// As for [`calls::pte_update`], from now until the updates are made.
    #[inline]
    pub unsafe fn push(&mut self, target: Target, value: u64) -> Result<(), PagingError> {
        self.add(Update::new(target, value))
    }

    /// Adds an update that maps a page, whatever frame backs it: the frame field of `value` holds
    /// the page's number.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Safety
    /// As for [`push`](Self::push).
    #[inline]
    pub unsafe fn push_page(&mut self, target: Target, value: u64) -> Result<(), PagingError> {
        self.add(Update::of_page(target, value))
    }

    #[inline]
    fn add(&mut self, update: Update) -> Result<(), PagingError> {
        if self.waiting.is_full() {
            self.flush()?;
        }
        self.filter |= filter_bit(update.target);
        // There is room now.
        let _ = self.waiting.push(update);
        Ok(())
    }

    /// Some updates name pages from now on.
    pub(crate) fn name_pages(&mut self, format: Format) {
        self.by_page = Some(format);
    }

    /// The value that an entry will have, if an update of it waits; where that names a page, its
    /// number stands for the frame's.
    pub fn waiting_value(&self, table: Mfn, index: u16) -> Option<u64> {
        let target = Target::Entry { table, index }.encode();
        if self.filter & filter_bit(target) == 0 {
            return None;
        }
        let by_page = target.naming_page();
        let is_it = |update: &&Update| update.target == target || update.target == by_page;
        let mut found = self.waiting.iter().rev().filter(is_it);
        found.next().map(|update| update.value)
    }

    /// Makes the updates.
    ///
    /// # Errors
    /// [`PagingError::Refused`]: those before the refused one took effect, it and those after it
    /// are dropped.
    pub fn flush(&mut self) -> Result<(), PagingError> {
        while !self.waiting.is_empty() {
            // SAFETY: whoever pushed them answers for them.
            match unsafe { calls::pte_update(&self.waiting) } {
                Ok(_) => self.made(),
                Err(refusal) => self.refused(refusal).map_err(PagingError::Refused)?,
            }
        }
        Ok(())
    }

    /// Those that wait were made.
    pub(crate) fn made(&mut self) {
        self.waiting.clear();
        self.filter = 0;
    }

    /// One was refused after so many were made. If the page that it names can be mapped otherwise, it
    /// and those after it wait still, to be made.
    ///
    /// # Errors
    /// The refusal; none waits then.
    #[cold]
    pub(crate) fn refused(&mut self, refusal: Partial) -> Result<(), Error> {
        let made = self.waiting.len().min(refusal.done as usize);
        self.waiting.drain(..made);
        if refusal.error == Error::QuotaExceeded && self.keep_page() {
            return Ok(());
        }
        self.made();
        Err(refusal.error)
    }

    /// Gives the page that the first update names a frame of its own for good: more entries map it than
    /// the hypervisor remembers of a page that shares one.
    fn keep_page(&self) -> bool {
        let update = self.waiting.first().filter(|update| update.target.by_page().is_some());
        let Some((format, update)) = self.by_page.zip(update) else { return false };
        let Entry::Page(number, _) = format.decode(Level::L1, update.value) else { return false };
        calls::keep_page(Pfn(number.0)).is_ok()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes the updates into the argument frame; how many there are.
    pub(crate) fn store(&self) -> u64 {
        if !self.waiting.is_empty() {
            argument::store(&self.waiting);
        }
        self.waiting.len() as u64
    }
}

/// The entry of the kernel's own map for a page, flushed after the update.
pub(crate) fn kernel_page(address: VirtAddr) -> Target {
    Target::Page { space: Space::Kernel, address, flush: true }
}
