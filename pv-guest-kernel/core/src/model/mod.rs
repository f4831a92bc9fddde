//! A machine on the host, for tests: [`Model`].
//!
//! Pages are bytes, page tables are maps with accessed and dirty bits, and a processor of a
//! very small instruction set runs programs from the memory of their process ([`program`]), so
//! that fetches, loads and stores fault as a real one's do. It is strict where a real machine
//! would only go wrong later: the kernel never touches a page that is a table, never maps one,
//! and gives no page as a table that some table still maps.

pub mod assembler;
mod processor;
pub mod program;
mod registers;
mod tables;

pub use registers::ModelRegisters;
pub use tables::ModelSpace;

use crate::{
    Access, Change, Exit, FLOAT_BYTES, FloatState, Machine, NoPage, PAGE, Pfn, Platform,
    Protection, Used, VirtAddr, memory::Frames,
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use tables::Tables;

/// The machine. With `RISCV`, programs make the system calls of riscv64, otherwise of x86-64.
#[derive(Clone, Debug)]
pub struct Model<const RISCV: bool = false> {
    bytes: Vec<u8>,
    spaces: BTreeMap<u64, Tables>,
    next_space: u64,
    /// How many tables map each page.
    mapped: Vec<u32>,
    is_table: Vec<bool>,
    /// Changes of page tables so far: how many, in how many batches.
    changes: (u64, u64),
    now: u64,
    alarm: Option<u64>,
    console: Vec<u8>,
    typed: VecDeque<u8>,
    noticed: bool,
    seed: u64,
    float: FloatState,
}

impl<const RISCV: bool> Model<RISCV> {
    /// A machine with that many pages. They hold old bytes, not zeros.
    pub fn new(pages: u64) -> Self {
        let count = pages as usize;
        Model {
            bytes: alloc::vec![0xa5; count * PAGE],
            spaces: BTreeMap::new(),
            next_space: 0,
            mapped: alloc::vec![0; count],
            is_table: alloc::vec![false; count],
            changes: (0, 0),
            now: 0,
            alarm: None,
            console: Vec::new(),
            typed: VecDeque::new(),
            noticed: false,
            seed: 1,
            float: FloatState([0; FLOAT_BYTES]),
        }
    }

    /// All its pages, free.
    pub fn frames(&self) -> Frames {
        let mut frames = Frames::new(self.mapped.len() as u64);
        (0..self.mapped.len()).rev().for_each(|page| frames.add(Pfn(page as u64)));
        frames
    }

    /// Changes of page tables so far, and the batches in which they came.
    pub fn changes(&self) -> (u64, u64) {
        self.changes
    }

    /// What a space's tables say of a page.
    pub fn entry(&self, space: &ModelSpace, page: VirtAddr) -> Option<(Pfn, Protection)> {
        self.spaces.get(&space.id)?.entry(page)
    }

    /// How many pages a space's tables map.
    pub fn entries(&self, space: &ModelSpace) -> usize {
        self.spaces.get(&space.id).map_or(0, |tables| tables.mapped_pages().count())
    }

    /// How many tables map a page.
    pub fn mappings_of(&self, page: Pfn) -> u32 {
        self.mapped[page.0 as usize]
    }

    /// What has been written to the console since this was last asked.
    pub fn take_console(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.console)
    }

    /// Somebody types.
    pub fn type_in(&mut self, bytes: &[u8]) {
        self.typed.extend(bytes);
        self.noticed = false;
    }

    /// A process loads: through its tables, byte for byte.
    ///
    /// # Errors
    /// The address that faults; what was loaded before that is in `to`.
    pub fn load(
        &mut self,
        space: &ModelSpace,
        address: u64,
        to: &mut [u8],
        access: Access,
    ) -> Result<(), u64> {
        for (index, byte) in to.iter_mut().enumerate() {
            let at = address.wrapping_add(index as u64);
            let page = self.translate(space, at, access)?;
            *byte = self.bytes[page.0 as usize * PAGE + at as usize % PAGE];
        }
        Ok(())
    }

    /// A process stores: through its tables. Nothing is stored when some of it faults.
    ///
    /// # Errors
    /// The address that faults.
    pub fn store(&mut self, space: &ModelSpace, address: u64, from: &[u8]) -> Result<(), u64> {
        for index in 0..from.len() {
            self.translate(space, address.wrapping_add(index as u64), Access::Write)?;
        }
        for (index, byte) in from.iter().enumerate() {
            let at = address.wrapping_add(index as u64);
            let page = self.translate(space, at, Access::Write)?;
            self.bytes[page.0 as usize * PAGE + at as usize % PAGE] = *byte;
        }
        Ok(())
    }

    fn translate(&mut self, space: &ModelSpace, at: u64, access: Access) -> Result<Pfn, u64> {
        let tables = self.spaces.get_mut(&space.id).expect("the space exists");
        tables.translate(at, access).ok_or(at)
    }

    fn tables(&mut self, space: &ModelSpace) -> &mut Tables {
        self.spaces.get_mut(&space.id).expect("the space exists")
    }

    fn range(&self, page: Pfn, offset: usize, length: usize) -> core::ops::Range<usize> {
        assert!(offset + length <= PAGE, "bytes {offset}.. of {length} are not in one page");
        assert!(!self.is_table[page.0 as usize], "page {} is a table", page.0);
        let start = page.0 as usize * PAGE + offset;
        start..start + length
    }

    /// A page becomes a table.
    fn make_table(
        is_table: &mut [bool],
        mapped: &[u32],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Option<Pfn> {
        let page = take()?;
        let index = page.0 as usize;
        assert!(mapped[index] == 0, "page {index} becomes a table and is mapped");
        assert!(!is_table[index], "page {index} becomes a table and is one");
        is_table[index] = true;
        Some(page)
    }
}

impl<const RISCV: bool> Platform for Model<RISCV> {
    type Registers = ModelRegisters;
    type Space = ModelSpace;

    const MACHINE: Machine = if RISCV { Machine::Riscv64 } else { Machine::X86_64 };

    const SIGNAL_RETURN: &'static [u8] = if RISCV { &assembler::SIGNAL_RETURN } else { &[] };

    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        let range = self.range(page, offset, to.len());
        to.copy_from_slice(&self.bytes[range]);
    }

    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        let range = self.range(page, offset, from.len());
        self.bytes[range].copy_from_slice(from);
    }

    fn copy(&mut self, from: Pfn, to: Pfn) {
        self.now += processor::TICK;
        let (from, to) = (self.range(from, 0, PAGE), self.range(to, 0, PAGE));
        self.bytes.copy_within(from, to.start);
    }

    fn clear(&mut self, page: Pfn) {
        let range = self.range(page, 0, PAGE);
        self.bytes[range].fill(0);
    }

    fn new_space(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<ModelSpace, NoPage> {
        let (is_table, mapped) = (&mut self.is_table, &self.mapped);
        let root = Self::make_table(is_table, mapped, take).ok_or(NoPage)?;
        let id = self.next_space;
        self.next_space += 1;
        self.spaces.insert(id, Tables::new(root));
        Ok(ModelSpace { id })
    }

    fn drop_space(&mut self, space: ModelSpace, give: &mut dyn FnMut(Pfn)) {
        let tables = self.spaces.remove(&space.id).expect("the space exists");
        for page in tables.mapped_pages() {
            self.mapped[page.0 as usize] -= 1;
        }
        for page in tables.into_pages() {
            self.is_table[page.0 as usize] = false;
            give(page);
        }
    }

    fn change(
        &mut self,
        space: &mut ModelSpace,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize> {
        self.changes.0 += changes.len() as u64;
        self.changes.1 += 1;
        let tables = self.spaces.get_mut(&space.id).expect("the space exists");
        let (is_table, mapped) = (&mut self.is_table, &mut self.mapped);
        for (index, change) in changes.iter().enumerate() {
            if let Some((page, _)) = change.to {
                assert!(!is_table[page.0 as usize], "page {} is mapped and a table", page.0);
            }
            let old = tables
                .change(change, &mut || Self::make_table(is_table, mapped, take))
                .map_err(|NoPage| index)?;
            if let Some(page) = old {
                mapped[page.0 as usize] -= 1;
            }
            if let Some((page, _)) = change.to {
                mapped[page.0 as usize] += 1;
            }
        }
        Ok(())
    }

    fn take_used(&mut self, space: &mut ModelSpace, page: VirtAddr) -> Used {
        self.tables(space).take_used(page)
    }

    fn flush(&mut self) {}

    fn run(&mut self, space: &mut ModelSpace, registers: &mut ModelRegisters) -> Exit {
        self.execute(space, registers)
    }

    fn save_float(&mut self, into: &mut FloatState) {
        into.clone_from(&self.float);
    }

    fn load_float(&mut self, from: &FloatState) {
        self.float.clone_from(from);
    }

    fn clean_float(&self) -> FloatState {
        FloatState([0; FLOAT_BYTES])
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn set_alarm(&mut self, at: Option<u64>) {
        self.alarm = at;
    }

    /// Time goes on to the alarm at once, unless something was typed.
    fn idle(&mut self) {
        if self.typed.is_empty()
            && let Some(alarm) = self.alarm.take()
        {
            self.now = self.now.max(alarm);
        }
    }

    fn console_write(&mut self, bytes: &[u8]) {
        self.console.extend_from_slice(bytes);
    }

    fn console_read(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min(self.typed.len());
        to.iter_mut().zip(self.typed.drain(..count)).for_each(|(to, byte)| *to = byte);
        count
    }

    /// Bytes that anybody can guess, and the same in each run.
    fn random(&mut self, to: &mut [u8]) {
        for byte in to {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.seed >> 56) as u8;
        }
    }
}
