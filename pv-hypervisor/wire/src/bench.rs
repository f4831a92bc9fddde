//! One measurement of the bench guest.

use crate::Name;
use serde::{Deserialize, Serialize};

/// One row of `cargo xtask bench`: sent by the bench guest through its report stream, as
/// one [`record`](crate::record) a call of `console_write`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct BenchRow {
    /// What was measured: a key of `xtask`'s table of baselines, such as `null_hypercall`.
    pub name: Name,
    /// Guest instructions in all, the median of several runs.
    pub instructions: u64,
    /// Operations that they were spent on: what is printed is `instructions / per`.
    pub per: u32,
}
