//! Machines full of guests, without a machine: the code of `balloon` that decides (policies,
//! estimates, plans) is the one that ships; what is simulated is what guests need, and what their
//! balloons and the sampler see of it.
//!
//! [`reclaim`] is about one guest, page by page: what it costs to take memory from it in one way or
//! another; [`threshold`] about what it means that a part of what is idle can be taken.
//!
//! Everything follows from a seed. It is a model: it ranks policies, and its absolute figures are
//! its own.

#![forbid(unsafe_code)]

pub mod estimate;
mod fleet;
mod machine;
pub mod reclaim;
mod result;
pub mod threshold;
pub mod timing;
mod trace;

pub use fleet::{Fleet, Scheme};
pub use machine::{Knowledge, Machine, MachineSize, Sight};
pub use result::{Score, jain};
pub use trace::{Kind, Trace};

/// Length of a round, in seconds.
pub const TICK_SECONDS: u64 = 10;

/// Rounds of an hour.
pub const TICKS_PER_HOUR: u64 = 3_600 / TICK_SECONDS;
