//! Pages of guests in spare memory: memory that nobody owns is of use to nobody, so that guests may
//! keep copies of pages there that they could get again in another way, only not as fast. Whoever
//! needs the memory gets it as if nothing lay there: a frame with a copy counts as one that nobody
//! owns, and is scrubbed as any other before a domain has it. The guest learns of it when it asks
//! for the page and it is not there.
//!
//! The idea is that of transcendent memory (Magenheimer 2009, its ephemeral pools) and of Mortar
//! (Hwang and others, VEE 2014): a volatile store in the hypervisor's free pages.
//!
//! - `table`: which page lies where, and whose page goes when there is no room.
//! - [`crate::frame`], `spare.rs`: the frames, and in which order they go.

mod table;

pub use table::RecordIndex;
pub(crate) use table::{Place, SpareTable};

use crate::platform::Platform;
use crate::state::State;

/// What came of pages that were put and asked for, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SpareCounters {
    /// Pages that were put.
    pub put: u64,
    /// Of these, such as were kept.
    pub kept: u64,
    /// Pages that were asked for.
    pub asked: u64,
    /// Of these, such as were there.
    pub found: u64,
    /// Pages that went because the guest said so.
    pub dropped: u64,
    /// Pages that went for another page.
    pub displaced: u64,
    /// Pages that went because their frame was needed.
    pub evicted: u64,
    /// The most that were kept at a time.
    pub most: u64,
}

impl<P: Platform> State<P> {
    /// Lets guests keep so many pages in frames that nobody owns, a few more to fill the last set. The secret
    /// decides which pages stand in one another's way. False when the heap has no room, or they are more than
    /// there can be.
    pub fn enable_spare(&mut self, frames: usize, secret: [u64; 2]) -> bool {
        match SpareTable::new(frames, secret) {
            Some(table) => {
                *self.frames.kept = table;
                true
            }
            None => false,
        }
    }

    /// What came of pages that were put and asked for.
    pub fn spare_counters(&self) -> SpareCounters {
        self.frames.kept.counters
    }

    /// Pages that are kept now.
    pub fn spare_pages(&self) -> u64 {
        self.frames.spare_length().into()
    }
}
