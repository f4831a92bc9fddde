//! Tests of `pt_unpin`.

use super::{BEYOND, foreign, writable};
use crate::{Check, OWN, Test, Touch, equal, journal::Undo, registry::tests, test::SCRATCH};
use hypercall_abi::{
    Error, Mfn,
    addr::Level,
    calls::{PtCreate, PtPin, PtUnpin},
};

tests! { "pt_unpin":
    success: "PT_UNPIN.5 PT_UNPIN.6",
    content_stays: "PT_UNPIN.7",
    root_slots_are_cleared: "PT_UNPIN.7 SLOT.2",
    linked_table_stays: "PT_UNPIN.8",
    tree_is_demoted: "PT_UNPIN.6",
    running_root_stays: "PT_UNPIN.8 XSA-438",
    writable_again: "PT_UNPIN.9",
    bad_frame: "PT_UNPIN.1 XSA-32",
    not_owner: "PT_UNPIN.2",
    not_a_table: "PT_UNPIN.3",
    not_pinned: "PT_UNPIN.4",
}

fn success(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    let page = t.table(OWN, Level::L1)?;
    equal(t.ok(OWN, &PtUnpin { frame: page.frame })?, 0, "value")?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames, "tables")?;
    equal(after.pinned_tables, before.pinned_tables, "pinned tables")?;
    t.refused(OWN, &PtUnpin { frame: page.frame }, Error::NotTable)?;
    // It can become a table of another level.
    t.ok(OWN, &PtCreate { frame: page.frame, level: Level::L2 }).map(drop)
}

fn content_stays(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let leaf = writable(t, target);
    let page = t.written_table(OWN, &[(4, leaf)])?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &PtPin { frame: page.frame, level: Level::L1 })?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    equal(t.read(OWN, page, 4), leaf, "the entry")
}

fn root_slots_are_cleared(t: &mut Test<'_>) -> Check {
    let level = t.entries().root_level();
    let page = t.table(OWN, level)?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    for slot in 256..512 {
        equal(t.read(OWN, page, slot), 0, "a slot of the hypervisor's range")?;
    }
    // So that it can be pinned again as it is.
    t.ok(OWN, &PtPin { frame: page.frame, level }).map(drop)
}

fn linked_table_stays(t: &mut Test<'_>) -> Check {
    let low = t.table(OWN, Level::L1)?;
    let high = t.table(OWN, Level::L2)?;
    let link = t.entries().table(low.frame);
    t.set_entry(OWN, high.frame, 1, link)?;
    let before = t.counts(OWN)?;
    t.ok(OWN, &PtUnpin { frame: low.frame })?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames, "tables")?;
    equal(after.pinned_tables, before.pinned_tables - 1, "pinned tables")?;
    t.refused(OWN, &PtUnpin { frame: low.frame }, Error::NotPinned)?;
    t.set_entry(OWN, high.frame, 1, 0)?;
    let end = t.counts(OWN)?;
    equal(end.table_frames, before.table_frames - 1, "tables after unlinking")
}

fn tree_is_demoted(t: &mut Test<'_>) -> Check {
    let (one, two) = (t.written_table(OWN, &[])?, t.written_table(OWN, &[])?);
    let entries = t.entries();
    let links = [(0, entries.table(one.frame)), (511, entries.table(two.frame))];
    let top = t.written_table(OWN, &links)?;
    let before = t.counts(OWN)?;
    t.note(OWN, Undo::Unpin(top.frame))?;
    t.ok(OWN, &PtPin { frame: top.frame, level: Level::L2 })?;
    equal(t.counts(OWN)?.table_frames, before.table_frames + 3, "tables")?;
    // One of the two is held by a pin of its own.
    t.note(OWN, Undo::Unpin(two.frame))?;
    t.ok(OWN, &PtPin { frame: two.frame, level: Level::L1 })?;
    t.ok(OWN, &PtUnpin { frame: top.frame })?;
    equal(t.counts(OWN)?.table_frames, before.table_frames + 1, "tables after unpinning")?;
    t.refused(OWN, &PtUnpin { frame: one.frame }, Error::NotTable)?;
    t.ok(OWN, &PtUnpin { frame: two.frame }).map(drop)
}

fn running_root_stays(t: &mut Test<'_>) -> Check {
    let root = t.root(OWN);
    let level = t.entries().root_level();
    let before = t.counts(OWN)?;
    t.ok(OWN, &PtUnpin { frame: root })?;
    let after = t.counts(OWN)?;
    t.ok(OWN, &PtPin { frame: root, level })?;
    equal(after.table_frames, before.table_frames, "tables")?;
    equal(after.pinned_tables, before.pinned_tables - 1, "pinned tables")
}

fn writable_again(t: &mut Test<'_>) -> Check {
    let page = t.table(OWN, Level::L1)?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    let leaf = writable(t, page);
    t.map(OWN, SCRATCH, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(77))?;
    equal(t.read(OWN, page, 0), 77, "what was written")
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(1 << 41), Mfn::NONE] {
        t.refused(OWN, &PtUnpin { frame }, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    t.refused(OWN, &PtUnpin { frame }, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    t.refused(OWN, &PtUnpin { frame }, Error::NotOwner)
}

fn not_a_table(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    t.refused(OWN, &PtUnpin { frame: page.frame }, Error::NotTable)?;
    let page = t.table_page(OWN)?;
    t.refused(OWN, &PtUnpin { frame: page.frame }, Error::NotTable)
}

fn not_pinned(t: &mut Test<'_>) -> Check {
    let low = t.written_table(OWN, &[])?;
    let link = t.entries().table(low.frame);
    let high = t.written_table(OWN, &[(0, link)])?;
    t.note(OWN, Undo::Unpin(high.frame))?;
    t.ok(OWN, &PtPin { frame: high.frame, level: Level::L2 })?;
    t.refused(OWN, &PtUnpin { frame: low.frame }, Error::NotPinned)
}
