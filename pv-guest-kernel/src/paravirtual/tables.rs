//! What the kernel does with the tables of its processes: changes them, has them validated,
//! takes them apart.
//!
//! # Trees that are kept
//!
//! To have a tree validated and taken apart costs the hypervisor about 4,500 instructions a
//! table, however little is in it; to clear an entry costs 170. A process that ends leaves a
//! tree whose shape the next one needs too: so small trees are emptied and kept, validated, for
//! the next address space.
#![allow(unsafe_code, reason = "page tables and the pages behind them are reached by address")]

use super::{
    reserve::{RESERVE, Reserve},
    space::{Leaf, Space, Table, same_leaf},
};
use alloc::vec::Vec;
use kernel_core::{Access, Change, NoPage, Protection, Used};
use pv_guest::{
    abi::{Mfn, PAGE_SIZE, Pfn, VirtAddr, addr::Level, calls::pte_update::Target},
    calls,
    memory::Memory,
    paging::{self, Entry, Format, PagingError, TableRead},
    physmap,
};

/// Whether the kernel sets accessed and dirty bits where the processor leaves that to it: a hart may
/// fault instead (RISC-V Privileged Architecture, 12.3.1).
const USED_BITS_BY_KERNEL: bool = cfg!(target_arch = "riscv64");

/// Entries that a kept tree may map for each of its tables: with more it is cheaper to have it
/// taken apart, and a new one validated, than to clear and write entry by entry.
const ENTRIES_PER_TABLE: usize = 24;

/// Trees that are kept at most, and tables of one.
const KEPT_TREES: usize = 4;
const KEPT_TABLES: usize = RESERVE / 2;

/// The tables of all processes.
#[derive(Debug)]
pub struct Tables {
    pub(super) format: Format,
    /// Of a level-1 entry: what it has besides the frame, by protection; and where that lies.
    flags: [u64; 4],
    frame_shift: u32,
    reserve: Reserve,
    /// Validated trees that map nothing.
    kept: Vec<Space>,
    /// Whether instructions were mapped that fetches may not see yet.
    stale_fetches: bool,
    /// Whether pages share frames. Then the entries of level 1 name pages; a table of level 1 is
    /// validated empty and filled afterwards, and what is a table does not move.
    pub(super) by_page: bool,
}

// The core's bits of a protection are the runtime's.
const _: () = {
    assert!(Protection::WRITE.bits() == paging::Protection::WRITE.bits());
    assert!(Protection::EXECUTE.bits() == paging::Protection::EXECUTE.bits());
    assert!(Protection::all().bits() < 4);
};

/// A refused update is an error of this kernel: nothing sensible goes on from there.
pub fn must<T>(result: Result<T, PagingError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("page tables of a process: {error}"),
    }
}

fn frame_of(memory: &Memory, page: Pfn) -> Mfn {
    let Some(frame) = memory.p2m().frame_of(page) else {
        panic!("page {} has no memory behind it", page.0)
    };
    frame
}

impl Tables {
    /// With a reserve of pages that are tables to the allocator, as all that `take` gives are.
    /// Whether pages share frames.
    pub fn new(memory: &Memory, by_page: bool, take: &mut dyn FnMut() -> Option<Pfn>) -> Tables {
        let format = memory.format();
        let flags = core::array::from_fn(|bits| {
            let protection = paging::Protection::from_bits_truncate(bits as u8);
            format.unused_page_entry(Mfn(0), protection)
        });
        Tables {
            format,
            flags,
            frame_shift: format.frame_shift(),
            reserve: Reserve::new(by_page, memory.p2m().pages(), take),
            kept: Vec::new(),
            stale_fetches: false,
            by_page,
        }
    }

    /// Trees that are kept for the next address spaces.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// A table of zeros in a page that `take` gives.
    fn new_table(
        &mut self,
        memory: &Memory,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<Table, NoPage> {
        let page = self.reserve.table(take)?;
        // SAFETY: the page is the platform's now, mapped writable, and nothing of Rust's is in it.
        unsafe { physmap::zero_page(page) };
        Ok(Table { page, frame: frame_of(memory, page), sealed: false })
    }

    /// An address space that maps nothing.
    pub fn new_space(
        &mut self,
        memory: &Memory,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<Space, NoPage> {
        let Some(mut space) = self.kept.pop() else {
            return self.new_table(memory, take).map(Space::new);
        };
        // Its tables count for the process from here on: as many pages go into the reserve.
        space.taken = self.reserve.add((0..space.tables()).map_while(|_| take()));
        if space.taken == 0 {
            self.kept.push(space);
            return Err(NoPage);
        }
        Ok(space)
    }

    /// Changes pages in order; how many, if there was no page for a table.
    pub fn change(
        &mut self,
        memory: &mut Memory,
        space: &mut Space,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize> {
        let mut done = 0;
        for changes in changes.chunk_by(|one, next| same_leaf(one.page, next.page)) {
            let first = changes[0].page;
            if space.leaf(first).is_none()
                && let Some(index) = changes.iter().position(|change| change.to.is_some())
            {
                self.add_tables(memory, space, first, take).map_err(|NoPage| done + index)?;
            }
            if let Some(leaf) = space.leaf(first) {
                self.change_leaf(memory, leaf, changes);
            }
            done += changes.len();
        }
        Ok(())
    }

    /// Changes pages of one level-1 table.
    fn change_leaf(&mut self, memory: &mut Memory, leaf: &mut Leaf, changes: &[Change]) {
        let table = leaf.table;
        if self.by_page {
            return self.change_leaf_by_page(memory, leaf, changes);
        }
        for change in changes {
            let index = self.format.index(Level::L1, change.page);
            let value = match change.to {
                Some((page, protection)) => {
                    self.stale_fetches |= protection.contains(Protection::EXECUTE);
                    let flags = self.flags[usize::from(protection.bits()) % self.flags.len()];
                    flags | frame_of(memory, page).0 << self.frame_shift
                }
                None if leaf.maps(index) => 0,
                None => continue,
            };
            leaf.note(index, change.to.is_some());
            write(memory, table, index, value);
        }
    }

    /// As [`change_leaf`](Self::change_leaf), where pages share frames: entries of a table that is
    /// fresh are noted, and written when it is sealed.
    #[cold]
    fn change_leaf_by_page(&mut self, memory: &mut Memory, leaf: &mut Leaf, changes: &[Change]) {
        for change in changes {
            let index = self.format.index(Level::L1, change.page);
            let was = leaf.maps(index);
            leaf.note(index, change.to.is_some());
            match change.to {
                Some((page, protection)) => {
                    self.stale_fetches |= protection.contains(Protection::EXECUTE);
                    let flags = self.flags[usize::from(protection.bits()) % self.flags.len()];
                    let value = flags | page.0 << self.frame_shift;
                    if let Some(names) = leaf.names() {
                        // SAFETY: the page is the platform's, mapped writable, and holds words.
                        unsafe { physmap::write_word(names, index.into(), value) };
                    }
                    if leaf.table.sealed {
                        write_page(memory, leaf.table, index, value);
                    }
                }
                None if was && leaf.table.sealed => write(memory, leaf.table, index, 0),
                None => {}
            }
        }
    }

    /// A page for what a fresh table of level 1, which nothing names yet, maps.
    fn names(
        &mut self,
        space: &mut Space,
        table: Table,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<Pfn, NoPage> {
        let Some(names) = take() else {
            // The table's page counts for the space, and is given back with it.
            self.reserve.retire(table.page);
            return Err(NoPage);
        };
        space.taken += 1;
        Ok(names)
    }

    /// Makes the tables that an address goes through.
    #[cold]
    #[inline(never)]
    fn add_tables(
        &mut self,
        memory: &mut Memory,
        space: &mut Space,
        address: VirtAddr,
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), NoPage> {
        assert!(address.0 < self.format.guest_end(), "{:#x} is no process's", address.0);
        let root = self.format.root_level();
        let mut parent = space.root;
        let mut level = root;
        while let Some(below) = level.below() {
            let there = if below == Level::L1 { None } else { space.upper(below, root, address) };
            parent = match there {
                Some(table) => table,
                None => {
                    let table = self.new_table(memory, take)?;
                    space.taken += 1;
                    let notes = below == Level::L1 && self.by_page;
                    let names = if notes { Some(self.names(space, table, take)?) } else { None };
                    if !parent.sealed {
                        let entry = self.format.table_entry(table.frame);
                        write(memory, parent, self.format.index(level, address), entry);
                    }
                    match below {
                        Level::L1 => space.add_leaf(address, table, names),
                        _ => space.add_upper(below, address, table),
                    }
                    table
                }
            };
            level = below;
        }
        Ok(())
    }

    /// Makes what was mapped for executing visible to fetches.
    pub fn synchronize_fetches(&mut self) {
        if core::mem::take(&mut self.stale_fetches) {
            pv_guest::arch::synchronize_instructions();
        }
    }

    /// What the processor did with a page; clears it.
    pub fn take_used(&self, memory: &mut Memory, space: &mut Space, page: VirtAddr) -> Used {
        let index = self.format.index(Level::L1, page);
        let (accessed, dirty) = self.format.used_bits();
        let Some(leaf) = space.leaf(page).filter(|leaf| leaf.maps(index)) else {
            return Used::default();
        };
        let table = leaf.table;
        let value = read(memory, table, index);
        if value & (accessed | dirty) != 0 {
            match noted(leaf, index) {
                Some(noted) => write_page(memory, table, index, noted),
                None => write(memory, table, index, value & !(accessed | dirty)),
            }
        }
        Used { accessed: value & accessed != 0, dirty: value & dirty != 0 }
    }

    /// On a processor that leaves the bits to the kernel: whether a fault was for that alone.
    /// Then they are set, and the process can go on.
    pub fn set_used(
        &self,
        memory: &mut Memory,
        space: &mut Space,
        address: u64,
        access: Access,
    ) -> bool {
        let page = VirtAddr(address & !(PAGE_SIZE - 1));
        let index = self.format.index(Level::L1, page);
        if !USED_BITS_BY_KERNEL || page.0 >= self.format.guest_end() {
            return false;
        }
        let Some(leaf) = space.leaf(page).filter(|leaf| leaf.maps(index)) else { return false };
        let (table, noted) = (leaf.table, noted(leaf, index));
        let value = read(memory, table, index);
        // What the entry of a page that shares a frame permits is not what the process may do.
        let permits = self.format.decode(Level::L1, noted.unwrap_or(value));
        let Entry::Page(_, protection) = permits else { return false };
        let (accessed, dirty) = self.format.used_bits();
        let (allowed, wanted) = match access {
            Access::Read => (true, accessed),
            Access::Write => (protection.contains(paging::Protection::WRITE), accessed | dirty),
            Access::Execute => (protection.contains(paging::Protection::EXECUTE), accessed),
        };
        if !allowed || value & wanted == wanted {
            return false;
        }
        match noted {
            Some(noted) => {
                let used = value & (accessed | dirty) | wanted;
                write_page(memory, table, index, noted | used);
            }
            None => write(memory, table, index, value | wanted),
        }
        true
    }

    /// Takes a space apart, or keeps it empty for the next.
    pub fn drop_space(&mut self, memory: &mut Memory, mut space: Space, give: &mut dyn FnMut(Pfn)) {
        let taken = space.taken;
        for fresh in space.take_fresh() {
            self.reserve.retire(fresh.table.page);
            self.reserve.add(fresh.names);
        }
        if !space.root.sealed {
            self.reserve.retire(space.root.page);
        } else if self.may_keep(&space) {
            for leaf in &mut space.leaves {
                let table = leaf.table;
                leaf.take_mapped().for_each(|index| write(memory, table, index, 0));
            }
            self.kept.push(space);
        } else {
            self.take_apart(memory, &mut space);
        }
        (0..taken).map_while(|_| self.reserve.unneeded()).for_each(give);
    }

    fn may_keep(&self, space: &Space) -> bool {
        let tables = space.tables();
        tables <= KEPT_TABLES
            && self.kept.len() < KEPT_TREES
            && self.reserve.len() >= space.taken
            && space.mapped() <= tables * ENTRIES_PER_TABLE
    }

    /// Makes the tables of a validated tree ordinary pages.
    fn take_apart(&mut self, memory: &mut Memory, space: &mut Space) {
        must(memory.flush());
        if memory.user_root() == Some(space.root.frame) {
            must(memory.set_user_root(None));
        }
        must(calls::pt_unpin(space.root.frame).map_err(PagingError::Refused));
        protect(memory, space.root, paging::Protection::WRITE);
        self.reserve.retire(space.root.page);
        for (_, _, table) in space.below_root() {
            protect(memory, *table, paging::Protection::WRITE);
            self.reserve.retire(table.page);
        }
        self.reserve.add(space.leaves.iter().filter_map(Leaf::names));
        // Whoever gets the pages writes them at once.
        must(memory.flush());
    }
}

/// An entry of a table of a process, as it is once the updates that wait are made.
fn read(memory: &mut Memory, table: Table, index: u16) -> u64 {
    let waiting = memory.updates().waiting_value(table.frame, index);
    // SAFETY: every table is mapped, for reading at least.
    waiting.unwrap_or_else(|| unsafe { physmap::read_word(table.page, usize::from(index)) })
}

/// Writes an entry of a table of a process: itself, or by an update that waits.
pub(super) fn write(memory: &mut Memory, table: Table, index: u16, value: u64) {
    if table.sealed {
        let target = Target::Entry { table: table.frame, index };
        // SAFETY: the table is a process's, in whose tree nothing of Rust's is mapped; the page
        // that the entry names is one that the kernel reaches by copies alone.
        must(unsafe { memory.updates().push(target, value) });
    } else {
        // SAFETY: a fresh table is a page of the platform's, mapped writable, of which no
        // reference is ever made.
        unsafe { physmap::write_word(table.page, usize::from(index), value) };
    }
}

/// Where pages share frames, the entry of a table as it names the page: without what the processor
/// did, and with what the process may do.
pub(super) fn noted(leaf: &Leaf, index: u16) -> Option<u64> {
    // SAFETY: the page is the platform's, and holds words.
    leaf.names().map(|names| unsafe { physmap::read_word(names, index.into()) })
}

/// Writes an entry of a sealed table of a process, which names a page.
pub(super) fn write_page(memory: &mut Memory, table: Table, index: u16, value: u64) {
    let target = Target::Entry { table: table.frame, index };
    // SAFETY: as for `write`.
    must(unsafe { memory.updates().push_page(target, value) });
}

pub(super) fn protect(memory: &mut Memory, table: Table, protection: paging::Protection) {
    // SAFETY: the page is a table's: no reference into it is ever made, and it is written only
    // while it is fresh.
    must(unsafe { memory.protect_page(table.page, protection) });
}
