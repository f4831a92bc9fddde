//! Names that the hypervisor hands out: domains, ports, grants, handles.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Identity of a domain. Never used again for another domain while the hypervisor runs,
/// unless all of them have been used once.
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
pub struct DomainId(pub u16);

impl DomainId {
    /// As an argument: the domain that makes the call.
    pub const SELF: DomainId = DomainId(0x7ff0);

    /// The lowest identity that a guest can have.
    pub const FIRST: DomainId = DomainId(1);

    /// The highest identity that a guest can have.
    pub const LAST: DomainId = DomainId(0x7fef);

    /// Whether a guest may bear this identity: [`FIRST`](Self::FIRST) to [`LAST`](Self::LAST).
    pub const fn is_guest(self) -> bool {
        self.0 >= Self::FIRST.0 && self.0 <= Self::LAST.0
    }
}

/// Number of an event channel's end within its domain, 1 to [`Port::COUNT`] − 1.
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
pub struct Port(pub u32);

impl Port {
    /// Ports in a vCPU page's bitmaps; port 0 is never valid.
    pub const COUNT: u32 = 1024;

    /// Well-known port: the vCPU's one-shot timer has reached its deadline. Always open.
    pub const TIMER: Port = Port(1);

    /// Well-known port: console input is waiting. Always open.
    pub const CONSOLE: Port = Port(2);

    /// Well-known port: the balloon target has changed. Always open.
    pub const BALLOON: Port = Port(3);

    /// The lowest port that `event_alloc` and `event_bind` hand out.
    pub const FIRST_DYNAMIC: Port = Port(4);
}

/// Number of a grant within the domain that gives it.
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
pub struct GrantRef(pub u32);

/// Name of a mapped grant within the domain that mapped it: 24 bits, of which the upper
/// twelve are a generation, so that an old handle does not name a new mapping.
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
pub struct GrantHandle(pub u32);

impl GrantHandle {
    /// Bits that a handle can have set.
    pub const MASK: u32 = (1 << 24) - 1;

    /// A handle of a slot (0 to 4095) and a generation, of which the low twelve bits count.
    pub const fn new(slot: u16, generation: u16) -> GrantHandle {
        GrantHandle(((generation as u32 & 0xfff) << 12) | (slot as u32 & 0xfff))
    }

    /// The slot, 0 to 4095.
    pub const fn slot(self) -> u16 {
        (self.0 & 0xfff) as u16
    }

    /// The generation, 0 to 4095.
    pub const fn generation(self) -> u16 {
        ((self.0 >> 12) & 0xfff) as u16
    }
}
