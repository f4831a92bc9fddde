//! Pages that the tables of processes have in reserve: they stand in for those of trees that are kept, so
//! that the kernel has as many back as it gave; which they are does not matter, as all of them are tables
//! to its allocator.
//!
//! Where pages share frames a table must be in a page whose frame stays, which takes two calls, and one more
//! to let it move again. So pages that were tables stay as they are, and are the next tables: others are
//! given back in their place.

use super::sharing;
use alloc::vec::Vec;
use kernel_core::NoPage;
use pv_guest::abi::Pfn;

/// Pages of the reserve: what is kept for the next address spaces at most.
pub const RESERVE: usize = 32;

/// Where pages share frames there is one page of the reserve for so many of memory, within these bounds.
const MEMORY_A_RESERVED: u64 = 128;
const MOST_RESERVED: usize = 128;

/// The reserve.
#[derive(Debug)]
pub struct Reserve {
    /// Whether pages share frames.
    shares: bool,
    /// Ordinary pages, nobody's else.
    spares: Vec<Pfn>,
    /// The same that were tables before, where pages share frames: each has a frame of its own still. At
    /// most so many are left so when others can be given back.
    unshared: Vec<Pfn>,
    most_unshared: usize,
    /// A page that was taken for a table and could not become one, as the hypervisor had no frame
    /// for it alone: the next table's. Tables are the only ones that ask, so there is one at most.
    frameless: Option<Pfn>,
}

impl Reserve {
    /// Of pages that `take` gives, for a memory of so many; whether pages share frames.
    pub fn new(shares: bool, memory: u64, take: &mut dyn FnMut() -> Option<Pfn>) -> Reserve {
        let count = if shares {
            RESERVE.max((memory / MEMORY_A_RESERVED) as usize).min(MOST_RESERVED)
        } else {
            RESERVE
        };
        Reserve {
            shares,
            spares: (0..count).map_while(|_| take()).collect(),
            unshared: Vec::new(),
            most_unshared: count,
            frameless: None,
        }
    }

    /// How many pages there are.
    pub fn len(&self) -> usize {
        self.spares.len() + self.unshared.len()
    }

    /// Adds ordinary pages: how many.
    pub fn add(&mut self, pages: impl IntoIterator<Item = Pfn>) -> usize {
        let before = self.spares.len();
        self.spares.extend(pages);
        self.spares.len() - before
    }

    /// A page that may become a table; one that `take` gives comes in for it, or is it.
    pub fn table(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<Pfn, NoPage> {
        let page = self.frameless.take().or_else(take).ok_or(NoPage)?;
        if !self.shares {
            return Ok(page);
        }
        if let Some(unshared) = self.unshared.pop() {
            self.spares.push(page);
            return Ok(unshared);
        }
        if sharing::keep(page) {
            return Ok(page);
        }
        match self.spares.iter_mut().rev().find(|spare| sharing::keep(**spare)) {
            Some(spare) => Ok(core::mem::replace(spare, page)),
            None => {
                self.frameless = Some(page);
                Err(NoPage)
            }
        }
    }

    /// Adds the page of a table that is none any more.
    pub fn retire(&mut self, table: Pfn) {
        if self.shares { &mut self.unshared } else { &mut self.spares }.push(table);
    }

    /// A page to give back: one that may share its frame, unless more than enough may not.
    pub fn unneeded(&mut self) -> Option<Pfn> {
        if self.unshared.len() <= self.most_unshared
            && let Some(page) = self.spares.pop()
        {
            return Some(page);
        }
        let Some(page) = self.unshared.pop() else { return self.spares.pop() };
        sharing::offer(page);
        Some(page)
    }
}
