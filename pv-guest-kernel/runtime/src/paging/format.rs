//! Page-table entries in the three formats.

use hypercall_abi::{Mfn, PAGE_SHIFT, VirtAddr, addr::Level, pte, start_info::PageTableFormat};

bitflags::bitflags! {
    /// What may be done with a page besides reading it.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Protection: u8 {
        /// Writing.
        const WRITE = 1 << 0;
        /// Fetching instructions.
        const EXECUTE = 1 << 1;
    }
}

impl Protection {
    /// Reading only.
    pub const READ: Protection = Protection::empty();
}

/// An entry, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing.
    Absent,
    /// A table of the level below.
    Table(Mfn),
    /// A page.
    Page(Mfn, Protection),
}

/// How this processor's page tables are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format(PageTableFormat);

impl Format {
    /// Of that kind.
    pub const fn new(kind: PageTableFormat) -> Format {
        Format(kind)
    }

    /// Which it is.
    pub const fn kind(self) -> PageTableFormat {
        self.0
    }

    /// Level of the root.
    pub const fn root_level(self) -> Level {
        match self.0 {
            PageTableFormat::X86_64 | PageTableFormat::Sv48 => Level::L4,
            PageTableFormat::Sv39 => Level::L3,
        }
    }

    /// Slots of the root that are the guest's: the lower half.
    pub const ROOT_SLOTS: u16 = 256;

    /// First address behind the guest's half.
    pub const fn guest_end(self) -> u64 {
        (Self::ROOT_SLOTS as u64) << self.shift(self.root_level())
    }

    /// Base-two logarithm of the bytes that one entry of the level spans.
    pub const fn shift(self, level: Level) -> u32 {
        12 + 9 * (level.number() as u32 - 1)
    }

    /// Index of the entry for an address in a table of the level.
    pub const fn index(self, level: Level, address: VirtAddr) -> u16 {
        (address.0 >> self.shift(level)) as u16 & 511
    }

    /// Level-1 entry that maps a frame. Accessed and dirty bits are set in advance, as a
    /// processor may fault where they are clear.
    pub const fn page_entry(self, frame: Mfn, protection: Protection) -> u64 {
        let write = protection.contains(Protection::WRITE);
        let execute = protection.contains(Protection::EXECUTE);
        match self.0 {
            PageTableFormat::X86_64 => {
                use pte::x86_64::Flags;
                let mut flags = Flags::PRESENT.union(Flags::USER).union(Flags::ACCESSED);
                if write {
                    flags = flags.union(Flags::WRITABLE).union(Flags::DIRTY);
                }
                if !execute {
                    flags = flags.union(Flags::NO_EXECUTE);
                }
                (frame.0 << 12) & pte::x86_64::FRAME_MASK | flags.bits()
            }
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => {
                use pte::riscv64::{FRAME_MASK, FRAME_SHIFT, Flags};
                let mut flags =
                    Flags::VALID.union(Flags::READ).union(Flags::USER).union(Flags::ACCESSED);
                if write {
                    flags = flags.union(Flags::WRITE).union(Flags::DIRTY);
                }
                if execute {
                    flags = flags.union(Flags::EXECUTE);
                }
                (frame.0 << FRAME_SHIFT) & FRAME_MASK | flags.bits()
            }
        }
    }

    /// Bits by which the processor tells that it has used a level-1 entry, and that it has
    /// written through it.
    pub const fn used_bits(self) -> (u64, u64) {
        match self.0 {
            PageTableFormat::X86_64 => {
                use pte::x86_64::Flags;
                (Flags::ACCESSED.bits(), Flags::DIRTY.bits())
            }
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => {
                use pte::riscv64::Flags;
                (Flags::ACCESSED.bits(), Flags::DIRTY.bits())
            }
        }
    }

    /// Where the frame's number lies in an entry.
    pub const fn frame_shift(self) -> u32 {
        match self.0 {
            PageTableFormat::X86_64 => PAGE_SHIFT,
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => pte::riscv64::FRAME_SHIFT,
        }
    }

    /// Level-1 entry that maps a frame which the processor has not used yet. A processor that
    /// does not set the bits of [`used_bits`](Self::used_bits) itself faults, and leaves it to
    /// the kernel.
    pub const fn unused_page_entry(self, frame: Mfn, protection: Protection) -> u64 {
        let (accessed, dirty) = self.used_bits();
        self.page_entry(frame, protection) & !(accessed | dirty)
    }

    /// Entry above level 1 that names a table.
    pub const fn table_entry(self, table: Mfn) -> u64 {
        match self.0 {
            PageTableFormat::X86_64 => {
                use pte::x86_64::{FRAME_MASK, Flags};
                let flags =
                    Flags::PRESENT.union(Flags::WRITABLE).union(Flags::USER).union(Flags::ACCESSED);
                (table.0 << 12) & FRAME_MASK | flags.bits()
            }
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => {
                use pte::riscv64::{FRAME_MASK, FRAME_SHIFT, Flags};
                (table.0 << FRAME_SHIFT) & FRAME_MASK | Flags::VALID.bits()
            }
        }
    }

    /// What an entry of a table of the level says.
    pub const fn decode(self, level: Level, entry: u64) -> Entry {
        let mut protection = Protection::empty();
        match self.0 {
            PageTableFormat::X86_64 => {
                use pte::x86_64::{FRAME_MASK, Flags};
                let flags = Flags::from_bits_retain(entry);
                if !flags.contains(Flags::PRESENT) {
                    return Entry::Absent;
                }
                let frame = Mfn((entry & FRAME_MASK) >> 12);
                if level.number() > 1 {
                    return Entry::Table(frame);
                }
                if flags.contains(Flags::WRITABLE) {
                    protection = protection.union(Protection::WRITE);
                }
                if !flags.contains(Flags::NO_EXECUTE) {
                    protection = protection.union(Protection::EXECUTE);
                }
                Entry::Page(frame, protection)
            }
            PageTableFormat::Sv39 | PageTableFormat::Sv48 => {
                use pte::riscv64::{FRAME_MASK, FRAME_SHIFT, Flags};
                let flags = Flags::from_bits_retain(entry);
                if !flags.contains(Flags::VALID) {
                    return Entry::Absent;
                }
                let frame = Mfn((entry & FRAME_MASK) >> FRAME_SHIFT);
                if level.number() > 1 {
                    return Entry::Table(frame);
                }
                if flags.contains(Flags::WRITE) {
                    protection = protection.union(Protection::WRITE);
                }
                if flags.contains(Flags::EXECUTE) {
                    protection = protection.union(Protection::EXECUTE);
                }
                Entry::Page(frame, protection)
            }
        }
    }
}
