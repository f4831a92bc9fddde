//! Tests of `share_advise`.

use super::p2m_register::register;
use crate::{Check, OWN, PEER, Test, equal, registry::tests};
use hypercall_abi::{
    Error, Pfn,
    calls::{ShareAdvise, share_advise::Advice},
};

tests! { "share_advise":
    advises: "SHARE_ADVISE.4 SHARE_ADVISE.5",
    bad_arguments: "SHARE_ADVISE.1",
    not_registered: "SHARE_ADVISE.2",
    beyond_the_slots: "SHARE_ADVISE.3",
}

fn advise(first: u64, count: u64, content: u64) -> ShareAdvise {
    ShareAdvise { first: Pfn(first), count, advice: Advice::Share, content }
}

fn advises(t: &mut Test<'_>) -> Check {
    register(t)?;
    let page = t.unmapped_page(OWN)?;
    // Pages that nobody has advised are kept: the rest of the tests wants them so.
    for content in [0, 5] {
        equal(t.ok(OWN, &advise(page.pfn.0, 1, content))?, 1, "pages")?;
        let keep = ShareAdvise { advice: Advice::Keep, ..advise(page.pfn.0, 1, content) };
        equal(t.ok(OWN, &keep)?, 1, "pages")?;
    }
    Ok(())
}

fn bad_arguments(t: &mut Test<'_>) -> Check {
    let one = advise(0, 1, 0);
    for count in [0, 32769, u64::MAX] {
        t.refused_argument(OWN, &one, 1, count, Error::BadArgument)?;
    }
    let identified = advise(0, 1, 7);
    t.refused_argument(OWN, &identified, 1, 65, Error::BadArgument)?;
    for advice in [2, 1 << 32] {
        t.refused_argument(OWN, &one, 2, advice, Error::BadArgument)?;
    }
    Ok(())
}

fn not_registered(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    t.refused(PEER, &advise(0, 1, 0), Error::NotRegistered)
}

fn beyond_the_slots(t: &mut Test<'_>) -> Check {
    register(t)?;
    let end = t.counts(OWN)?.max_frames.next_multiple_of(512);
    for (first, count) in [(end, 1), (end - 1, 2), (u64::MAX, 1), (u64::MAX, 2)] {
        t.refused(OWN, &advise(first, count, 0), Error::BadArgument)?;
    }
    Ok(())
}
