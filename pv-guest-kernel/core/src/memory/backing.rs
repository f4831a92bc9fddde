//! Where pages go that are swapped out: [`Backing`], and one in memory.

use super::{Frames, Kind, Slot};
use crate::{NoPage, Pfn, Platform};
use alloc::vec::Vec;

/// The backing did not do as it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackingError;

/// A place for pages: slots of one page each, numbered from 0. A slot is read only after it was
/// written.
pub trait Backing<P: Platform> {
    /// How many slots there are.
    fn slots(&self) -> u32;

    /// Copies a page into a slot.
    ///
    /// # Errors
    /// [`BackingError`]: the page stays in memory.
    fn write(&mut self, platform: &mut P, slot: Slot, from: Pfn) -> Result<(), BackingError>;

    /// Copies a slot into a page.
    ///
    /// # Errors
    /// [`BackingError`]: whoever needed the page gets a bus error.
    fn read(&mut self, platform: &mut P, slot: Slot, to: Pfn) -> Result<(), BackingError>;
}

/// A backing in memory: pages that are set aside.
///
/// It saves no memory. It stands for a device where there is none: what it costs is a copy.
#[derive(Debug)]
pub struct MemoryBacking {
    pages: Vec<Pfn>,
}

impl MemoryBacking {
    /// Sets that many pages aside, as the kernel's.
    ///
    /// # Errors
    /// [`NoPage`]: there are not so many; none is taken.
    pub fn new(frames: &mut Frames, slots: u32) -> Result<MemoryBacking, NoPage> {
        let mut pages = Vec::with_capacity(slots as usize);
        for _ in 0..slots {
            match frames.take(Kind::Kernel) {
                Ok(page) => pages.push(page),
                Err(NoPage) => {
                    for page in pages {
                        frames.give(page);
                    }
                    return Err(NoPage);
                }
            }
        }
        Ok(MemoryBacking { pages })
    }
}

impl<P: Platform> Backing<P> for MemoryBacking {
    fn slots(&self) -> u32 {
        self.pages.len() as u32
    }

    fn write(&mut self, platform: &mut P, slot: Slot, from: Pfn) -> Result<(), BackingError> {
        let to = self.pages.get(slot.0 as usize).ok_or(BackingError)?;
        platform.copy(from, *to);
        Ok(())
    }

    fn read(&mut self, platform: &mut P, slot: Slot, to: Pfn) -> Result<(), BackingError> {
        let from = self.pages.get(slot.0 as usize).ok_or(BackingError)?;
        platform.copy(*from, to);
        Ok(())
    }
}
