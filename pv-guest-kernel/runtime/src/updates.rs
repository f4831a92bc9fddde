//! Page-table updates that travel together.
#![allow(unsafe_code, reason = "an update can take away memory that Rust code uses")]

use crate::{argument, calls, paging::PagingError};
use heapless::Vec;
use hypercall_abi::{
    Mfn, VirtAddr,
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
}

/// The bit of a target in the filter.
fn filter_bit(target: TargetBits) -> u64 {
    1 << ((target.0 >> 3) % 64)
}

impl Updates {
    /// None.
    pub const fn new() -> Updates {
        Updates { waiting: Vec::new(), filter: 0 }
    }

    /// Adds an update; makes those before it if there is no room.
    ///
    /// # Errors
    /// What [`flush`](Self::flush) returns; the new one is dropped as well then.
    ///
    /// # Safety
    /// As for [`calls::pte_update`], from now until the updates are made.
    pub unsafe fn push(&mut self, target: Target, value: u64) -> Result<(), PagingError> {
        if self.waiting.is_full() {
            self.flush()?;
        }
        let update = Update::new(target, value);
        self.filter |= filter_bit(update.target);
        // There is room now.
        let _ = self.waiting.push(update);
        Ok(())
    }

    /// The value that an entry will have, if an update of it waits.
    pub fn waiting_value(&self, table: Mfn, index: u16) -> Option<u64> {
        let target = Target::Entry { table, index }.encode();
        if self.filter & filter_bit(target) == 0 {
            return None;
        }
        let mut found = self.waiting.iter().rev().filter(|update| update.target == target);
        found.next().map(|update| update.value)
    }

    /// Makes the updates.
    ///
    /// # Errors
    /// [`PagingError::Refused`]: those before the refused one took effect, it and those after it
    /// are dropped.
    pub fn flush(&mut self) -> Result<(), PagingError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        // SAFETY: whoever pushed them answers for them.
        let result = unsafe { calls::pte_update(&self.waiting) };
        self.clear();
        result.map(drop).map_err(|partial| PagingError::Refused(partial.error))
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.filter = 0;
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes the updates into the argument frame; how many there are. None waits then.
    pub(crate) fn store(&mut self) -> u64 {
        let count = self.waiting.len() as u64;
        if count != 0 {
            argument::store(&self.waiting);
            self.clear();
        }
        count
    }
}

/// The entry of the kernel's own map for a page, flushed after the update.
pub(crate) fn kernel_page(address: VirtAddr) -> Target {
    Target::Page { space: Space::Kernel, address, flush: true }
}
