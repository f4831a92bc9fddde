//! Page tables of processes: the processor walks them as the kernel writes them. The upper half of
//! every root is the kernel's own, the same in all of them.
#![allow(unsafe_code, reason = "page tables are reached by address, and loaded")]

use crate::arch;
use crate::pages::Pages;
use alloc::vec::Vec;
use bare_machine::arch::{Decoded, ROOT_LEVEL, decode_entry, flush_all, flush_page};
use bare_machine::direct_map;
use kernel_core::{Access, Change, NoPage, Pfn, Protection, Used, VirtAddr};

/// Entries of a table; the upper half of a root's are the kernel's.
const ENTRIES: u64 = 512;
/// Base-two logarithm of the bytes that a table of level 1 maps.
const PART_SHIFT: u32 = 21;
/// First address that is not for processes.
const END: u64 = 1 << (11 + 9 * ROOT_LEVEL);
/// Pages that are flushed one by one; when more are stale, everything is.
const FEW: usize = 32;

/// The page tables of one address space.
#[derive(Debug)]
pub struct Space {
    /// Machine address of the root.
    root: u64,
    /// Machine addresses of the tables below it.
    tables: Vec<u64>,
}

/// All address spaces: which of them the processor translates by, and what it may still know of
/// that one that is no longer so.
///
/// Tables are pages that the kernel gave for tables, each named by one entry above it: that is what
/// every `SAFETY` below rests on.
#[derive(Debug)]
pub struct Spaces {
    pages: Pages,
    /// Machine address of the root that the processor uses.
    loaded: u64,
    stale: [u64; FEW],
    /// How many pages are stale; more than there is room for: any may be.
    stale_count: usize,
    /// Whether fetches may not see yet what was written to pages that are mapped to be executed.
    stale_fetches: bool,
    /// What is in the upper half of every root: place and entry.
    upper_half: Vec<(u64, u64)>,
}

#[inline(always)]
fn slot(table: u64, address: u64, level: u32) -> u64 {
    table + 8 * (address >> (12 + 9 * (level - 1)) & (ENTRIES - 1))
}

fn read(slot: u64) -> u64 {
    // SAFETY: a slot of a table, see `Spaces`.
    unsafe { direct_map::read(slot) }
}

fn write(slot: u64, entry: u64) {
    // SAFETY: a slot of a table, see `Spaces`; what it maps for a process is the kernel's to decide.
    unsafe { direct_map::write(slot, entry) }
}

/// The slot of the entry that maps a page, if there are tables down to it.
fn leaf_slot(root: u64, address: u64) -> Option<u64> {
    Some(slot(leaf_table(root, address)?, address, 1))
}

/// The table of level 1 for a page, if there are tables down to it.
fn leaf_table(root: u64, address: u64) -> Option<u64> {
    let mut table = root;
    for level in (2..=ROOT_LEVEL).rev() {
        match decode_entry(read(slot(table, address, level)), level) {
            Decoded::Table(below) => table = below,
            _ => return None,
        }
    }
    Some(table)
}

impl Spaces {
    /// No process yet: the processor uses the kernel's own tables.
    pub fn new(pages: Pages) -> Spaces {
        let own = bare_machine::arch::own_root();
        let upper_half = (ENTRIES / 2..ENTRIES).map(|index| (8 * index, read(own + 8 * index)));
        Spaces {
            pages,
            loaded: own,
            stale: [0; FEW],
            stale_count: 0,
            stale_fetches: false,
            upper_half: upper_half.filter(|(_, entry)| *entry != 0).collect(),
        }
    }

    fn take(&self, take: &mut dyn FnMut() -> Option<Pfn>) -> Option<u64> {
        let page = take()?;
        self.pages.clear(page);
        Some(self.pages.address(page))
    }

    /// An address space with nothing in it.
    ///
    /// # Errors
    /// [`NoPage`], when `take` gave none.
    pub fn create(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<Space, NoPage> {
        let root = self.take(take).ok_or(NoPage)?;
        for (place, entry) in &self.upper_half {
            write(root + place, *entry);
        }
        Ok(Space { root, tables: Vec::new() })
    }

    /// Takes an address space apart; `give` gets the pages of its tables.
    pub fn destroy(&mut self, space: Space, give: &mut dyn FnMut(Pfn)) {
        // The processor may know any of its tables while it uses the root.
        if space.root == self.loaded {
            self.load(bare_machine::arch::own_root());
        }
        for table in space.tables.iter().chain([&space.root]) {
            give(self.pages.page(*table));
        }
    }

    /// Changes pages, in order.
    ///
    /// # Errors
    /// How many were changed before `take` gave no page for a table.
    pub fn change(
        &mut self,
        space: &mut Space,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize> {
        // Most changes are beside the one before: the part of the address space that one table
        // maps, and that table.
        let (mut part, mut table) = (u64::MAX, 0);
        for (index, change) in changes.iter().enumerate() {
            let address = change.page.0;
            if address >> PART_SHIFT != part {
                assert!(address < END, "{address:#x} is the kernel's");
                table = match (leaf_table(space.root, address), change.to) {
                    (Some(table), _) => table,
                    (None, None) => continue,
                    (None, Some(_)) => self.make_table(space, address, take).ok_or(index)?,
                };
                part = address >> PART_SHIFT;
            }
            let entry = match change.to {
                Some((page, protection)) => {
                    self.stale_fetches |= protection.contains(Protection::EXECUTE);
                    arch::page_entry(self.pages.address(page), protection)
                }
                None => 0,
            };
            let at = slot(table, address, 1);
            let before = read(at);
            write(at, entry);
            if before != 0 {
                self.forget(space, address);
            }
        }
        Ok(())
    }

    /// The table of level 1 for a page, with tables made down to it.
    fn make_table(
        &self,
        space: &mut Space,
        address: u64,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Option<u64> {
        let mut table = space.root;
        for level in (2..=ROOT_LEVEL).rev() {
            let at = slot(table, address, level);
            table = match decode_entry(read(at), level) {
                Decoded::Table(below) => below,
                _ => {
                    let below = self.take(take)?;
                    space.tables.push(below);
                    write(at, arch::table_entry(below));
                    below
                }
            };
        }
        Some(table)
    }

    /// What the processor did with a page; asks anew.
    pub fn take_used(&mut self, space: &mut Space, page: VirtAddr) -> Used {
        let at = leaf_slot(space.root, page.0).filter(|_| page.0 < END);
        let Some(at) = at else { return Used::default() };
        let entry = read(at);
        if matches!(decode_entry(entry, 1), Decoded::Absent) {
            return Used::default();
        }
        let used = Used { accessed: entry & arch::ACCESSED != 0, dirty: entry & arch::DIRTY != 0 };
        if used.accessed || used.dirty {
            write(at, entry & !(arch::ACCESSED | arch::DIRTY));
            // A processor that remembers the page as written does not say so again.
            self.forget(space, page.0);
        }
        used
    }

    /// Whether a fault is no matter of the kernel's: tables permit the access, but the processor
    /// does not set accessed and dirty bits by itself, or remembers that there was no entry. Then
    /// it can be tried again.
    pub fn resolve(&mut self, space: &mut Space, address: u64, access: Access) -> bool {
        if !arch::FAULTS_WITHOUT_NEED || address >= END {
            return false;
        }
        let Some(at) = leaf_slot(space.root, address) else { return false };
        let entry = read(at);
        let Decoded::Leaf { writable, executable, .. } = decode_entry(entry, 1) else {
            return false;
        };
        let used = match access {
            Access::Read => arch::ACCESSED,
            Access::Execute if executable => arch::ACCESSED,
            Access::Write if writable => arch::ACCESSED | arch::DIRTY,
            _ => return false,
        };
        write(at, entry | used);
        flush_page(address);
        true
    }

    fn forget(&mut self, space: &Space, address: u64) {
        // Going over to another root forgets everything of the one before.
        if space.root != self.loaded {
            return;
        }
        if let Some(place) = self.stale.get_mut(self.stale_count) {
            *place = address;
        }
        self.stale_count = (self.stale_count + 1).min(FEW + 1);
    }

    /// Makes the processor forget what is no longer so.
    #[inline]
    pub fn flush(&mut self) {
        match self.stale.get(..self.stale_count) {
            Some(stale) => stale.iter().for_each(|address| flush_page(*address)),
            None => flush_all(),
        }
        self.stale_count = 0;
    }

    /// Translates by an address space, as it is now. Whether it is another than before.
    #[inline]
    pub fn enter(&mut self, space: &Space) -> bool {
        let other = space.root != self.loaded;
        if other {
            self.load(space.root);
        } else if self.stale_count != 0 {
            self.flush();
        }
        if self.stale_fetches {
            arch::synchronize_fetches();
            self.stale_fetches = false;
        }
        other
    }

    fn load(&mut self, root: u64) {
        // SAFETY: the upper half of every root is the kernel's own, as `create` wrote it.
        unsafe { bare_machine::arch::load_root(root) };
        self.loaded = root;
        self.stale_count = 0;
    }
}
