//! Which pages may share frames: those of the core that are no page tables and are not the
//! balloon's. What is in them does not matter: a page that is written gets a frame of its own, and
//! neither the kernel nor a process notices.

use pv_guest::{
    abi::{
        Error, Pfn,
        calls::share_advise::{Advice, MAX_PAGES},
    },
    calls,
};

/// Advice about pages of a registered P2M is not refused: nothing sensible goes on from there.
fn must(result: Result<(), Error>) {
    if let Err(error) = result {
        panic!("a page that may share its frame: {error}");
    }
}

/// Pages that follow one another may share frames.
pub fn offer_all(first: Pfn, count: u64) {
    for part in (0..count).step_by(MAX_PAGES as usize) {
        let pages = MAX_PAGES.min(count - part);
        must(calls::share_advise(Pfn(first.0 + part), pages, Advice::Share, 0));
    }
}

/// A page may share its frame.
pub fn offer(page: Pfn) {
    offer_all(page, 1);
}

/// A page has a frame of its own from here on: until it is offered its frame does not change.
pub fn keep(page: Pfn) {
    must(calls::keep_page(page));
}

/// As [`keep`], where there may be no frame for it: whether it has one. If not it stays offered.
pub fn try_keep(page: Pfn) -> bool {
    let kept = calls::keep_page(page).is_ok();
    if !kept {
        offer(page);
    }
    kept
}
