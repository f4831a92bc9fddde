//! The page tables of a process: which there are, and how one gets at the entry of a page.
//!
//! A table is *fresh* until its process runs: ordinary memory, which the kernel writes itself.
//! When the process is about to run every fresh table is *sealed*: read-only for the kernel, and
//! validated by the hypervisor, from the topmost entry that names fresh tables. From then on
//! its entries change by updates alone, which travel with the next call.
//!
//! Validation counts references entry by entry; what is filled in before costs half of what an
//! update costs, and no call.

use alloc::vec::Vec;
use core::num::NonZero;
use pv_guest::abi::{Mfn, Pfn, VirtAddr, addr::Level};

/// Base-two logarithm of the bytes that a level-1 table maps.
const REGION_SHIFT: u32 = 21;

/// A page that is a table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The page.
    pub page: Pfn,
    /// Its machine frame.
    pub frame: Mfn,
    /// Whether the hypervisor has validated it.
    pub sealed: bool,
}

/// A table between the root and level 1.
#[derive(Debug)]
pub struct Upper {
    /// Its level, 2 or more.
    pub level: Level,
    /// Addresses that it maps have this above the bits that it and the levels below decode.
    pub prefix: u64,
    /// The table.
    pub table: Table,
}

/// A level-1 table.
#[derive(Debug)]
pub struct Leaf {
    /// Which 2 MiB it maps.
    pub region: u64,
    /// The table.
    pub table: Table,
    /// A bit for each entry that maps something.
    present: [u64; 8],
    /// Where pages share frames: the page in which it is noted what each entry maps.
    names: Option<NonZero<u32>>,
}

impl Leaf {
    /// Whether an entry maps something.
    pub fn maps(&self, index: u16) -> bool {
        self.present[usize::from(index) / 64] >> (index % 64) & 1 != 0
    }

    /// Notes what an entry will be.
    pub fn note(&mut self, index: u16, maps: bool) {
        let word = &mut self.present[usize::from(index) / 64];
        let bit = 1 << (index % 64);
        *word = if maps { *word | bit } else { *word & !bit };
    }

    /// The page in which it is noted what each entry maps: a word for each. None where pages do
    /// not share frames.
    pub fn names(&self) -> Option<Pfn> {
        self.names.map(|page| Pfn(page.get().into()))
    }

    /// The entries that map something.
    pub fn mapping(&self) -> impl Iterator<Item = u16> + use<> {
        set_bits(self.present)
    }

    /// How many entries map something.
    pub fn mapped(&self) -> usize {
        self.present.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The entries that map something; afterwards none is noted.
    pub fn take_mapped(&mut self) -> impl Iterator<Item = u16> {
        set_bits(core::mem::take(&mut self.present))
    }
}

fn set_bits(words: [u64; 8]) -> impl Iterator<Item = u16> {
    words.into_iter().enumerate().flat_map(|(word, bits)| {
        core::iter::successors(Some(bits), |bits| Some(bits & bits.wrapping_sub(1)))
            .take_while(|bits| *bits != 0)
            .map(move |bits| word as u16 * 64 + bits.trailing_zeros() as u16)
    })
}

/// An address space of a process, in which the kernel does not appear.
#[derive(Debug)]
pub struct Space {
    /// The root.
    pub root: Table,
    /// Every table between, those of a lower level first, then by prefix.
    pub uppers: Vec<Upper>,
    /// Every level-1 table, by region.
    pub leaves: Vec<Leaf>,
    /// The level-1 table that was found last.
    last: usize,
    /// Pages that were taken for its tables, and that are to be given back.
    pub taken: usize,
    /// Whether some table is fresh.
    pub fresh: bool,
}

impl Space {
    /// With a root that is fresh and empty.
    pub fn new(root: Table) -> Space {
        Space { root, uppers: Vec::new(), leaves: Vec::new(), last: 0, taken: 1, fresh: true }
    }

    /// The level-1 table of an address.
    pub fn leaf(&mut self, address: VirtAddr) -> Option<&mut Leaf> {
        let region = address.0 >> REGION_SHIFT;
        if self.leaves.get(self.last).is_none_or(|leaf| leaf.region != region) {
            self.last = self.leaves.binary_search_by_key(&region, |leaf| leaf.region).ok()?;
        }
        self.leaves.get_mut(self.last)
    }

    /// Adds a level-1 table, which is fresh and empty, and the page in which it is noted what it
    /// maps.
    pub fn add_leaf(&mut self, address: VirtAddr, table: Table, names: Option<Pfn>) {
        let region = address.0 >> REGION_SHIFT;
        let place = self.leaves.partition_point(|leaf| leaf.region < region);
        let names = names.and_then(|page| NonZero::new(page.0 as u32));
        self.leaves.insert(place, Leaf { region, table, present: [0; 8], names });
        self.last = place;
        self.fresh = true;
    }

    /// The table of a level above 1 that an address goes through.
    pub fn upper(&self, level: Level, root: Level, address: VirtAddr) -> Option<Table> {
        if level == root {
            return Some(self.root);
        }
        let place = self.find_upper(level, address).ok()?;
        Some(self.uppers[place].table)
    }

    /// Adds a table between, which is fresh and empty.
    pub fn add_upper(&mut self, level: Level, address: VirtAddr, table: Table) {
        if let Err(place) = self.find_upper(level, address) {
            self.uppers.insert(place, Upper { level, prefix: prefix(level, address), table });
            self.fresh = true;
        }
    }

    fn find_upper(&self, level: Level, address: VirtAddr) -> Result<usize, usize> {
        let key = (level, prefix(level, address));
        self.uppers.binary_search_by_key(&key, |upper| (upper.level, upper.prefix))
    }

    /// How many tables it has, with the pages of their notes.
    pub fn tables(&self) -> usize {
        let notes = self.leaves.iter().filter(|leaf| leaf.names.is_some()).count();
        1 + self.uppers.len() + self.leaves.len() + notes
    }

    /// How many pages are mapped.
    pub fn mapped(&self) -> usize {
        self.leaves.iter().map(Leaf::mapped).sum()
    }

    /// Its tables below the root, each with its level and an address that goes through it;
    /// those of a lower level first.
    pub fn below_root(&mut self) -> impl Iterator<Item = (Level, VirtAddr, &mut Table)> {
        let leaves = self
            .leaves
            .iter_mut()
            .map(|leaf| (Level::L1, VirtAddr(leaf.region << REGION_SHIFT), &mut leaf.table));
        let uppers = self.uppers.iter_mut().map(|upper| {
            let address = VirtAddr(upper.prefix << span(upper.level));
            (upper.level, address, &mut upper.table)
        });
        leaves.chain(uppers)
    }

    /// Forgets the fresh tables below the root, which nothing sealed names: each, and its notes.
    pub fn take_fresh(&mut self) -> Vec<Fresh> {
        let leaves = self.leaves.extract_if(.., |leaf| !leaf.table.sealed);
        let mut fresh: Vec<_> =
            leaves.map(|leaf| Fresh { table: leaf.table, names: leaf.names() }).collect();
        let uppers = self.uppers.extract_if(.., |upper| !upper.table.sealed);
        fresh.extend(uppers.map(|upper| Fresh { table: upper.table, names: None }));
        self.fresh = false;
        fresh
    }
}

/// A table that was never validated, and the page of its notes.
pub struct Fresh {
    pub table: Table,
    pub names: Option<Pfn>,
}

/// Whether one level-1 table maps both pages.
pub const fn same_leaf(one: VirtAddr, two: VirtAddr) -> bool {
    one.0 >> REGION_SHIFT == two.0 >> REGION_SHIFT
}

/// Base-two logarithm of the bytes that a table of a level maps.
const fn span(level: Level) -> u32 {
    12 + 9 * level.number() as u32
}

const fn prefix(level: Level, address: VirtAddr) -> u64 {
    address.0 >> span(level)
}
