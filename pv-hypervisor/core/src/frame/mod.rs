//! The state of one machine frame: sixteen bytes, and every transition by name.
//!
//! ```text
//!   Reserved   Hypervisor            never a guest's
//!
//!   Dirty ──flush, scrub──> Free ──take──> Owned ──release──> Dirty
//!   Dirty, Free ──keep a page──> Spare ──needed, dropped──> Dirty
//!                                          Owned ──merge──> Shared ──last sharer goes──> Dirty
//!                                          Owned <──only sharer writes── Shared
//!
//!   an Owned frame's type, with its type count:
//!   None ──writable mapping──> Writable ──last one goes──> None
//!   None, WasTable ──claim──> Table ──last reference goes──> WasTable
//!   WasTable ──flush──> Writable
//! ```

use crate::domain::{MAX_DOMAINS, Slot};
use crate::spare::RecordIndex;
use crate::tlb::Epoch;
use hypercall_abi::DomainId;
use hypercall_abi::addr::Level;

mod count;
mod extent;
mod lists;
mod shared;
mod spare;
mod table;

pub use count::COUNT_MAX;
pub(crate) use count::{Before, LastReference};
pub use table::{FrameTable, Region, RegionKind};

/// Link of the free and dirty lists: an index into the frame table.
pub(crate) type Link = Option<core::num::NonZeroU32>;

/// One machine frame. A tagged union, so that no field is ever read as another (XSA-280).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Frame {
    /// Not memory that may be handed out: a hole, a device, firmware.
    Reserved,
    /// The hypervisor's own.
    Hypervisor,
    /// Nobody's, filled with zeros, in no translation cache.
    Free {
        /// The next free frame.
        next: Link,
        /// The one before it on the list.
        previous: Link,
    },
    /// Nobody's, but old content or cached translations remain.
    Dirty {
        /// The next dirty frame.
        next: Link,
        /// The one before it on the list.
        previous: Link,
        /// When it was last unmapped.
        epoch: Epoch,
    },
    /// Nobody's, and a page that a domain can do without is kept in it: see [`crate::spare`].
    Spare {
        /// The frame in the queue whose page was used next.
        next: Link,
        /// The one whose page was used before.
        previous: Link,
        /// What is known of the page.
        record: RecordIndex,
    },
    /// A domain's.
    Owned(Owned),
    /// Nobody's: pages of domains are backed by it, all for reading.
    Shared(Shared),
}

const _: () = assert!(size_of::<Frame>() == 16);

/// A frame that a domain owns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Owned {
    /// Everything that refers to the frame: one for being owned, one for each page-table
    /// entry, root, pin, grant, handle, registration and walk.
    pub references: u32,
    /// References that hold the type: writable mappings and holders of [`Type::Writable`],
    /// parents, roots, pin and walks of a [`Type::Table`].
    pub type_count: u32,
    /// When a reference last went that a processor may have cached.
    pub epoch: Epoch,
    /// The owner.
    pub owner: DomainId,
    /// What it is used as.
    pub kind: Type,
    /// For a table: how far its validation is.
    pub hold: Hold,
}

/// A frame that backs several pages: they are copied when they are written. It is never
/// mapped writable, never a page table, never granted, pinned or registered, because each of these
/// asks for a frame that the caller owns.
// Fourteen bytes: the fifteenth tells the states of a frame apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(C, packed(2))]
pub struct Shared {
    /// Pages that it backs, each of one domain. One that backs a single page may stay shared.
    pub sharers: u32,
    /// Page-table entries that name it.
    pub entries: u32,
    /// When an entry last went that a processor may have cached.
    pub epoch: Epoch,
    /// Whose pages it may back.
    pub group: GroupKey,
    /// Whether it holds nothing but zeros.
    pub zero: bool,
}

/// Which domains may share frames with one another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupKey(u8);

const _: () = assert!(MAX_DOMAINS + MAX_GROUP as usize <= u8::MAX as usize);

/// The largest number of a sharing group.
pub const MAX_GROUP: u8 = 127;

impl GroupKey {
    /// The domain in that slot, alone.
    pub(crate) const fn alone(slot: Slot) -> GroupKey {
        GroupKey(slot.index() as u8)
    }

    /// Those of the group of that number, which begins at 1.
    pub(crate) const fn of_group(number: u8) -> GroupKey {
        GroupKey(MAX_DOMAINS as u8 + number)
    }

    /// A different number for each key.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }
}

/// What an owned frame is used as. It changes only while the type count is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// Nothing in particular: mapped for reading at most.
    None,
    /// Mapped writable, or held so that it can be.
    Writable,
    /// It was a page table. A processor may still walk it, until a flush: before it becomes
    /// writable that flush must have happened.
    WasTable,
    /// A page table of that level.
    Table(Level),
}

/// How far the validation of a page table is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hold {
    /// Not a page table.
    Unheld,
    /// Being validated: entries below the walk's cursor hold their references.
    Promoting,
    /// Validated.
    Valid,
    /// Validated and pinned.
    Pinned,
    /// Being taken apart: entries below the walk's cursor still hold their references.
    Demoting,
}

impl Hold {
    /// Whether the table may be used as one.
    pub const fn is_valid(self) -> bool {
        matches!(self, Hold::Valid | Hold::Pinned)
    }
}

impl Owned {
    /// Whether it is a level-1 table whose entries hold references.
    pub(crate) fn is_leaf_table(&self) -> bool {
        self.kind == Type::Table(Level::L1) && self.hold.is_valid()
    }

    pub(crate) const fn new(owner: DomainId) -> Owned {
        Owned {
            references: 1,
            type_count: 0,
            epoch: Epoch::NEVER,
            owner,
            kind: Type::None,
            hold: Hold::Unheld,
        }
    }
}
