//! Tests of `share_break`. Where nothing is shared it changes nothing.

use super::p2m_register::register;
use crate::{Check, OWN, PEER, Test, equal, registry::tests};
use hypercall_abi::{Error, Pfn, calls::ShareBreak};

tests! { "share_break":
    nothing_is_shared: "SHARE_BREAK.5 SHARE_BREAK.6",
    bad_count: "SHARE_BREAK.1",
    not_registered: "SHARE_BREAK.2",
    beyond_the_slots: "SHARE_BREAK.3",
}

const ONE: ShareBreak = ShareBreak { first: Pfn(0), count: 1 };

fn nothing_is_shared(t: &mut Test<'_>) -> Check {
    register(t)?;
    let page = t.page(OWN)?;
    t.write(OWN, page, 0, 5);
    let before = t.counts(OWN)?;
    let first = Pfn(page.pfn.0.saturating_sub(20));
    equal(t.ok(OWN, &ShareBreak { first, count: 30 })?, 30, "pages")?;
    equal(t.counts(OWN)?.frames, before.frames, "frames")?;
    equal(t.p2m(OWN, page.pfn), page.frame, "the slot")?;
    equal(t.read(OWN, page, 0), 5, "the page")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, 513, u64::MAX] {
        t.refused_argument(OWN, &ONE, 1, count, Error::BadArgument)?;
    }
    Ok(())
}

fn not_registered(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    t.refused(PEER, &ONE, Error::NotRegistered)
}

fn beyond_the_slots(t: &mut Test<'_>) -> Check {
    register(t)?;
    let end = t.counts(OWN)?.max_frames.next_multiple_of(512);
    for (first, count) in [(end, 1), (end - 1, 2), (u64::MAX, 1), (u64::MAX, 2)] {
        t.refused(OWN, &ShareBreak { first: Pfn(first), count }, Error::BadArgument)?;
    }
    Ok(())
}
