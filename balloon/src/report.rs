//! What the balloon tells about itself.

use hypercall_abi::Error;

/// Why the balloon stopped where it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Everything that was asked is done.
    Complete,
    /// The guest has no free page left that it could give.
    GuestEmpty,
    /// No page is a hole any more: there is nothing to deflate into.
    NoHole,
    /// The kernel could not take a page out of its map, or put it back.
    MapFailed,
    /// The hypervisor refused: for `Busy`, more pages than can be set aside; any other error
    /// at once.
    Refused(Error),
    /// The answer of the hypervisor contradicts itself: more than was asked, fewer without a
    /// reason, a frame that the guest has already.
    Nonsense,
}

/// What one operation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Frames that changed hands.
    pub moved: u64,
    /// Why it was not more.
    pub stop: Stop,
}

/// Counts since the balloon was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Frames given to the hypervisor.
    pub inflated: u64,
    /// Frames that came back.
    pub deflated: u64,
    /// Extents of 512 frames, whose frames are counted above, that were given whole.
    pub extents_inflated: u64,
    /// Extents that came back whole.
    pub extents_deflated: u64,
    /// Calls of `balloon_inflate`.
    pub inflate_calls: u64,
    /// Calls of `balloon_deflate`.
    pub deflate_calls: u64,
    /// Times that a page was refused as `Busy` and set aside.
    pub set_aside: u64,
    /// Pages that were taken from the allocator and were to go back to it with their frame.
    pub returned: u64,
    /// Frames of an answer that the guest could not take because they made no sense.
    pub rejected: u64,
    /// Pages with a frame that could be neither mapped nor kept for another try.
    pub stranded: u64,
}
