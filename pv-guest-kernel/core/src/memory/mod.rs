//! Memory: pages, address spaces, faults, copy on write, swapping, and who goes when nothing
//! else helps.
//!
//! # Whose page it is
//!
//! [`Frames`] counts the uses of every page. An address space has one use of each page that it
//! has present; a file has one of each page of its content; so mapping a file maps those very
//! pages. A private page with one use is written in place; any other is copied first. That rule
//! is all of copy on write.
//!
//! # Order of giving back
//!
//! A page is given back after the change that unmaps it was handed to the platform, and the
//! pages of a whole address space after its tables are gone: what the allocator has free, no
//! table names.
//!
//! # Who serves whom
//!
//! Calls take [`Parts`]: the platform, this module's [`Memory`], and the file system as
//! [`FilePages`]. None of them reclaims on its own: they fail with [`Fault::NoMemory`] or
//! [`NoPage`], having taken nothing; and the caller, who has all address spaces, calls
//! [`reclaim`] and then tries again, or ends the process that [`oom::choose`] says when none
//! came free. It does well to reclaim [`Frames::shortfall`] pages before that, too.

mod area;
mod areas;
mod around;
#[cfg(any(test, feature = "model"))]
mod audit;
mod backing;
mod entry;
mod fault;
mod file;
mod fork;
mod frames;
mod info;
mod leaf;
mod mapping;
pub mod oom;
mod pages;
mod reclaim;
mod remap;
mod shared;
mod space;
mod swap;
mod user;

#[cfg(any(test, feature = "model"))]
pub use audit::{Outside, audit};

pub use area::{Area, FileId, Pages, Rights, SharedId, Source};
pub use backing::{Backing, BackingError, MemoryBacking};
pub use entry::Slot;
pub use fault::Fault;
pub use file::{FilePage, FilePages, NoFiles};
pub use frames::{BLOCK, Frames, Kind, MAX_PAGES, Watermarks};
pub use info::MemoryInfo;
pub use mapping::{Mapping, Place};
pub use reclaim::reclaim;
pub use remap::RemapError;
pub use space::{AddressSpace, Layout, Limits, SpaceError, SpaceId, Usage};
pub use swap::{Swap, SwapCounts};
pub use user::{StringError, UserMemory};

use crate::{Change, NoPage, Pfn, Platform};
use alloc::{boxed::Box, vec::Vec};
use areas::Held;
use leaf::Leaves;
use shared::SharedObjects;

/// Changes that are handed to the platform at once at most.
const BATCH: usize = 512;

/// How the kernel treats memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Leaves of 512 entries, of about 2 KiB of the kernel's heap each, that all address spaces
    /// have together at most. A process needs one for each 2 MiB in which it has pages.
    pub leaves: usize,
    /// Areas that all address spaces have together at most: they are the kernel's heap, too. One
    /// of them has a quarter at most.
    pub areas: usize,
    /// Page tables at most.
    pub tables: u64,
    /// Pages of a file that one fault maps at most, when the file has them in memory: a power
    /// of two, 1 for only the one that is needed.
    pub around: u64,
    /// Pages of zeros that one fault maps at most, in memory that a process fills in order, when
    /// there are plenty: a power of two, 1 for only the one that is needed.
    pub ahead: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { leaves: 1024, areas: 16384, tables: 1 << 20, around: 16, ahead: 4 }
    }
}

/// The memory of the kernel and of all processes.
#[derive(Debug)]
pub struct Memory<P: Platform> {
    /// The pages.
    pub frames: Frames,
    /// The swap area.
    pub swap: Swap<P>,
    settings: Settings,
    leaves: Leaves,
    /// Areas of all address spaces.
    areas: usize,
    shared: SharedObjects,
    /// A page of zeros, which is mapped and never written.
    zero: Pfn,
    next_space: u64,
    /// The address space that is looked at next for pages to swap out.
    clock: SpaceId,
    /// Changes of one address space on their way to the platform, and pages to give back when
    /// they are there.
    changes: Vec<Change>,
    released: Vec<Pfn>,
    /// Changes that fill the tables of a child.
    filling: Vec<Change>,
}

impl<P: Platform> Memory<P> {
    /// Memory of these pages; sets watermarks if they have none. Pages are swapped to
    /// `backing`, if there is one.
    ///
    /// # Errors
    /// [`NoPage`]: there is none at all.
    ///
    /// # Panics
    /// If [`Settings::around`] or [`Settings::ahead`] is no power of two, or above 512.
    pub fn new(
        platform: &mut P,
        mut frames: Frames,
        settings: Settings,
        backing: Option<Box<dyn Backing<P>>>,
    ) -> Result<Memory<P>, NoPage> {
        for pages in [settings.around, settings.ahead] {
            assert!(
                pages.is_power_of_two() && pages <= BATCH as u64,
                "a fault maps a power of two of pages, at most {BATCH}, not {pages}"
            );
        }
        if frames.watermarks().high == 0 {
            frames.set_watermarks(Watermarks::for_pages(frames.total()));
        }
        frames.set_table_limit(settings.tables);
        let zero = frames.take(Kind::Kernel)?;
        platform.clear(zero);
        let swap = Swap::new(backing, frames.span());
        Ok(Memory {
            frames,
            swap,
            settings,
            leaves: Leaves::new(settings.leaves),
            areas: 0,
            shared: SharedObjects::default(),
            zero,
            next_space: 0,
            clock: SpaceId(0),
            changes: Vec::with_capacity(BATCH),
            released: Vec::with_capacity(BATCH),
            filling: Vec::with_capacity(BATCH),
        })
    }

    /// Sets the watermarks for the pages that have memory now, which the balloon changes.
    pub(crate) fn refit_watermarks(&mut self) {
        self.frames.set_watermarks(Watermarks::for_pages(self.frames.total()));
    }

    /// Whether there may be so many areas more.
    pub(crate) fn has_room_for_areas(&self, more: usize) -> bool {
        self.areas + more <= self.settings.areas
    }

    /// One use less of a page.
    #[inline]
    fn give(&mut self, page: Pfn) {
        if self.frames.give(page) {
            self.swap.forget(page);
        }
    }

    /// Hands the changes that were gathered to the platform, and gives back the pages that
    /// waited for it. They take mappings away, or away from them, for which no table is needed.
    fn apply(&mut self, platform: &mut P, tables: &mut P::Space) {
        if !self.changes.is_empty() {
            let done = platform.change(tables, &self.changes, &mut || None);
            assert!(done.is_ok(), "the platform wants a table to take a mapping away");
            self.changes.clear();
        }
        while let Some(page) = self.released.pop() {
            self.give(page);
        }
    }
}

/// Whether a page of a private area is its only user's to write. If it has a slot, it must lose
/// that first.
#[inline]
fn is_exclusive(frames: &Frames, page: Pfn) -> bool {
    frames.uses(page) == 1 && frames.kind(page) == Kind::Anonymous
}

/// Whether a page in an area can be mapped writable at once.
#[inline]
fn may_write<P: Platform>(frames: &Frames, swap: &Swap<P>, area: &Area, page: Pfn) -> bool {
    area.rights.contains(Rights::WRITE)
        && (area.shared || is_exclusive(frames, page) && !swap.has(page))
}

/// The parts of the kernel that an address space works with.
pub struct Parts<'a, P: Platform> {
    /// The machine.
    pub platform: &'a mut P,
    /// The memory.
    pub memory: &'a mut Memory<P>,
    /// The file system.
    pub files: &'a mut dyn FilePages<P>,
}

impl<P: Platform> Parts<'_, P> {
    /// The same, lent on.
    pub fn lend(&mut self) -> Parts<'_, P> {
        Parts { platform: self.platform, memory: self.memory, files: self.files }
    }

    /// Counts the areas that there are, and those that refer to a source.
    fn hold(&mut self, source: Source, held: Held) {
        let memory = &mut *self.memory;
        match held {
            Held::More => memory.areas += 1,
            Held::Less => memory.areas -= 1,
        }
        match (source, held) {
            (Source::Anonymous, _) => (),
            (Source::File { file, .. }, Held::More) => self.files.keep(file),
            (Source::File { file, .. }, Held::Less) => {
                self.files.release(self.platform, &mut memory.frames, file);
            }
            (Source::Shared { object, .. }, Held::More) => memory.shared.keep(object),
            (Source::Shared { object, .. }, Held::Less) => {
                memory.shared.release(object, &mut memory.frames, &mut memory.leaves);
            }
        }
    }
}
