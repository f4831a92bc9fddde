//! Tests of `spare_put`. Whether a page is kept is the hypervisor's choice: where it says that it has kept
//! one, a test goes on with that.

use crate::{Check, OWN, PEER, Page, Side, Test, check, equal, registry::tests};
use hypercall_abi::{
    Error, Mfn,
    calls::{SpareDrop, SpareGet, SparePut, spare_put::SpareName},
};

tests! { "spare_put":
    kept: "SPARE_PUT.3 SPARE_GET.4 SPARE_GET.5",
    in_place_of_another: "SPARE_PUT.3",
    read_only: "SPARE_PUT.4",
    names_are_the_domains_own: "SPARE_PUT.4",
    memory_counts_as_free: "SPARE_PUT.5",
    no_memory: "SPARE_PUT.1",
    not_owned: "SPARE_PUT.2",
}

/// A name that no other test uses.
pub(super) fn name(index: u64) -> SpareName {
    SpareName { object: 0x5ba7_e000_0000_0000 | index >> 8, index }
}

/// What a page of that number holds in a word.
fn word_of(content: u64, word: usize) -> u64 {
    content.wrapping_mul(0x1_0000_0001).wrapping_add(word as u64)
}

/// Fills a page.
pub(super) fn fill(t: &mut Test<'_>, side: Side, page: Page, content: u64) {
    (0..512).for_each(|word| t.write(side, page, word, word_of(content, word)));
}

/// A page holds that content.
pub(super) fn holds(t: &mut Test<'_>, side: Side, page: Page, content: u64) -> Check {
    (0..512).try_for_each(|word| {
        equal(t.read(side, page, word), word_of(content, word), "a word of the page")
    })
}

/// Puts a page of that content: whether it is kept.
pub(super) fn put(t: &mut Test<'_>, side: Side, index: u64, content: u64) -> Check<bool> {
    let page = t.page(side)?;
    fill(t, side, page, content);
    let kept = t.ok(side, &SparePut { frame: page.frame, name: name(index) })?;
    check(kept <= 1, "the value is 0 or 1")?;
    holds(t, side, page, content)?;
    Ok(kept == 1)
}

/// Asks for a page that was put: it is that, or is not there.
pub(super) fn get(t: &mut Test<'_>, side: Side, index: u64, content: u64) -> Check<bool> {
    const BEFORE: u64 = 0xbef0_0000;
    let page = t.page(side)?;
    fill(t, side, page, BEFORE);
    let found = t.ok(side, &SpareGet { frame: page.frame, name: name(index) })?;
    check(found <= 1, "the value is 0 or 1")?;
    holds(t, side, page, if found == 1 { content } else { BEFORE })?;
    Ok(found == 1)
}

/// Nothing is kept under these names any more.
pub(super) fn clear(t: &mut Test<'_>, side: Side, indices: &[u64]) -> Check {
    indices.iter().try_for_each(|index| t.ok(side, &SpareDrop { name: name(*index) }).map(drop))
}

fn kept(t: &mut Test<'_>) -> Check {
    let put = put(t, OWN, 1, 11)?;
    let found = get(t, OWN, 1, 11)?;
    check(put || !found, "a page that was not kept is not found")?;
    clear(t, OWN, &[1])
}

fn in_place_of_another(t: &mut Test<'_>) -> Check {
    put(t, OWN, 2, 11)?;
    let second = put(t, OWN, 2, 12)?;
    let found = get(t, OWN, 2, 12)?;
    check(second || !found, "neither page is found when the second was not kept")?;
    clear(t, OWN, &[2])
}

fn read_only(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    fill(t, OWN, page, 13);
    t.protect(OWN, page)?;
    t.ok(OWN, &SparePut { frame: page.frame, name: name(3) })?;
    get(t, OWN, 3, 13)?;
    // Tables are the domain's too, and it can read them.
    let root = t.root(OWN);
    t.ok(OWN, &SparePut { frame: root, name: name(3) })?;
    clear(t, OWN, &[3])
}

fn names_are_the_domains_own(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    put(t, OWN, 4, 14)?;
    check(!get(t, PEER, 4, 14)?, "another domain's page is not found")?;
    put(t, PEER, 4, 24)?;
    get(t, OWN, 4, 14)?;
    get(t, PEER, 4, 24)?;
    clear(t, PEER, &[4])?;
    clear(t, OWN, &[4])
}

fn memory_counts_as_free(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    let indices: [u64; 8] = core::array::from_fn(|index| 0x100 + index as u64);
    for index in indices {
        put(t, OWN, index, index)?;
    }
    equal(t.counts(OWN)?.frames, before.frames, "frames of the caller's")?;
    for index in indices {
        get(t, OWN, index, index)?;
    }
    clear(t, OWN, &indices)
}

fn no_memory(t: &mut Test<'_>) -> Check {
    for frame in [u64::MAX, 1 << 52, Mfn::MAX.0] {
        t.refused(OWN, &SparePut { frame: Mfn(frame), name: name(5) }, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owned(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    t.refused(OWN, &SparePut { frame: page.frame, name: name(6) }, Error::NotOwner)?;
    check(!get(t, OWN, 6, 0)?, "nothing is kept")
}
