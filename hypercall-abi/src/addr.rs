//! Numbers of frames and addresses: one newtype for each kind, and no way to turn one
//! into another without the map that relates them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Base-two logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// Bytes in a page and in a machine frame.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// Entries, of eight bytes each, in a page table.
pub const TABLE_ENTRIES: u64 = 512;

/// Number of a 4 KiB frame of real memory: its machine address divided by 4096.
///
/// A guest may hold any number; only one that the domain owns, or that a live grant
/// handle names, is worth anything. Range: below 2^40 (a 52-bit machine address).
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
)]
#[repr(transparent)]
pub struct Mfn(pub u64);

impl Mfn {
    /// In a P2M slot: no machine frame backs this page (a balloon hole).
    pub const NONE: Mfn = Mfn(u64::MAX);

    /// In a registered P2M slot: the hypervisor has put the page's content away, and took its frame.
    /// It comes back when the page is used, or by `share_break`.
    pub const AWAY: Mfn = Mfn(u64::MAX - 1);

    /// The largest number that can be a frame: machine addresses have at most 52 bits.
    pub const MAX: Mfn = Mfn((1 << 40) - 1);

    /// Machine address of the frame's first byte, or `None` beyond [`Mfn::MAX`].
    pub const fn address(self) -> Option<u64> {
        if self.0 <= Mfn::MAX.0 { Some(self.0 << PAGE_SHIFT) } else { None }
    }

    /// The frame that holds machine address `address`.
    pub const fn containing(address: u64) -> Mfn {
        Mfn(address >> PAGE_SHIFT)
    }
}

/// Number of a page in a guest's own contiguous memory `0..n`.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
)]
#[repr(transparent)]
pub struct Pfn(pub u64);

/// A virtual address of the guest kernel or of one of its processes.
///
/// The guest may use the low half of the address space, see
/// [`StartInfo::guest_end`](crate::start_info::StartInfo::guest_end).
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
)]
#[repr(transparent)]
pub struct VirtAddr(pub u64);

impl VirtAddr {
    /// Number of the virtual page that holds this address.
    pub const fn page(self) -> Vpn {
        Vpn(self.0 >> PAGE_SHIFT)
    }

    /// Whether the address is the first of a page.
    pub const fn is_page_aligned(self) -> bool {
        self.0 & (PAGE_SIZE - 1) == 0
    }
}

/// Number of a virtual page: a virtual address divided by 4096.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct Vpn(pub u64);

impl Vpn {
    /// Address of the page's first byte.
    pub const fn address(self) -> VirtAddr {
        VirtAddr(self.0 << PAGE_SHIFT)
    }
}

/// Level of a page table: 1 holds leaf entries, the root is level 3 (Sv39) or 4
/// (x86-64, Sv48).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Level {
    /// Its entries map pages.
    L1 = 1,
    /// Its entries name level-1 tables.
    L2 = 2,
    /// Its entries name level-2 tables; the root of Sv39.
    L3 = 3,
    /// Its entries name level-3 tables; the root of x86-64 and Sv48.
    L4 = 4,
}

impl Level {
    /// The level of that number, if there is one.
    pub const fn new(number: u64) -> Option<Level> {
        match number {
            1 => Some(Level::L1),
            2 => Some(Level::L2),
            3 => Some(Level::L3),
            4 => Some(Level::L4),
            _ => None,
        }
    }

    /// The level that this level's entries name; `None` for level 1.
    pub const fn below(self) -> Option<Level> {
        Level::new(self as u64 - 1)
    }

    /// The level whose entries name tables of this one; `None` for level 4.
    pub const fn above(self) -> Option<Level> {
        Level::new(self as u64 + 1)
    }

    /// 1 to 4.
    pub const fn number(self) -> u8 {
        self as u8
    }
}
