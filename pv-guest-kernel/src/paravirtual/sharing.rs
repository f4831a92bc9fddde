//! Which pages may share frames: those of the core that are no page tables and are not the
//! balloon's. What is in them does not matter: a page that is written gets a frame of its own, and
//! neither the kernel nor a process notices.

use pv_guest::{
    abi::{
        Error, Pfn,
        calls::share_advise::{Advice, MAX_PAGES},
        extent::EXTENT_FRAMES,
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

/// A page of a file may share its frame, with pages that were named by the same number first of all.
pub fn name(page: Pfn, content: u64) {
    must(calls::share_advise(page, 1, Advice::Share, content));
}

/// Whether a page has a frame of its own from here on: until it is offered its frame does not
/// change. It has none when it shares one and the hypervisor has no other: it stays offered.
#[must_use]
pub fn keep(page: Pfn) -> bool {
    keep_all(page, 1)
}

/// As [`keep`] for the pages of an extent: whether each has a frame of its own from here on. When one
/// has none, all stay offered.
#[must_use]
pub fn keep_extent(first: Pfn) -> bool {
    keep_all(first, EXTENT_FRAMES)
}

fn keep_all(first: Pfn, count: u64) -> bool {
    let kept = calls::keep_pages(first, count);
    match kept {
        Ok(()) => return true,
        Err(Error::NoMemory) => offer_all(first, count),
        Err(_) => must(kept),
    }
    false
}
