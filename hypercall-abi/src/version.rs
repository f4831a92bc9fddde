//! Version and features of the interface, and how the two sides agree on them.
//!
//! A guest says in its ELF note ([`crate::note`]) which version it was built for. The
//! hypervisor refuses it, before it runs, unless the major numbers are equal and the
//! guest's minor number is not above the hypervisor's. A minor version only adds:
//! calls, status codes of new calls, features, fields in places that were zero.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct AbiVersion {
    /// Changes when something that worked no longer does.
    pub major: u16,
    /// Changes when something is added.
    pub minor: u16,
}

impl AbiVersion {
    /// The version that this crate defines. 1.1 added the module of a domain, 1.2
    /// extents of 2 MiB and reports of the balloon, 1.3 pages in spare memory.
    pub const CURRENT: AbiVersion = AbiVersion { major: 1, minor: 3 };

    /// Whether a hypervisor of version `self` runs a guest built for `guest`.
    pub const fn accepts(self, guest: AbiVersion) -> bool {
        self.major == guest.major && guest.minor <= self.minor
    }

    /// As `abi_query` returns it: `major << 16 | minor`.
    pub const fn to_value(self) -> u64 {
        (self.major as u64) << 16 | self.minor as u64
    }

    /// The inverse of [`to_value`](Self::to_value); higher bits are ignored.
    pub const fn from_value(value: u64) -> AbiVersion {
        AbiVersion { major: (value >> 16) as u16, minor: value as u16 }
    }
}

/// Set of optional parts of the interface. Unknown bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct Features(u64);

bitflags::bitflags! {
    impl Features: u64 {
        /// Processes may use floating-point and vector registers; the hypervisor keeps
        /// them apart between domains.
        const FLOATING_POINT = 1 << 0;
        /// The hypervisor runs its audit after calls (a debug image): everything is slow.
        const AUDIT = 1 << 1;
        /// The hypervisor looks for pages that are alike, and lets them share a frame.
        const SHARING = 1 << 2;
        /// The hypervisor keeps pages of guests in memory that nobody owns: see
        /// [`SparePut`](crate::calls::SparePut).
        const SPARE = 1 << 3;

        const _ = !0;
    }
}

impl Features {
    /// Features that this version of the interface names.
    pub const KNOWN: Features = Features::FLOATING_POINT
        .union(Features::AUDIT)
        .union(Features::SHARING)
        .union(Features::SPARE);
}
