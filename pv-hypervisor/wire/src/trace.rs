//! One hypercall as the trace shows it.

use serde::{Deserialize, Serialize};

/// One hypercall, after it has been answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TraceRecord {
    /// The domain that called.
    pub domain: u16,
    /// The call's number, known or not.
    pub call: u64,
    /// The argument registers, in order.
    pub args: [u64; 6],
    /// The status returned.
    pub status: u64,
    /// The value returned.
    pub value: u64,
    /// Ticks of the counter from entry to answer.
    pub ticks: u64,
}
