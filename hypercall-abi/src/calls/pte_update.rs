//! `pte_update`: the one way to write the entry of a validated page table.

use super::{Args, Call};
use crate::{Error, Mfn, Number, PAGE_SIZE, VirtAddr, addr::TABLE_ENTRIES};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Updates that the argument frame holds at most.
pub const MAX_UPDATES: u64 = 256;

/// Changes entries of page tables. Each new value is validated as `pt_pin` does before it is
/// written; what it names gains a reference, what the old value named loses one. Updates take
/// effect in order up to the first that is refused; the value counts those that did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PteUpdate {
    /// One update, in the registers: argument 0 is 0, then target and value.
    One(Update),
    /// Updates in the argument frame, [`Update`]s of 16 bytes each: argument 0 counts them,
    /// 1 to [`MAX_UPDATES`].
    Many(u64),
}

impl Call for PteUpdate {
    const NUMBER: Number = Number::PteUpdate;

    #[inline]
    fn decode(args: &Args) -> Result<Self, Error> {
        match args[0] {
            0 => Ok(PteUpdate::One(Update { target: TargetBits(args[1]), value: args[2] })),
            count if count <= MAX_UPDATES => Ok(PteUpdate::Many(count)),
            _ => Err(Error::BadArgument),
        }
    }

    fn encode(&self) -> Args {
        match *self {
            PteUpdate::One(update) => [0, update.target.0, update.value, 0, 0, 0],
            PteUpdate::Many(count) => [count, 0, 0, 0, 0, 0],
        }
    }
}

/// One update: 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Update {
    /// Which entry.
    pub target: TargetBits,
    /// Its new value: an entry in the format of the architecture.
    pub value: u64,
}

const _: () = assert!(size_of::<Update>() == 16);

impl Update {
    /// The update that writes `value` to `target`.
    pub const fn new(target: Target, value: u64) -> Update {
        Update { target: target.encode(), value }
    }

    /// The update that maps a page of the caller's, whatever frame backs it: the frame field of
    /// `value` holds the page's number, a [`Pfn`](crate::Pfn). The page must be one of the
    /// registered P2M.
    pub const fn of_page(target: Target, value: u64) -> Update {
        Update { target: target.encode().naming_page(), value }
    }
}

/// A [`Target`] as it travels: an address with three bits below it.
///
/// | bits | meaning |
/// |---|---|
/// | 63:3 | [`Target::Entry`]: machine address of the entry. Else: virtual address of the page |
/// | 3 | with a virtual address: the value names a page, see [`TargetBits::by_page`] |
/// | 2 | flush the page's translation afterwards; only with a virtual address |
/// | 1:0 | 0 entry, 1 virtual address below the kernel root, 2 below the user root, 3 entry whose value names a page |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct TargetBits(pub u64);

/// Mark of a virtual address in [`TargetBits`]: the value names a page.
const BY_PAGE: u64 = 8;

/// Which entry an update changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// The entry of that index, 0 to 511, in a table of any level.
    Entry {
        /// The table's frame.
        table: Mfn,
        /// The entry's index.
        index: u16,
    },
    /// The level-1 entry that maps a page of one of the caller's current address spaces.
    Page {
        /// Which address space.
        space: Space,
        /// First byte of the page.
        address: VirtAddr,
        /// Whether to flush the page's translation on this processor afterwards.
        flush: bool,
    },
}

/// An address space of the calling vCPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// Below the kernel root.
    Kernel,
    /// Below the user root.
    User,
}

impl Target {
    /// As it travels.
    pub const fn encode(self) -> TargetBits {
        match self {
            Target::Entry { table, index } => {
                TargetBits((table.0 << 12) | ((index as u64 % TABLE_ENTRIES) << 3))
            }
            Target::Page { space, address, flush } => {
                let space = match space {
                    Space::Kernel => 1,
                    Space::User => 2,
                };
                TargetBits((address.0 & !7) | ((flush as u64) << 2) | space)
            }
        }
    }
}

impl TargetBits {
    /// The page whose translation is to be flushed, if the flush bit is set.
    #[inline]
    pub const fn flushes(self) -> Option<VirtAddr> {
        if self.0 & 4 != 0 { Some(VirtAddr(self.0 & !(PAGE_SIZE - 1))) } else { None }
    }

    /// The same target, of an update whose value names a page instead of a frame.
    pub const fn naming_page(self) -> TargetBits {
        if self.0 & 3 == 0 { TargetBits(self.0 | 3) } else { TargetBits(self.0 | BY_PAGE) }
    }

    /// The target of an update whose value names a page: its bits without that mark. `None`
    /// when the value names a frame.
    #[inline]
    pub const fn by_page(self) -> Option<TargetBits> {
        match self.0 & 3 {
            3 => Some(TargetBits(self.0 & !3)),
            1 | 2 if self.0 & BY_PAGE != 0 => Some(TargetBits(self.0 & !BY_PAGE)),
            _ => None,
        }
    }

    /// The target that the bits mean, where the value names a frame.
    ///
    /// # Errors
    /// [`Error::BadArgument`]: a flush with an entry, an address that is not the first of a page,
    /// the mark of [`by_page`](Self::by_page).
    #[inline]
    pub const fn decode(self) -> Result<Target, Error> {
        if self.0 & 7 == 0 {
            let index = (self.0 >> 3) % TABLE_ENTRIES;
            return Ok(Target::Entry { table: Mfn::containing(self.0), index: index as u16 });
        }
        let flush = self.0 & 4 != 0;
        let space = match self.0 & 3 {
            1 => Space::Kernel,
            2 => Space::User,
            _ => return Err(Error::BadArgument),
        };
        let address = VirtAddr(self.0 & !7);
        if !address.is_page_aligned() {
            return Err(Error::BadArgument);
        }
        Ok(Target::Page { space, address, flush })
    }
}
