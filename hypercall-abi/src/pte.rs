//! Page-table entries that the hypervisor accepts, per format.
//!
//! Tables are the processor's own: a guest writes machine frame numbers into them (direct
//! paging). An entry is accepted only if every bit of it is one that the tables below allow.
//!
//! *Not present*: the bits that a present entry may have may hold anything, the frame field
//! must be zero. A
//! not-present entry with the address of real memory can be used speculatively by some
//! processors (L1TF, XSA-273).

/// x86-64, four levels. Intel SDM volume 3, 4.5; AMD APM volume 2, 5.3.
pub mod x86_64 {
    bitflags::bitflags! {
        /// Bits of an entry besides the frame (bits 51:12).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct Flags: u64 {
            /// The entry maps a page or names a table.
            const PRESENT = 1 << 0;
            /// Writing is permitted. On an entry that names a table: below it too.
            const WRITABLE = 1 << 1;
            /// Must be set on every present entry: the guest runs in ring 3.
            const USER = 1 << 2;
            /// The processor has used the entry. The guest may set or clear it.
            const ACCESSED = 1 << 5;
            /// The processor has written through the entry. The guest may set or clear it.
            const DIRTY = 1 << 6;
            /// For the guest's own use: bits 9 to 11.
            const SOFTWARE_LOW = 0b111 << 9;
            /// For the guest's own use: bits 52 to 58.
            const SOFTWARE_HIGH = 0x7f << 52;
            /// Instructions cannot be fetched.
            const NO_EXECUTE = 1 << 63;
        }
    }

    /// The frame field.
    pub const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;
    /// Bits that a present level-1 entry may set besides the frame.
    pub const LEAF_ALLOWED: Flags = Flags::all();
    /// Bits that a present entry above level 1 may set besides the frame.
    pub const TABLE_ALLOWED: Flags = Flags::all();
    /// Bits that an entry that is not present may set.
    pub const ABSENT_ALLOWED: Flags = Flags::all().difference(Flags::PRESENT);
    /// On an entry that is not present: the hypervisor has put the page away that it maps. The
    /// other bits are what they were, but for [`Flags::WRITABLE`], which is clear, and the frame,
    /// which is zero. No guest may set it.
    pub const AWAY: u64 = 1 << 8;
}

/// riscv64, Sv39 and Sv48. RISC-V Privileged Architecture, 12.3 to 12.5.
pub mod riscv64 {
    bitflags::bitflags! {
        /// Bits of an entry besides the frame (bits 53:10).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct Flags: u64 {
            /// The entry maps a page or names a table.
            const VALID = 1 << 0;
            /// Reading is permitted. An entry with none of READ, WRITE, EXECUTE names a table.
            const READ = 1 << 1;
            /// Writing is permitted; not without READ.
            const WRITE = 1 << 2;
            /// Instructions can be fetched.
            const EXECUTE = 1 << 3;
            /// Must be set on every leaf: the guest runs in U-mode. Not on an entry that
            /// names a table, where the architecture reserves it.
            const USER = 1 << 4;
            /// The page has been used. Set it: a processor may fault where it is clear.
            /// Reserved on an entry that names a table.
            const ACCESSED = 1 << 6;
            /// The page has been written. Set it on writable pages, for the same reason.
            const DIRTY = 1 << 7;
            /// For the guest's own use: bits 8 and 9.
            const SOFTWARE = 0b11 << 8;
        }
    }

    /// The frame field.
    pub const FRAME_MASK: u64 = 0x003f_ffff_ffff_fc00;
    /// Bits that the frame's number is shifted left by.
    pub const FRAME_SHIFT: u32 = 10;
    /// Bits that a valid level-1 entry may set besides the frame.
    pub const LEAF_ALLOWED: Flags = Flags::all();
    /// Bits that a valid entry above level 1 may set besides the frame.
    pub const TABLE_ALLOWED: Flags = Flags::VALID.union(Flags::SOFTWARE);
    /// Bits that an entry that is not valid may set.
    pub const ABSENT_ALLOWED: Flags = Flags::all().difference(Flags::VALID);
    /// On an entry that is not valid: the hypervisor has put the page away that it maps. The other
    /// bits are what they were, but for [`Flags::WRITE`], which is clear, and the frame, which is
    /// zero. No guest may set it.
    pub const AWAY: u64 = 1 << 5;
}
