//! The device side of virtio-balloon, so that a guest whose driver is not ours can be ballooned by the
//! same policies: Linux's own, unmodified. Virtio 1.2, section 5.5; split virtqueues.
//!
//! ```text
//!   Planner ---- target ----> num_pages ...................> driver
//!   Evidence <-- statistics,  inflateq, deflateq, statsq,      |
//!   Stalls   <-- counters --- reporting_vq  <------------------+
//!                   |
//!                   v  take, give
//!                Backing: the hypervisor's frames
//! ```
//!
//! A transport (PCI, MMIO) is not here: it hands accesses to its registers to [`Device`], kicks as well,
//! and lets [`Device::step`] work off what is to be done, a bounded piece at a time. The hypervisor lends
//! the guest's memory ([`GuestMemory`]) and its frames ([`Backing`]).
//!
//! Everything that a guest writes is an allegation. Each thing is read once and checked then; nothing is
//! looked at ahead, so that nothing can be exchanged in between. What is wrong has a name ([`Fault`]); the
//! device then needs a reset, takes nothing more, and knows of each page where it is ([`PageMap`]).
//!
//! The queues are our own. `virtio-queue` of rust-vmm (0.18) is the crate for this elsewhere; it needs `std`
//! and reads memory through `vm-memory`, which maps it into a process. A hypervisor's image has neither.
//!
//! Nothing in the image uses this yet: Paravane's guests are all modified, and have [`crate::Balloon`]. An
//! unmodified one needs hardware virtualization, or shadow tables.

mod backing;
mod config;
mod device;
mod fault;
mod map;
mod memory;
mod negotiation;
mod queue;
mod serve;
mod statistics;

pub use backing::Backing;
pub use config::{CONFIG_BYTES, Config};
pub use device::{Counters, Device, Interrupts, QueueRefused, Step};
pub use fault::{Fault, Untouchable};
pub use map::{PageMap, Place};
pub use memory::{GuestAddress, GuestMemory, OutsideMemory};
pub use negotiation::{Features, Status};
pub use queue::{MAX_QUEUE_SIZE, QueueSetup};
pub use serve::STEP_PAGES;
pub use statistics::Told;

/// The number of the device among virtio's.
pub const DEVICE_ID: u32 = 5;

/// Queues, by their numbers.
pub mod queues {
    /// Pages that the guest gives.
    pub const INFLATE: u16 = 0;
    /// Pages that it wants back.
    pub const DEFLATE: u16 = 1;
    /// What it says of itself.
    pub const STATISTICS: u16 = 2;
    /// Free pages that it reports, by Linux's number: it counts the queues that there are, and the one
    /// for hints, number 3 of the specification, is not.
    pub const REPORTING_AS_LINUX: u16 = 3;
    /// Free pages that it reports, by the specification's number. A driver sets one of the two up.
    pub const REPORTING: u16 = 4;
    /// How many.
    pub const COUNT: usize = 5;
}
