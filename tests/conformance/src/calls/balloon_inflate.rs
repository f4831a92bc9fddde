//! Tests of `balloon_inflate`.

use super::{BEYOND, foreign};
use crate::{
    Check, OWN, Page, Test, Touch, check, equal, journal::Undo, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn, Status,
    addr::Level,
    calls::{
        BalloonDeflate, BalloonInflate, PtPin, PteUpdate,
        grant_share::Access,
        pte_update::{Target, Update},
    },
    extent::EXTENT_FRAMES,
    start_info::{ARGUMENT_PFN, VCPU_PAGE_PFN},
};

tests! { "balloon_inflate":
    one: "BALLOON_INFLATE.5",
    several: "BALLOON_INFLATE.5",
    frame_is_gone: "BALLOON_INFLATE.5",
    scrubbed: "BALLOON_INFLATE.6 BALLOON_DEFLATE.5 BALLOON_DEFLATE.7 FRAME.2",
    stale_translation: "BALLOON_INFLATE.6 FRAME.17 XSA-346 XSA-511",
    bad_count: "BALLOON_INFLATE.1 XSA-31 XSA-448",
    bad_order: "BALLOON_INFLATE.1",
    extent_of_one: "BALLOON_INFLATE.3 BALLOON_INFLATE.8",
    misaligned_extent: "BALLOON_INFLATE.2",
    bad_frame: "BALLOON_INFLATE.2 XSA-32",
    not_owner: "BALLOON_INFLATE.3",
    mapped: "BALLOON_INFLATE.4 XSA-222",
    mapped_for_reading: "BALLOON_INFLATE.4 XSA-222",
    page_table: "BALLOON_INFLATE.4 XSA-252",
    granted: "BALLOON_INFLATE.4",
    registered: "BALLOON_INFLATE.4 VCPU.1 FRAME.13 RULE.13 XSA-276 XSA-507",
    same_frame_twice: "BALLOON_INFLATE.3",
    prefix: "BALLOON_INFLATE.5 ERROR.2 XSA-277 XSA-389",
}

const ONE: BalloonInflate = BalloonInflate::frames(1);

/// Gives pages away; they are had again after the test.
fn give(t: &mut Test<'_>, pages: &[Page]) -> Check {
    for (word, page) in pages.iter().enumerate() {
        t.note(OWN, Undo::Populate(page.pfn))?;
        t.set_argument(OWN, word, page.frame.0);
    }
    let count = pages.len() as u64;
    equal(t.ok(OWN, &BalloonInflate::frames(count))?, count, "frames taken")?;
    for page in pages {
        t.set_p2m(OWN, page.pfn, Mfn::NONE);
    }
    Ok(())
}

/// The page's frame, which must be refused.
fn refuse(t: &mut Test<'_>, frame: Mfn, error: Error) -> Check {
    t.set_argument(OWN, 0, frame.0);
    t.refused(OWN, &ONE, error)
}

fn one(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let before = t.counts(OWN)?;
    give(t, &[page])?;
    equal(t.counts(OWN)?.frames, before.frames - 1, "frames")
}

fn several(t: &mut Test<'_>) -> Check {
    let pages = [t.unmapped_page(OWN)?, t.unmapped_page(OWN)?, t.unmapped_page(OWN)?];
    let before = t.counts(OWN)?;
    give(t, &pages)?;
    equal(t.counts(OWN)?.frames, before.frames - 3, "frames")
}

fn frame_is_gone(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let (open, closed) = (super::writable(t, page), super::read_only(t, page));
    give(t, &[page])?;
    let table = t.table(OWN, Level::L1)?;
    for value in [open, closed] {
        let target = Target::Entry { table: table.frame, index: 0 };
        t.refused(OWN, &PteUpdate::One(Update::new(target, value)), Error::NotOwner)?;
    }
    t.refused(OWN, &PtPin { frame: page.frame, level: Level::L1 }, Error::NotOwner)?;
    refuse(t, page.frame, Error::NotOwner)
}

fn scrubbed(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, 0xdead_beef_dead_beef);
    }
    t.unmap(OWN, page)?;
    give(t, &[page])?;
    // Which frame comes back is the hypervisor's to choose; what is in it is not.
    let frame = t.populate(OWN, page.pfn)?;
    let leaf = t.entries().leaf(frame, crate::Permit::Read);
    t.map(OWN, SCRATCH, leaf)?;
    for word in 0..512 {
        let address = hypercall_abi::VirtAddr(SCRATCH.0 + 8 * word);
        equal(t.reaches(OWN, address, Touch::Read)?, 0, "a word of the new frame")?;
    }
    Ok(())
}

fn stale_translation(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let leaf = super::writable(t, page);
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    t.set_entry(OWN, table, index, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(5))?;
    t.set_entry(OWN, table, index, 0)?;
    give(t, &[page])?;
    // Take frames until this one comes back, if it does; by then nobody may write to it
    // through what was cached.
    let frame = t.populate(OWN, page.pfn)?;
    let _ = t.touch(OWN, SCRATCH, Touch::Write(0xbad));
    let leaf = t.entries().leaf(frame, crate::Permit::Read);
    let other = hypercall_abi::VirtAddr(SCRATCH.0 + 4096);
    t.map(OWN, other, leaf)?;
    equal(t.reaches(OWN, other, Touch::Read)?, 0, "the first word of the new frame")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, 513, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &ONE, 0, count, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_order(t: &mut Test<'_>) -> Check {
    for order in [1, 8, 10, 18, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &ONE, 1, order, Error::BadArgument)?;
    }
    Ok(())
}

/// A domain that owns one frame of an extent, and hardly all others: the frame stays.
fn extent_of_one(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let before = t.counts(OWN)?;
    let first = Mfn(page.frame.0 & !(EXTENT_FRAMES - 1));
    t.set_argument(OWN, 0, first.0);
    let (status, value) = t.call(OWN, &BalloonInflate::extents(1));
    // Which it is depends on the frames around it.
    let refused = [Error::BadFrame, Error::NotOwner, Error::Busy];
    check(refused.map(|error| Status::from(Err(error))).contains(&status), "it is refused")?;
    equal(value, 0, "extents taken")?;
    equal(t.counts(OWN)?.frames, before.frames, "frames")?;
    give(t, &[page])
}

fn misaligned_extent(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    for frame in [page.frame.0 | 1, page.frame.0 & !511 | 256, !511] {
        t.set_argument(OWN, 0, frame);
        t.refused(OWN, &BalloonInflate::extents(1), Error::BadFrame)?;
    }
    Ok(())
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(1 << 40), Mfn(1 << 52), Mfn::NONE] {
        refuse(t, frame, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    refuse(t, frame, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    refuse(t, frame, Error::NotOwner)
}

fn mapped(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    refuse(t, page.frame, Error::Busy)?;
    t.write(OWN, page, 0, 8);
    equal(t.read(OWN, page, 0), 8, "the page")
}

fn mapped_for_reading(t: &mut Test<'_>) -> Check {
    let page = t.table_page(OWN)?;
    refuse(t, page.frame, Error::Busy)
}

fn page_table(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &hypercall_abi::calls::PtCreate { frame: page.frame, level: Level::L1 })?;
    refuse(t, page.frame, Error::Busy)?;
    let root = t.root(OWN);
    refuse(t, root, Error::Busy)
}

fn granted(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    for access in [Access::Read, Access::ReadWrite] {
        let page = t.unmapped_page(OWN)?;
        let grant = t.grant(OWN, page, access)?;
        refuse(t, page.frame, Error::Busy)?;
        t.ok(OWN, &hypercall_abi::calls::GrantRevoke { grant })?;
        give(t, &[page])?;
    }
    Ok(())
}

fn registered(t: &mut Test<'_>) -> Check {
    for page in [VCPU_PAGE_PFN, ARGUMENT_PFN] {
        let frame = t.p2m(OWN, page);
        refuse(t, frame, Error::Busy)?;
    }
    Ok(())
}

fn same_frame_twice(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.set_argument(OWN, 1, page.frame.0);
    t.refused_after(OWN, &BalloonInflate::frames(2), Error::NotOwner, 1)?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    Ok(())
}

fn prefix(t: &mut Test<'_>) -> Check {
    let (one, two, three) = (t.unmapped_page(OWN)?, t.page(OWN)?, t.unmapped_page(OWN)?);
    let before = t.counts(OWN)?;
    t.note(OWN, Undo::Populate(one.pfn))?;
    for (word, page) in [one, two, three].into_iter().enumerate() {
        t.set_argument(OWN, word, page.frame.0);
    }
    t.refused_after(OWN, &BalloonInflate::frames(3), Error::Busy, 1)?;
    t.set_p2m(OWN, one.pfn, Mfn::NONE);
    equal(t.counts(OWN)?.frames, before.frames - 1, "frames")?;
    // The one after the refused one is the domain's still.
    give(t, &[three])?;
    let deflate = t.call(OWN, &BalloonDeflate::frames(1));
    check(crate::undo::succeeded(deflate), "a frame comes back")?;
    let frame = Mfn(t.argument(OWN, 0));
    t.set_p2m(OWN, three.pfn, frame);
    Ok(())
}
