//! Tests of `balloon_deflate`.

use crate::{
    Check, OWN, PEER, Page, Permit, Side, Stop, Test, Touch, check, equal, journal::Undo,
    registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn, Status, VirtAddr,
    calls::{BalloonDeflate, BalloonInflate},
    extent::EXTENT_FRAMES,
};

tests! { "balloon_deflate":
    one: "BALLOON_DEFLATE.4 BALLOON_DEFLATE.6",
    several: "BALLOON_DEFLATE.4 BALLOON_DEFLATE.6",
    frames_are_zeros: "BALLOON_DEFLATE.5 FRAME.3 FRAME.19 XSA-100",
    rest_of_argument_frame: "BALLOON_DEFLATE.6",
    bad_count: "BALLOON_DEFLATE.1 XSA-31 XSA-158 XSA-385 XSA-448",
    bad_order: "BALLOON_DEFLATE.1",
    extent: "BALLOON_DEFLATE.3 BALLOON_DEFLATE.5 BALLOON_DEFLATE.8",
    quota: "BALLOON_DEFLATE.2 XSA-158 XSA-383 XSA-385 XSA-389",
    no_memory: "BALLOON_DEFLATE.3",
}

/// A page without a frame.
fn hole(t: &mut Test<'_>) -> Check<Page> {
    let page = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    Ok(page)
}

fn one(t: &mut Test<'_>) -> Check {
    let page = hole(t)?;
    let before = t.counts(OWN)?;
    equal(t.ok(OWN, &BalloonDeflate::frames(1))?, 1, "frames given")?;
    let frame = Mfn(t.argument(OWN, 0));
    t.set_p2m(OWN, page.pfn, frame);
    equal(t.counts(OWN)?.frames, before.frames + 1, "frames")?;
    // It is untyped and unreferenced: it can be anything, and it can go again.
    t.set_argument(OWN, 0, frame.0);
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    Ok(())
}

fn several(t: &mut Test<'_>) -> Check {
    let pages = [hole(t)?, hole(t)?, hole(t)?];
    let before = t.counts(OWN)?;
    equal(t.ok(OWN, &BalloonDeflate::frames(3))?, 3, "frames given")?;
    let frames = [t.argument(OWN, 0), t.argument(OWN, 1), t.argument(OWN, 2)];
    for (page, frame) in pages.into_iter().zip(frames) {
        t.set_p2m(OWN, page.pfn, Mfn(frame));
    }
    check(
        frames[0] != frames[1] && frames[1] != frames[2] && frames[0] != frames[2],
        "all differ",
    )?;
    equal(t.counts(OWN)?.frames, before.frames + 3, "frames")
}

fn frames_are_zeros(t: &mut Test<'_>) -> Check {
    let page = hole(t)?;
    let frame = t.populate(OWN, page.pfn)?;
    let leaf = t.entries().leaf(frame, Permit::Read);
    t.map(OWN, SCRATCH, leaf)?;
    for word in 0..512 {
        let address = VirtAddr(SCRATCH.0 + 8 * word);
        equal(t.reaches(OWN, address, Touch::Read)?, 0, "a word of the new frame")?;
    }
    Ok(())
}

fn rest_of_argument_frame(t: &mut Test<'_>) -> Check {
    let page = hole(t)?;
    for word in 0..16 {
        t.set_argument(OWN, word, 0x5555);
    }
    t.ok(OWN, &BalloonDeflate::frames(1))?;
    let frame = Mfn(t.argument(OWN, 0));
    t.set_p2m(OWN, page.pfn, frame);
    for word in 1..16 {
        equal(t.argument(OWN, word), 0x5555, "a word after the number")?;
    }
    Ok(())
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, 513, u64::MAX] {
        t.refused_argument(OWN, &BalloonDeflate::frames(1), 0, count, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_order(t: &mut Test<'_>) -> Check {
    for order in [1, 8, 10, 18, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &BalloonDeflate::frames(1), 1, order, Error::BadArgument)?;
    }
    Ok(())
}

fn extent(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    let (status, given) = t.call(OWN, &BalloonDeflate::extents(1));
    match status.decode() {
        Some(Err(Error::QuotaExceeded)) if before.max_frames - before.frames < EXTENT_FRAMES => {
            equal(given, 0, "extents given")?;
            return Err(Stop::Skip("the domain's limit leaves no room for an extent"));
        }
        Some(Err(Error::NoMemory)) => {
            equal(given, 0, "extents given")?;
            equal(t.counts(OWN)?.frames, before.frames, "frames")?;
            return Err(Stop::Skip("the machine has no extent left, which may be"));
        }
        _ => equal((status, given), (Status::SUCCESS, 1), "status and value")?,
    }
    let first = Mfn(t.argument(OWN, 0));
    check(first.0.is_multiple_of(EXTENT_FRAMES), "it is aligned")?;
    equal(t.counts(OWN)?.frames, before.frames + EXTENT_FRAMES, "frames")?;
    for at in [0, 1, 255, 511] {
        let leaf = t.entries().leaf(Mfn(first.0 + at), Permit::Read);
        t.map(OWN, SCRATCH, leaf)?;
        for word in [0, 100, 511] {
            let address = VirtAddr(SCRATCH.0 + 8 * word);
            equal(t.reaches(OWN, address, Touch::Read)?, 0, "a word of the extent")?;
        }
        t.map(OWN, SCRATCH, 0)?;
    }
    t.set_argument(OWN, 0, first.0);
    equal(t.ok(OWN, &BalloonInflate::extents(1))?, 1, "extents taken back")?;
    equal(t.counts(OWN)?.frames, before.frames, "frames at the end")
}

/// Gives the frames back whose numbers begin the argument frame.
fn give_back(t: &mut Test<'_>, side: Side, count: u64) -> Check {
    if count > 0 {
        equal(t.ok(side, &BalloonInflate::frames(count))?, count, "frames taken back")?;
    }
    Ok(())
}

fn quota(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let counts = t.counts(PEER)?;
    let room = counts.max_frames - counts.frames;
    if room >= MOST {
        return Err(Stop::Skip("the peer's limit is further away than one call reaches"));
    }
    let (status, given) = t.call(PEER, &BalloonDeflate::frames(room + 1));
    let (again, none) = t.call(PEER, &BalloonDeflate::frames(1));
    give_back(t, PEER, given)?;
    equal(status, Status::from(Err(Error::QuotaExceeded)), "status")?;
    equal(given, room, "frames given")?;
    equal((again, none), (status, 0), "status and value at the limit")
}

/// Frames that one call can ask for.
const MOST: u64 = 512;

fn no_memory(t: &mut Test<'_>) -> Check {
    // The numbers of the frames are kept in pages, one for each call.
    let mut kept = heapless::Vec::<(Page, u64), 48>::new();
    let status = loop {
        let (status, given) = t.call(OWN, &BalloonDeflate::frames(MOST));
        let page = t.page(OWN)?;
        for word in 0..given {
            let frame = t.argument(OWN, word as usize);
            t.write(OWN, page, word as usize, frame);
        }
        if kept.push((page, given)).is_err() || status != Status::SUCCESS {
            break status;
        }
    };
    let (again, none) = t.call(OWN, &BalloonDeflate::frames(1));
    let mut last = 0;
    while let Some((page, given)) = kept.pop() {
        for word in 0..given {
            let frame = t.read(OWN, page, word as usize);
            t.set_argument(OWN, word as usize, frame);
        }
        give_back(t, OWN, given)?;
        last = given.max(1);
    }
    match status.decode() {
        Some(Err(Error::NoMemory)) => {}
        Some(Err(Error::QuotaExceeded)) => {
            return Err(Stop::Skip("the domain's limit lies below the memory of the machine"));
        }
        _ => return Err(Stop::Skip("the machine has more memory than the test takes")),
    }
    equal((again, none), (status, 0), "status and value when there is nothing at all")?;
    // What came back can be had again.
    equal(t.ok(OWN, &BalloonDeflate::frames(last))?, last, "frames given")?;
    give_back(t, OWN, last)
}
