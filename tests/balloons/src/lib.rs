//! Two guests of one machine under one policy: one has our driver, the other one for virtio-balloon, as an
//! unmodified Linux has. A third domain needs memory, both give; then it needs it no more, and both get it
//! back. `cargo xtask experiment virtio-balloon` plays it.
//!
//! The frames are those of the real core, on its model of a machine: each page that goes is unmapped and
//! inflated by calls of a domain, and the audit looks at the whole machine at every stage. What stands in for
//! hardware is this: the unmodified guest is a domain too, and what a hypervisor would do to its nested
//! tables is done by calls in its name (`unmodified`). Its driver is written by the specification.

#![forbid(unsafe_code)]

#[cfg(feature = "play")]
mod elsewhere;
#[cfg(feature = "play")]
mod frames;
#[cfg(feature = "play")]
mod paravirtual;
#[cfg(feature = "play")]
mod play;
mod played;
#[cfg(feature = "play")]
mod unmodified;

#[cfg(feature = "play")]
pub use play::play;
pub use played::{Moves, Played, Round};

use hypercall_abi::extent::EXTENT_FRAMES;

/// How large all of it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Extents of 2 MiB with which each of both guests can do without; a multiple of 8.
    pub spare_extents: u64,
}

impl Size {
    /// Guests of 768 MiB that can do without 512, so that 1 GiB goes in all.
    pub const GIB: Size = Size { spare_extents: 256 };

    /// Pages with which each can do without: its last.
    pub const fn spare(self) -> u64 {
        self.spare_extents * EXTENT_FRAMES
    }

    /// Pages that each believes to have.
    pub const fn guest(self) -> u64 {
        self.spare() * 3 / 2
    }

    /// The first of those it can do without.
    #[cfg(feature = "play")]
    const fn first_spare(self) -> u64 {
        self.guest() - self.spare()
    }
}
