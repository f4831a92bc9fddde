//! Page-table entries of the machine's format, as tests write them.

use hypercall_abi::{
    Mfn, PAGE_SHIFT, VirtAddr,
    addr::Level,
    pte::{riscv64, x86_64},
    start_info::PageTableFormat,
};

/// What a leaf entry permits besides reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// Nothing.
    Read,
    /// Writing.
    Write,
    /// Fetching instructions.
    Execute,
}

/// Makes and reads entries of one format.
#[derive(Clone, Copy, Debug)]
pub struct Entries(pub PageTableFormat);

impl Entries {
    /// Level of the root.
    pub const fn root_level(self) -> Level {
        match self.0 {
            PageTableFormat::X86_64 | PageTableFormat::Sv48 => Level::L4,
            PageTableFormat::Sv39 => Level::L3,
        }
    }

    /// Whether this is x86-64.
    pub const fn is_x86(self) -> bool {
        matches!(self.0, PageTableFormat::X86_64)
    }

    const fn field(self, frame: Mfn) -> u64 {
        if self.is_x86() { frame.0 << PAGE_SHIFT } else { frame.0 << riscv64::FRAME_SHIFT }
    }

    /// A level-1 entry that maps `frame`.
    pub fn leaf(self, frame: Mfn, permit: Permit) -> u64 {
        self.field(frame)
            | if self.is_x86() {
                use x86_64::Flags as F;
                let permit = match permit {
                    Permit::Read => F::NO_EXECUTE,
                    Permit::Write => F::NO_EXECUTE | F::WRITABLE,
                    Permit::Execute => F::empty(),
                };
                (F::PRESENT | F::USER | F::ACCESSED | permit).bits()
            } else {
                use riscv64::Flags as F;
                let permit = match permit {
                    Permit::Read => F::empty(),
                    Permit::Write => F::WRITE | F::DIRTY,
                    Permit::Execute => F::EXECUTE,
                };
                (F::VALID | F::USER | F::READ | F::ACCESSED | permit).bits()
            }
    }

    /// An entry above level 1 that names a table.
    pub fn table(self, frame: Mfn) -> u64 {
        self.field(frame)
            | if self.is_x86() {
                use x86_64::Flags as F;
                (F::PRESENT | F::USER | F::WRITABLE | F::ACCESSED).bits()
            } else {
                riscv64::Flags::VALID.bits()
            }
    }

    /// An entry above level 1 that would map a superpage.
    pub fn superpage(self, frame: Mfn) -> u64 {
        if self.is_x86() { self.table(frame) | 1 << 7 } else { self.leaf(frame, Permit::Write) }
    }

    /// An entry that is not present but names a frame.
    pub const fn absent_with_frame(self, frame: Mfn) -> u64 {
        self.field(frame)
    }

    /// An entry that is not present, with a bit that the guest may use.
    pub const fn absent_with_software(self) -> u64 {
        if self.is_x86() {
            x86_64::Flags::SOFTWARE_LOW.bits()
        } else {
            riscv64::Flags::SOFTWARE.bits()
        }
    }

    /// Bits that the guest may use in any present entry.
    pub const fn software(self) -> u64 {
        self.absent_with_software()
    }

    /// Bits of which none may be set in a present level-1 entry. Each is refused by itself.
    pub const fn leaf_forbidden(self) -> &'static [u64] {
        if self.is_x86() {
            // Write-through, cache disable, page attribute, global, protection keys.
            &[1 << 3, 1 << 4, 1 << 7, 1 << 8, 1 << 59, 1 << 60, 1 << 61, 1 << 62]
        } else {
            // Global, reserved, page-based memory types, NAPOT.
            &[1 << 5, 1 << 54, 1 << 60, 1 << 61, 1 << 62, 1 << 63]
        }
    }

    /// Bits of which none may be set in a present entry above level 1.
    pub const fn table_forbidden(self) -> &'static [u64] {
        if self.is_x86() {
            &[1 << 3, 1 << 4, 1 << 7, 1 << 8, 1 << 59, 1 << 62]
        } else {
            // Read, read and write, execute (a superpage each), user, global, accessed, dirty.
            &[1 << 1, 3 << 1, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 54, 1 << 63]
        }
    }

    /// A leaf for `frame` that the guest could not use itself.
    pub fn supervisor_leaf(self, frame: Mfn) -> u64 {
        let user =
            if self.is_x86() { x86_64::Flags::USER.bits() } else { riscv64::Flags::USER.bits() };
        self.leaf(frame, Permit::Read) & !user
    }

    /// Whether the entry is present.
    pub const fn is_present(self, entry: u64) -> bool {
        entry & 1 != 0
    }

    /// The frame that a present entry names.
    pub const fn frame(self, entry: u64) -> Mfn {
        if self.is_x86() {
            Mfn((entry & x86_64::FRAME_MASK) >> PAGE_SHIFT)
        } else {
            Mfn((entry & riscv64::FRAME_MASK) >> riscv64::FRAME_SHIFT)
        }
    }

    /// Bits that tell the entry's target and rights: all but those that the processor sets.
    pub const fn essence(self, entry: u64) -> u64 {
        let used = if self.is_x86() { 3 << 5 } else { 3 << 6 };
        entry & !used
    }

    /// The index of the entry on the way to `address` in a table of that level.
    pub const fn index(self, address: VirtAddr, level: Level) -> u16 {
        (address.0 >> (PAGE_SHIFT + 9 * (level.number() as u32 - 1)) & 511) as u16
    }

    /// The first word of a page with the return instruction in it.
    pub const fn return_code(self) -> u64 {
        if self.is_x86() { 0xc3 } else { 0x8067 }
    }
}
