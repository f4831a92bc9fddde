//! Extents: how many frames one number stands for.

use crate::Error;

/// Frames of an extent of order 9: 2 MiB of them.
pub const EXTENT_FRAMES: u64 = 512;

/// The size of an extent, as a power of two of frames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Order {
    /// One frame: order 0.
    #[default]
    Frame,
    /// [`EXTENT_FRAMES`] contiguous frames, the first a multiple of as many: order 9.
    Extent,
}

impl Order {
    /// Frames of an extent of this order.
    #[inline]
    pub const fn frames(self) -> u64 {
        match self {
            Order::Frame => 1,
            Order::Extent => EXTENT_FRAMES,
        }
    }

    /// The order as it stands in a register.
    #[inline]
    pub const fn encode(self) -> u64 {
        match self {
            Order::Frame => 0,
            Order::Extent => 9,
        }
    }

    /// The order that stands in a register.
    ///
    /// # Errors
    /// [`Error::BadArgument`]: it is neither 0 nor 9.
    #[inline]
    pub const fn decode(value: u64) -> Result<Order, Error> {
        match value {
            0 => Ok(Order::Frame),
            9 => Ok(Order::Extent),
            _ => Err(Error::BadArgument),
        }
    }
}
