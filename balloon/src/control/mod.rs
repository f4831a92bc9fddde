//! From targets to orders: when memory is taken, from whom, and when not.
//!
//! - Memory is taken only when somebody else needs it now ([`Reclaim::Lazy`]) and the machine is short
//!   ([`MemoryState`]). Growth waits for nothing but free frames.
//! - Nothing is taken from a guest under pressure ([`Protection`]), or below its minimum.
//! - A balloon that does not move ([`StallDetector`]) is not asked again and again: its guest's
//!   pages are taken by force.
//! - A guest is admitted only if its minimum and what it costs the hypervisor are still to be had
//!   ([`Admission`]).

mod admission;
mod planner;
mod protection;
mod stall;
mod state;

pub use admission::{Admission, Refusal, Reservation};
pub use planner::{Member, Order, Outlook, Planner, Reclaim, Room};
pub use protection::{Backoff, Protection};
pub use stall::{Patience, StallDetector};
pub use state::{MemoryState, Thresholds};

/// A moment, in rounds of the controller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tick(pub u64);
