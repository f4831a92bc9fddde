//! Page-table formats as data: where the bits of an entry lie and which may be set.
//!
//! A format decodes and encodes entries; it walks nothing and knows no frame's state. All
//! formats compile everywhere, so that each is tested on any host.

use hypercall_abi::addr::{Level, Mfn, VirtAddr};
use hypercall_abi::start_info::PageTableFormat;

mod riscv64;
mod toy;
mod x86_64;

pub use riscv64::{Sv39, Sv48};
pub use toy::Toy;
pub use x86_64::X86_64;

/// What a page-table entry says, once every bit of it has been found acceptable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// Not present. Its bits may be software's, but name no frame.
    Absent,
    /// Maps one page of a frame.
    Leaf(Leaf),
    /// Names a table of the level below.
    Table(Mfn),
}

/// A leaf entry: which frame, and whether it can be written through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leaf {
    /// The frame.
    pub frame: Mfn,
    /// Whether the entry permits writing.
    pub writable: bool,
}

/// The entry sets a bit that the format reserves or the hypervisor forbids, or is a leaf
/// above level 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BadEntry;

/// Permissions of a leaf that the domain builder makes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Permissions {
    /// Writing is permitted.
    pub write: bool,
    /// Instructions can be fetched.
    pub execute: bool,
}

/// One page-table format.
pub trait Format {
    /// Its name in the interface.
    const ID: PageTableFormat;
    /// Level of the root.
    const ROOT: Level;
    /// Entries in a table; a power of two, at most 512.
    const ENTRIES: usize;
    /// First slot of a root that belongs to the hypervisor; the slots from here on do.
    const FIRST_RESERVED_SLOT: usize;

    /// The bit that the processor sets in an entry that it uses; 0: there is none.
    const ACCESSED: u64;

    /// Decodes an entry of a table of `level`.
    ///
    /// # Errors
    /// [`BadEntry`] when some bit of it is not acceptable.
    fn decode(value: u64, level: Level) -> Result<Entry, BadEntry>;

    /// The entry that maps `frame`, for the guest, accessed and dirty.
    fn leaf(frame: Mfn, permissions: Permissions) -> u64;

    /// The entry that names the table in `frame`.
    fn table(frame: Mfn) -> u64;

    /// The bit of a leaf entry that permits writing, alone.
    const WRITE: u64;

    /// The bit that marks an entry, which is not present, of a page that was put away. No entry of a
    /// guest's may have it.
    const AWAY: u64;

    /// A leaf entry as it is while its page is away: neither present nor writable, and without a
    /// frame for speculation to follow (XSA-273).
    fn away(value: u64) -> u64 {
        Self::with_frame(value, Mfn(0)) & !(1 | Self::WRITE) | Self::AWAY
    }

    /// Whether an entry is that of a page that is away.
    #[inline(always)]
    fn is_away(value: u64) -> bool {
        value & (1 | Self::AWAY) == Self::AWAY
    }

    /// The entry of a page that was away, for reading.
    fn back(value: u64, frame: Mfn) -> u64 {
        Self::with_frame(value, frame) & !Self::AWAY | 1
    }

    /// A leaf entry of the same bits for another frame.
    fn with_frame(value: u64, frame: Mfn) -> u64;

    /// Whether the processor would use an entry: it is bit 0 in every format.
    #[inline(always)]
    fn is_present(value: u64) -> bool {
        value & 1 != 0
    }

    /// Binary logarithm of [`Format::ENTRIES`].
    const INDEX_BITS: u32 = Self::ENTRIES.trailing_zeros();

    /// First address that is the hypervisor's: the guest's range is below.
    const GUEST_END: u64 =
        (Self::FIRST_RESERVED_SLOT as u64) << (12 + Self::INDEX_BITS * (Self::ROOT as u32 - 1));

    /// Index into a table of `level` for an address.
    #[inline(always)]
    fn index(address: VirtAddr, level: Level) -> usize {
        let shift = 12 + Self::INDEX_BITS * (level as u32 - 1);
        (address.0 >> shift) as usize & (Self::ENTRIES - 1)
    }
}
