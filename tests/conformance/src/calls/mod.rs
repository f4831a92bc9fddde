//! One file a call: its success, each of its errors, what it does to frames.

pub mod abi_query;
pub mod balloon_deflate;
pub mod balloon_inflate;
pub mod balloon_report;
pub mod batch;
pub mod console_read;
pub mod console_write;
pub mod domain_query;
pub mod event_alloc;
pub mod event_bind;
pub mod event_close;
pub mod event_mask;
pub mod event_send;
pub mod grant_map;
pub mod grant_revoke;
pub mod grant_share;
pub mod grant_unmap;
pub mod p2m_register;
pub mod pt_create;
pub mod pt_pin;
pub mod pt_switch;
pub mod pt_unpin;
pub mod pte_update;
pub mod sched_block;
pub mod sched_yield;
pub mod share_advise;
pub mod share_break;
pub mod shutdown;
pub mod spare_drop;
pub mod spare_get;
pub mod spare_put;
pub mod timer_set;
pub mod tlb_flush;
pub mod trap_register;
pub mod trap_return;

use crate::{
    caller::Side,
    entries::Permit,
    outcome::Check,
    test::{Page, Test},
};
use hypercall_abi::Mfn;

/// The largest frame number that the format of an entry can hold, where no memory is.
const BEYOND: Mfn = Mfn(Mfn::MAX.0);

/// A leaf that maps the page writable.
fn writable(t: &Test<'_>, page: Page) -> u64 {
    t.entries().leaf(page.frame, Permit::Write)
}

/// A leaf that maps the page for reading.
fn read_only(t: &Test<'_>, page: Page) -> u64 {
    t.entries().leaf(page.frame, Permit::Read)
}

/// A frame of the side's peer, or of the hypervisor where there is no peer.
fn foreign(t: &mut Test<'_>, side: Side) -> Check<Mfn> {
    if t.need_peer().is_err() {
        return Ok(t.caller().hypervisor_frame());
    }
    Ok(t.page(crate::test::other(side))?.frame)
}
