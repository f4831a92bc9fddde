//! A machine in memory, for tests: frames with old content in them, a translation cache that
//! forgets only what it is told to forget, a clock that the test turns.
//!
//! The cache is as unhelpful as hardware may be: it keeps every translation and every table
//! that it has walked through, and uses them as long as nothing flushes them. So a missing
//! flush in the core shows as an access that still works.

use crate::domain::{Life, Slot};
use crate::format::{Entry, Format, Leaf};
use crate::frame::Hold;
use crate::machine::{Direction, FRAME_WORDS, Machine, Transfer};
use crate::platform::Platform;
use crate::state::State;
use crate::teardown::Teardown;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::marker::PhantomData;
use hypercall_abi::addr::{Level, Vpn};
use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::{DomainId, Mfn, VirtAddr};

pub mod canonical;
#[cfg(not(test))]
mod compiled;
mod copy;
mod small;

#[cfg(not(test))]
pub use compiled::compiled;
pub use small::{SMALL_FIXED, SmallDomain};

/// What the root slots of the hypervisor hold in the model: no frame has this number.
const ROOT_ENTRY: u64 = 0xb1ff << 40;

/// A machine in memory.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct ModelMachine<F: Format> {
    /// By their numbers; those that nobody has written have none, nor have those behind the last.
    /// Shared until written, so that a copy of a machine is cheap.
    frames: Vec<Option<Words>>,
    root: Option<Mfn>,
    leaves: BTreeSet<Cached>,
    tables: BTreeSet<((Mfn, Level, u64), Mfn)>,
    clock: u64,
    /// Counter value at which the alarm is due; `u64::MAX` for never.
    pub alarm: u64,
    /// What domains wrote, in order.
    pub console: Vec<(DomainId, Stream, Vec<u8>)>,
    /// Full flushes so far, root loads included.
    pub flushes: u64,
    /// Pages that the swap device holds.
    pub swap_pages: u64,
    /// Transfers that it has under way at most.
    pub swap_depth: usize,
    /// How many times it is asked before a transfer has ended.
    pub swap_waits: u32,
    /// Whether every transfer fails.
    pub swap_fails: bool,
    transfers: Vec<Transfer>,
    swapped: BTreeMap<u64, Words>,
    format: PhantomData<F>,
}

/// What a frame holds.
type Words = Arc<Vec<u64>>;

/// A cached translation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cached {
    /// Root of the address space.
    pub root: Mfn,
    /// The page.
    pub page: Vpn,
    /// What it reaches.
    pub frame: Mfn,
    /// Whether it permits writing.
    pub writable: bool,
}

impl Cached {
    fn is_of(&self, root: Mfn, address: VirtAddr) -> bool {
        (self.root, self.page) == (root, address.page())
    }
}

/// What an access does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Reads a word.
    Read,
    /// Writes a word.
    Write(u64),
}

/// An access that the page tables do not permit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fault;

impl<F: Format> Default for ModelMachine<F> {
    fn default() -> Self {
        ModelMachine {
            frames: Vec::new(),
            root: None,
            leaves: BTreeSet::new(),
            tables: BTreeSet::new(),
            clock: 1,
            alarm: u64::MAX,
            console: Vec::new(),
            flushes: 0,
            swap_pages: 0,
            swap_depth: 4,
            swap_waits: 0,
            swap_fails: false,
            transfers: Vec::new(),
            swapped: BTreeMap::new(),
            format: PhantomData,
        }
    }
}

impl<F: Format> ModelMachine<F> {
    /// What a word holds before anyone wrote it: never zero, so that a scrub that was left
    /// out shows.
    fn stale(frame: Mfn, word: usize) -> u64 {
        0xa5a5_0000_0000_0000 | frame.0 << 12 | word as u64
    }

    fn words(&mut self, frame: Mfn) -> &mut Vec<u64> {
        let fresh = || Arc::new((0..FRAME_WORDS).map(|word| Self::stale(frame, word)).collect());
        Arc::make_mut(self.place(frame).get_or_insert_with(fresh))
    }

    /// Where what a frame holds is kept.
    fn place(&mut self, frame: Mfn) -> &mut Option<Words> {
        let index = frame.0 as usize;
        if self.frames.len() <= index {
            self.frames.resize(index + 1, None);
        }
        &mut self.frames[index]
    }

    /// Lets time pass.
    pub fn advance(&mut self, ticks: u64) {
        self.clock += ticks;
    }

    /// The word at an address, as the processor would reach it: through what it has cached if
    /// it has, else by walking the tables, which it then caches.
    ///
    /// # Errors
    /// [`Fault`] when the translation does not permit the access.
    pub fn access(&mut self, address: VirtAddr, access: Access) -> Result<u64, Fault> {
        let root = self.root.ok_or(Fault)?;
        if address.0 >= F::GUEST_END {
            return Err(Fault);
        }
        let wants_write = matches!(access, Access::Write(_));
        let mut known = self.leaves.iter().filter(|known| known.is_of(root, address));
        let cached = match known.clone().find(|known| known.writable >= wants_write) {
            Some(cached) => *cached,
            None if known.next().is_some() => return Err(Fault),
            None => {
                let found = self.walk(root, address)?;
                self.leaves.insert(found);
                found
            }
        };
        let word = (address.0 as usize % 4096) / 8;
        match access {
            Access::Read => Ok(self.read(cached.frame, word)),
            Access::Write(value) if cached.writable => {
                self.write(cached.frame, word, value);
                Ok(value)
            }
            Access::Write(_) => Err(Fault),
        }
    }

    fn walk(&mut self, root: Mfn, address: VirtAddr) -> Result<Cached, Fault> {
        let mut table = root;
        let mut level = F::ROOT;
        while let Some(below) = level.below() {
            let prefix = address.0 >> (12 + F::INDEX_BITS * (u32::from(level.number()) - 1));
            let key = (root, level, prefix);
            table = match self.tables.iter().find(|(known, _)| *known == key) {
                Some((_, cached)) => *cached,
                None => {
                    let value = self.read(table, F::index(address, level));
                    let Ok(Entry::Table(next)) = F::decode(value, level) else { return Err(Fault) };
                    self.tables.insert((key, next));
                    next
                }
            };
            level = below;
        }
        match F::decode(self.read(table, F::index(address, level)), level) {
            Ok(Entry::Leaf(Leaf { frame, writable })) => {
                Ok(Cached { root, page: address.page(), frame, writable })
            }
            _ => Err(Fault),
        }
    }

    /// The words of a frame that something has been written to.
    pub fn content(&self, frame: Mfn) -> Option<&[u64]> {
        self.frames.get(frame.0 as usize)?.as_ref().map(|words| words.as_slice())
    }

    /// Makes the processor cache everything that it can reach from its root now, and keep what
    /// it has: afterwards it holds every translation that it could have made since the last
    /// flush, through the tables of now and through those that it remembers. It reads every
    /// entry of every table, so it is for small formats.
    pub fn cache_all(&mut self) {
        if let Some(root) = self.root {
            self.cache_below(root, root, F::ROOT, 0);
        }
    }

    fn cache_below(&mut self, root: Mfn, table: Mfn, level: Level, prefix: u64) {
        let end = if level == F::ROOT { F::FIRST_RESERVED_SLOT } else { F::ENTRIES };
        for index in 0..end {
            let prefix = prefix << F::INDEX_BITS | index as u64;
            let key = (root, level, prefix);
            match F::decode(self.read(table, index), level) {
                Ok(Entry::Table(next)) => {
                    self.tables.insert((key, next));
                }
                Ok(Entry::Leaf(Leaf { frame, writable })) => {
                    self.leaves.insert(Cached { root, page: Vpn(prefix), frame, writable });
                }
                Ok(Entry::Absent) | Err(_) => {}
            }
            let Some(below) = level.below() else { continue };
            let known = self.tables.iter().filter(|(known, _)| *known == key);
            let tables: Vec<Mfn> = known.map(|(_, table)| *table).collect();
            for table in tables {
                self.cache_below(root, table, below, prefix);
            }
        }
    }

    /// The translations that the processor holds.
    pub fn cached(&self) -> impl Iterator<Item = &Cached> {
        self.leaves.iter()
    }

    /// Whether a frame holds nothing but zeros.
    pub fn is_zero(&self, frame: Mfn) -> bool {
        // One that nobody has written holds what is never zero.
        self.content(frame).is_some_and(|words| words.iter().all(|word| *word == 0))
    }

    /// The root that the processor translates through.
    pub(crate) fn root(&self) -> Option<Mfn> {
        self.root
    }

    /// Cached translations: below which root, of which frame, whether it permits writing.
    pub(crate) fn cached_pages(&self) -> impl Iterator<Item = (Mfn, Mfn, bool)> {
        self.leaves.iter().map(|cached| (cached.root, cached.frame, cached.writable))
    }

    /// Caches a translation that no table gives, for the tests of the audit.
    #[cfg(test)]
    pub(crate) fn corrupt_page(&mut self, root: Mfn, frame: Mfn, writable: bool) {
        self.leaves.insert(Cached { root, page: Vpn(0), frame, writable });
    }

    /// Caches a table that no table names, for the tests of the audit.
    #[cfg(test)]
    pub(crate) fn corrupt_table(&mut self, root: Mfn, table: Mfn) {
        self.tables.insert(((root, F::ROOT, 0), table));
    }

    /// Tables that the processor walks without reading the entry above them.
    pub(crate) fn cached_tables(&self) -> impl Iterator<Item = Mfn> {
        self.tables.iter().map(|(_, table)| *table)
    }
}

/// A state of a frame that calls alone do not bring about on a small machine, for tests of the
/// checks that guard against it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pretence {
    /// So many references more than anything holds.
    References(u32),
    /// A page table that another vCPU is in the middle of validating.
    UnderWay,
}

impl<P: Platform> State<P> {
    /// Makes an owned frame look as it is not.
    ///
    /// # Panics
    /// When no domain owns the frame, or its count would wrap.
    pub fn pretend(&mut self, frame: Mfn, pretence: Pretence) {
        let owned = self.frames.held(frame);
        match pretence {
            Pretence::References(more) => {
                owned.references = owned.references.checked_add(more).expect("counts do not wrap");
            }
            Pretence::UnderWay => {
                assert_eq!(owned.hold, Hold::Pinned, "the table is one that is pinned");
                owned.hold = Hold::Promoting;
            }
        }
    }

    /// Takes a pretence back.
    pub fn confess(&mut self, frame: Mfn, pretence: Pretence) {
        let owned = self.frames.held(frame);
        match pretence {
            Pretence::References(more) => owned.references -= more,
            Pretence::UnderWay => owned.hold = Hold::Pinned,
        }
    }

    /// Scrubs one dirty frame, if there is one.
    pub fn scrub<M: Machine>(&mut self, machine: &mut M) -> bool {
        self.frames.scrub_one(machine, &mut self.tlb)
    }

    /// Gives the processor to a vCPU, whose turn the scheduler then believes it is.
    ///
    /// # Panics
    /// When the vCPU is not runnable.
    pub fn switch_to<M: Machine>(&mut self, machine: &mut M, slot: Slot) {
        self.look_who_waits(machine);
        for _ in 0..=crate::domain::MAX_DOMAINS {
            if self.scheduler.current() == Some(slot) {
                return;
            }
            self.scheduler.end_slice();
            let _ = self.schedule(machine);
        }
        panic!("{slot:?} is not runnable");
    }

    /// Whether a domain that has ended is still being taken apart.
    pub fn is_taking_apart(&self) -> bool {
        let goes_on = |life: &Life| match life {
            Life::Running => false,
            Life::Ending { teardown, .. } => *teardown != Teardown::Lingering,
        };
        self.domains().any(|(_, domain)| goes_on(&domain.life))
    }
}

impl<F: Format> Machine for ModelMachine<F> {
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        self.content(frame).map_or_else(|| Self::stale(frame, word), |words| words[word])
    }

    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        self.words(frame)[word] = value;
    }

    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64 {
        core::mem::replace(&mut self.words(frame)[word], value)
    }

    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        let old = self.words(frame)[word];
        self.words(frame)[word] = old | bits;
        old
    }

    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        let old = self.words(frame)[word];
        self.words(frame)[word] = old & bits;
        old
    }

    fn read_block(&self, frame: Mfn, word: usize, words: &mut [u64]) {
        match self.content(frame) {
            Some(all) => words.copy_from_slice(&all[word..word + words.len()]),
            None => {
                for (index, to) in words.iter_mut().enumerate() {
                    *to = Self::stale(frame, word + index);
                }
            }
        }
    }

    fn swap_pages(&self) -> u64 {
        self.swap_pages
    }

    fn swap_begin(&mut self, transfer: Transfer) -> bool {
        assert!(transfer.place < self.swap_pages, "there is no such place");
        let busy = self.transfers.iter().any(|other| other.place == transfer.place);
        assert!(!busy, "the place is the device's until its transfer has ended");
        let begins = self.transfers.len() < self.swap_depth;
        if begins {
            self.transfers.push(transfer);
        }
        begins
    }

    fn swap_ended(&mut self) -> Option<(Transfer, bool)> {
        if self.swap_waits > 0 {
            self.swap_waits -= 1;
            return None;
        }
        // The last first: a device has an order of its own.
        let transfer = self.transfers.pop()?;
        if self.swap_fails {
            return Some((transfer, false));
        }
        match transfer.direction {
            Direction::Out => {
                let words = (0..FRAME_WORDS).map(|word| self.read(transfer.frame, word)).collect();
                self.swapped.insert(transfer.place, Arc::new(words));
            }
            Direction::In => {
                let words = self.swapped.remove(&transfer.place).expect("the place was written");
                *self.place(transfer.frame) = Some(words);
            }
        }
        Some((transfer, true))
    }

    fn zero(&mut self, frame: Mfn) {
        self.words(frame).fill(0);
    }

    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]) {
        for (at, byte) in bytes.iter().enumerate().map(|(index, byte)| (offset + index, byte)) {
            let shift = at % 8 * 8;
            let word = &mut self.words(frame)[at / 8];
            *word = *word & !(0xff << shift) | u64::from(*byte) << shift;
        }
    }

    fn root_entry(&self, slot: usize) -> u64 {
        ROOT_ENTRY | slot as u64
    }

    fn load_root(&mut self, root: Option<Mfn>) {
        self.root = root;
        self.flush_all();
    }

    fn flush_all(&mut self) {
        self.leaves.clear();
        self.tables.clear();
        self.flushes += 1;
    }

    fn flush_page(&mut self, address: VirtAddr) {
        let Some(root) = self.root else { return };
        self.leaves.retain(|known| !known.is_of(root, address));
        // As the manuals say, the tables on the way are forgotten with the page.
        self.tables.retain(|((table_root, level, prefix), _)| {
            let shift = 12 + F::INDEX_BITS * (u32::from(level.number()) - 1);
            *table_root != root || address.0 >> shift != *prefix
        });
    }

    fn now(&self) -> u64 {
        self.clock
    }

    fn set_alarm(&mut self, deadline: u64) {
        self.alarm = deadline;
    }

    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]) {
        self.console.push((domain, stream, bytes.to_vec()));
    }
}
