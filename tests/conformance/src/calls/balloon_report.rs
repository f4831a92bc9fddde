//! Tests of `balloon_report`.

use super::foreign;
use crate::{Check, OWN, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    Error, Mfn, Status,
    addr::Level,
    balloon_statistics::{STATISTICS_VERSION, WHOLE},
    calls::{BalloonDeflate, BalloonReport, GrantRevoke, PtCreate, grant_share::Access},
    extent::Order,
};

tests! { "balloon_report":
    statistics: "BALLOON_REPORT.2 BALLOON_REPORT.4",
    unknown_kind: "BALLOON_REPORT.1",
    unknown_version: "BALLOON_REPORT.2",
    lies: "BALLOON_REPORT.3",
    free: "BALLOON_REPORT.5 BALLOON_REPORT.6",
    comes_back: "BALLOON_REPORT.6 BALLOON_DEFLATE.5",
    bad_count: "BALLOON_REPORT.1",
    bad_order: "BALLOON_REPORT.1",
    refused_frames: "BALLOON_REPORT.5",
    same_frame_twice: "BALLOON_REPORT.5",
}

const ONE: BalloonReport = BalloonReport::Free { count: 1, order: Order::Frame };

/// Words of a record of statistics.
const WORDS: usize = 14;

/// Lays a record that says nothing into the argument frame, with one word changed.
fn lay(t: &mut Test<'_>, word: usize, value: u64) {
    for at in 0..WORDS {
        t.set_argument(OWN, at, 0);
    }
    t.set_argument(OWN, 0, STATISTICS_VERSION);
    t.set_argument(OWN, word, value);
}

fn statistics(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    for (word, value) in [(1, u64::MAX), (2, before.max_frames), (7, u64::MAX), (12, 5)] {
        lay(t, word, value);
        equal(t.ok(OWN, &BalloonReport::Statistics)?, 0, "the value")?;
    }
    let after = t.counts(OWN)?;
    equal(after.frames, before.frames, "frames")?;
    equal(after.target_frames, before.target_frames, "the target")?;
    equal(after.reported_frames, before.reported_frames, "reported frames")
}

fn unknown_kind(t: &mut Test<'_>) -> Check {
    for kind in [2, 9, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &BalloonReport::Statistics, 0, kind, Error::BadArgument)?;
    }
    Ok(())
}

fn unknown_version(t: &mut Test<'_>) -> Check {
    for version in [0, STATISTICS_VERSION + 1, u64::MAX] {
        lay(t, 0, version);
        t.refused(OWN, &BalloonReport::Statistics, Error::BadArgument)?;
    }
    Ok(())
}

fn lies(t: &mut Test<'_>) -> Check {
    let most = t.counts(OWN)?.max_frames;
    for word in 2..7 {
        for pages in [most + 1, u64::MAX] {
            lay(t, word, pages);
            t.refused(OWN, &BalloonReport::Statistics, Error::BadArgument)?;
        }
    }
    for part in 0..4 {
        lay(t, 12, (u64::from(WHOLE) + 1) << (16 * part));
        t.refused(OWN, &BalloonReport::Statistics, Error::BadArgument)?;
    }
    lay(t, 13, 1);
    t.refused(OWN, &BalloonReport::Statistics, Error::BadArgument)
}

fn free(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let before = t.counts(OWN)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    equal(t.ok(OWN, &ONE)?, 1, "frames taken")?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    let after = t.counts(OWN)?;
    equal(after.frames, before.frames - 1, "frames")?;
    equal(after.reported_frames, before.reported_frames + 1, "reported frames")?;
    equal(after.target_frames, before.target_frames, "the target")
}

fn comes_back(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let before = t.counts(OWN)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.ok(OWN, &ONE)?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    equal(t.ok(OWN, &BalloonDeflate::frames(1))?, 1, "frames given")?;
    let frame = Mfn(t.argument(OWN, 0));
    t.set_p2m(OWN, page.pfn, frame);
    let after = t.counts(OWN)?;
    equal(after.frames, before.frames, "frames")?;
    equal(after.reported_frames, before.reported_frames, "reported frames")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, 513, u64::MAX] {
        t.refused_argument(OWN, &ONE, 1, count, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_order(t: &mut Test<'_>) -> Check {
    for order in [1, 8, 10, 18, u64::MAX] {
        t.refused_argument(OWN, &ONE, 2, order, Error::BadArgument)?;
    }
    Ok(())
}

fn refused_frames(t: &mut Test<'_>) -> Check {
    let refuse = |t: &mut Test<'_>, frame: Mfn, error| {
        t.set_argument(OWN, 0, frame.0);
        t.refused(OWN, &ONE, error)
    };
    let hypervisor = t.caller().hypervisor_frame();
    refuse(t, hypervisor, Error::NotOwner)?;
    let of_peer = foreign(t, OWN)?;
    refuse(t, of_peer, Error::NotOwner)?;
    refuse(t, Mfn::NONE, Error::BadFrame)?;
    let mapped = t.page(OWN)?;
    refuse(t, mapped.frame, Error::Busy)?;
    let table = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Unpin(table.frame))?;
    t.ok(OWN, &PtCreate { frame: table.frame, level: Level::L1 })?;
    refuse(t, table.frame, Error::Busy)?;
    let root = t.root(OWN);
    refuse(t, root, Error::Busy)?;
    if t.need_peer().is_ok() {
        let page = t.unmapped_page(OWN)?;
        let grant = t.grant(OWN, page, Access::Read)?;
        refuse(t, page.frame, Error::Busy)?;
        t.ok(OWN, &GrantRevoke { grant })?;
    }
    Ok(())
}

fn same_frame_twice(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    let before = t.counts(OWN)?.reported_frames;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.set_argument(OWN, 1, page.frame.0);
    let two = BalloonReport::Free { count: 2, order: Order::Frame };
    let (status, value) = t.call(OWN, &two);
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    check(status == Status::from(Err(Error::NotOwner)), "the second is refused")?;
    equal(value, 1, "frames taken")?;
    equal(t.counts(OWN)?.reported_frames, before + 1, "reported frames")
}
