//! The state of one machine frame: sixteen bytes, and every transition by name.
//!
//! ```text
//!   Reserved   Hypervisor            never a guest's
//!
//!   Dirty ──flush, scrub──> Free ──take──> Owned ──release──> Dirty
//!
//!   an Owned frame's type, with its type count:
//!   None ──writable mapping──> Writable ──last one goes──> None
//!   None, WasTable ──claim──> Table ──last reference goes──> WasTable
//!   WasTable ──flush──> Writable
//! ```

use crate::tlb::Epoch;
use hypercall_abi::DomainId;
use hypercall_abi::addr::Level;

mod count;
mod extent;
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
    /// A domain's.
    Owned(Owned),
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

/// What an owned frame is used as. It changes only while the type count is zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// Nothing in particular: mapped for reading at most.
    None,
    /// It was a page table. A processor may still walk it, until a flush: before it becomes
    /// writable that flush must have happened.
    WasTable,
    /// Mapped writable, or held so that it can be.
    Writable,
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
