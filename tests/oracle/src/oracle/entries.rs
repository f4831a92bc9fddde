//! Page-table entries, read as the tables of `spec/src/abi/page-tables.md` say.

use hypercall_abi::Mfn;
use hypercall_abi::start_info::PageTableFormat;

/// What an entry says, if every bit of it is permitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing.
    Absent,
    /// It maps a frame.
    Leaf {
        /// The frame.
        frame: Mfn,
        /// Whether it permits writing.
        write: bool,
    },
    /// It names a table.
    Table(Mfn),
}

/// A page-table format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout(pub PageTableFormat);

/// The bits from one to another, both included.
const fn bits(first: u32, last: u32) -> u64 {
    u64::MAX >> (63 - last) & u64::MAX << first
}

impl Layout {
    /// Level of a root.
    pub fn root(self) -> u64 {
        match self.0 {
            PageTableFormat::X86_64 | PageTableFormat::Sv48 => 4,
            PageTableFormat::Sv39 => 3,
        }
    }

    /// First address that is not the guest's.
    pub fn guest_end(self) -> u64 {
        if self.root() == 4 { 1 << 47 } else { 1 << 38 }
    }

    /// Entries of a table that are the guest's, from the first on.
    pub fn guest_entries(self, level: u64) -> usize {
        if level == self.root() { super::RESERVED_SLOT } else { super::WORDS }
    }

    /// Index into a table of a level for an address.
    pub fn index(self, address: u64, level: u64) -> usize {
        (address >> (12 + 9 * (level - 1))) as usize % super::WORDS
    }

    /// A leaf entry of the same bits for another frame.
    pub fn replace(self, value: u64, frame: Mfn) -> u64 {
        let (first, last) = match self.0 {
            PageTableFormat::X86_64 => (12, 51),
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => (10, 53),
        };
        value & !bits(first, last) | frame.0 << first & bits(first, last)
    }

    /// What an entry of a table of that level says; `None` if it sets a bit that it must not.
    pub fn read(self, level: u64, value: u64) -> Option<Entry> {
        match self.0 {
            PageTableFormat::X86_64 => x86_64(level, value),
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => riscv64(level, value),
        }
    }
}

fn x86_64(level: u64, value: u64) -> Option<Entry> {
    let is = |bit: u32| value >> bit & 1 == 1;
    // Write-through, cache-disable, page size or PAT, global, the protection key.
    if value & (bits(3, 4) | bits(7, 8) | bits(59, 62)) != 0 {
        return None;
    }
    let field = value & bits(12, 51);
    let frame = Mfn(field >> 12);
    match (is(0), is(2), level) {
        (false, _, _) => (field == 0).then_some(Entry::Absent),
        (true, false, _) => None,
        (true, true, 1) => Some(Entry::Leaf { frame, write: is(1) }),
        (true, true, _) => Some(Entry::Table(frame)),
    }
}

fn riscv64(level: u64, value: u64) -> Option<Entry> {
    let is = |bit: u32| value >> bit & 1 == 1;
    // Global, and what is reserved, PBMT or N.
    if value & (bits(5, 5) | bits(54, 63)) != 0 {
        return None;
    }
    let field = value & bits(10, 53);
    let frame = Mfn(field >> 10);
    if !is(0) {
        return (field == 0).then_some(Entry::Absent);
    }
    if level == 1 {
        let (read, write, execute, user) = (is(1), is(2), is(3), is(4));
        let sane = user && (read || execute) && (read || !write);
        return sane.then_some(Entry::Leaf { frame, write });
    }
    (value & (bits(1, 4) | bits(6, 7)) == 0).then_some(Entry::Table(frame))
}
