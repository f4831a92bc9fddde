//! Every call of the hypervisor as a function of the same name.
//!
//! The functions encode the arguments, bulk arguments in the argument frame, and decode
//! status and value. They are `unsafe` where the call can take away or change memory that
//! Rust code uses; the contract is the caller's then.
#![allow(unsafe_code, reason = "the instruction of a call is assembly")]

mod events;
mod memory;
mod paging;
mod processor;
mod sharing;
mod spare;

pub use events::{event_alloc, event_bind, event_close, event_mask, event_send};
pub use memory::{
    balloon_deflate, balloon_inflate, balloon_report_free, balloon_report_statistics, domain_query,
};
pub use paging::{pt_create, pt_pin, pt_switch, pt_unpin, pte_update, tlb_flush};
pub use processor::{
    abi_query, batch, console_read, console_write, sched_block, sched_yield, shutdown, timer_set,
    trap_register, trap_return,
};
pub use sharing::{
    grant_map, grant_revoke, grant_share, grant_unmap, keep_page, keep_pages, p2m_register,
    share_advise,
};
pub use spare::{spare_drop, spare_get, spare_put};

use hypercall_abi::{Error, Status, calls::Call, stubs};

/// A call of which a prefix took effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    /// Elements that took effect, counted from the first.
    pub done: u64,
    /// Why the next one did not.
    pub error: Error,
}

impl core::fmt::Display for Partial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} after {} elements", self.error, self.done)
    }
}

impl core::error::Error for Partial {}

/// Makes a call.
///
/// # Safety
/// As the call demands: it does not take away or change memory that Rust code uses.
#[inline]
unsafe fn call<C: Call>(call: &C) -> Result<u64, Error> {
    // SAFETY: the same contract.
    let (status, value) = unsafe { stubs::call(call) };
    result(status).map(|()| value)
}

/// Makes a call whose value counts what was done, on an error too.
///
/// # Safety
/// As [`call`].
unsafe fn partial_call<C: Call>(call: &C) -> Result<u64, Partial> {
    // SAFETY: the same contract.
    let (status, value) = unsafe { stubs::call(call) };
    match result(status) {
        Ok(()) => Ok(value),
        Err(error) => Err(Partial { done: value, error }),
    }
}

fn result(status: Status) -> Result<(), Error> {
    match status.decode() {
        Some(result) => result,
        // A minor version adds codes for its own calls only.
        None => panic!("status {} is none of this version of the interface", status.0),
    }
}
