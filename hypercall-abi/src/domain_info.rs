//! What `domain_query` tells: the hypervisor's own counts of a domain.

use crate::DomainId;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Counts of a domain: 104 bytes at the start of the argument frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DomainInfo {
    /// The domain.
    pub domain: DomainId,
    /// Reserved: 0.
    pub reserved: [u16; 3],
    /// Frames that it owns.
    pub frames: u64,
    /// Frames that it may own at most.
    pub max_frames: u64,
    /// Frames that it owns and that are validated page tables.
    pub table_frames: u64,
    /// Page tables that are pinned.
    pub pinned_tables: u64,
    /// Grants that it gives.
    pub grants: u64,
    /// Grants of others that it has mapped.
    pub handles: u64,
    /// Ports that are open, the well-known ones included.
    pub ports: u64,
    /// Calls that it has made, elements of batches included.
    pub calls: u64,
    /// Calls that were refused.
    pub refusals: u64,
    /// Traps delivered to its kernel.
    pub traps: u64,
    /// Frames that the operator would like it to own: where its balloon should go.
    pub target_frames: u64,
    /// Frames that its kernel has reported as free and that have not come back.
    pub reported_frames: u64,
}

const _: () = assert!(size_of::<DomainInfo>() == 104);
