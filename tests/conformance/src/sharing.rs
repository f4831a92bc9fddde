//! Pages that share a frame, where the hypervisor looks for such: each test waits until it has found
//! the pages that are alike.

use crate::{
    Check, OWN, Page, Stop, Test, calls::p2m_register::register, check, equal, registry::tests,
};
use hypercall_abi::{
    DomainId, Error, Features,
    addr::Level,
    calls::{
        AbiQuery, GrantShare, PtCreate, SchedYield, ShareAdvise, ShareBreak, abi_query::Query,
        grant_share::Access, share_advise::Advice,
    },
};

tests! { "sharing":
    a_write_copies: "SHARE.1 SHARE.4 SHARE.6 SHARE_ADVISE.4",
    a_shared_frame_is_not_named: "SHARE.7",
    breaking_up: "SHARE_BREAK.5",
}

/// Yields for which a test waits.
const PATIENCE: u32 = 400_000;

fn advise(t: &mut Test<'_>, page: Page, advice: Advice) -> Check {
    t.ok(OWN, &ShareAdvise { first: page.pfn, count: 1, advice, content: 0 }).map(|_| ())
}

/// Two pages with the same content, which share a frame from then on.
fn alike(t: &mut Test<'_>, seed: u64) -> Check<[Page; 2]> {
    let features = t.ok(OWN, &AbiQuery { query: Query::Features })?;
    if !Features::from_bits_retain(features).contains(Features::SHARING) {
        return Err(Stop::Skip("the hypervisor does not look for pages that are alike"));
    }
    register(t)?;
    let pages = [t.page(OWN)?, t.page(OWN)?];
    for page in pages {
        for word in 0..512 {
            t.write(OWN, page, word, seed.wrapping_mul(word as u64 + 1));
        }
        advise(t, page, Advice::Share)?;
    }
    for _ in 0..PATIENCE {
        if t.p2m(OWN, pages[0].pfn) == t.p2m(OWN, pages[1].pfn) {
            return Ok(pages);
        }
        t.ok(OWN, &SchedYield)?;
    }
    Err(Stop::Failure(crate::Message::new(format_args!("the pages share no frame"))))
}

/// Both pages have frames of their own again, with that in their first words.
fn apart(t: &mut Test<'_>, pages: [Page; 2], first: [u64; 2], seed: u64) -> Check {
    check(t.p2m(OWN, pages[0].pfn) != t.p2m(OWN, pages[1].pfn), "each has a frame of its own")?;
    for (page, first) in pages.into_iter().zip(first) {
        advise(t, page, Advice::Keep)?;
        equal(t.read(OWN, page, 0), first, "the first word")?;
        equal(t.read(OWN, page, 511), seed.wrapping_mul(512), "the last word")?;
    }
    Ok(())
}

fn a_write_copies(t: &mut Test<'_>) -> Check {
    const SEED: u64 = 0x1234_5678_9abc_def1;
    let before = t.counts(OWN)?;
    let pages = alike(t, SEED)?;
    let shared = t.counts(OWN)?;
    equal(shared.frames, before.frames - 2, "frames of its own")?;
    t.write(OWN, pages[1], 0, 7);
    equal(t.read(OWN, pages[0], 0), SEED, "the other page")?;
    t.write(OWN, pages[0], 0, 8);
    let after = t.counts(OWN)?;
    equal((after.frames, after.traps), (before.frames, before.traps), "frames and traps")?;
    apart(t, pages, [8, 7], SEED)
}

fn a_shared_frame_is_not_named(t: &mut Test<'_>) -> Check {
    const SEED: u64 = 0x9999_5678_1111_0001;
    let pages = alike(t, SEED)?;
    let frame = t.p2m(OWN, pages[0].pfn);
    t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::Moved)?;
    if t.need_peer().is_ok() {
        let domain = DomainId(t.domain(OWN).0 + 1);
        t.refused(OWN, &GrantShare { domain, frame, access: Access::Read }, Error::Moved)?;
    }
    for page in pages {
        t.ok(OWN, &ShareBreak { first: page.pfn, count: 1 })?;
    }
    apart(t, pages, [SEED, SEED], SEED)
}

fn breaking_up(t: &mut Test<'_>) -> Check {
    const SEED: u64 = 0x7777_5678_2222_0001;
    let pages = alike(t, SEED)?;
    for page in pages {
        advise(t, page, Advice::Keep)?;
        equal(t.ok(OWN, &ShareBreak { first: page.pfn, count: 1 })?, 1, "pages")?;
    }
    apart(t, pages, [SEED, SEED], SEED)
}
