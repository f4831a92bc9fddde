//! Tests of `pt_pin`.

use super::{BEYOND, foreign, read_only, writable};
use crate::{
    Check, OWN, PEER, Page, Pretence, Side, Test, Touch, check, equal, journal::Undo,
    outcome::Stop, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn,
    addr::Level,
    calls::{BalloonInflate, GrantUnmap, PtPin, PtUnpin, grant_share::Access},
};

tests! { "pt_pin":
    empty_table: "PT_PIN.11 PT_PIN.13",
    mapped_pages_are_referenced: "PT_PIN.11 BALLOON_INFLATE.4",
    tree: "PT_PIN.9 PT_PIN.11",
    root: "PT_PIN.12 SLOT.1 XSA-64",
    validated_but_not_pinned: "PT_PIN.5 PT_PIN.13",
    software_bits: "PT_PIN.9",
    bad_level: "PT_PIN.1",
    bad_frame: "PT_PIN.2 XSA-32",
    not_owner: "PT_PIN.3",
    other_level: "PT_PIN.4",
    already_pinned: "PT_PIN.5",
    mapped_writable: "PT_PIN.6",
    hypervisor_slots: "PT_PIN.8 SLOT.2",
    entry_bits: "PT_PIN.9 PTE.1 RULE.9 XSA-176 XSA-273",
    entry_beyond_memory: "PT_PIN.9 PTE.2",
    entry_not_owned: "PT_PIN.9 PTE.3",
    entry_maps_table_writable: "PT_PIN.9 PTE.6",
    entry_names_itself: "PT_PIN.9 XSA-182",
    entry_names_same_level: "PT_PIN.9 PTE.7 XSA-185 XSA-240",
    entry_names_writable_frame: "PT_PIN.9 PTE.8",
    entry_exceeds_grant: "PT_PIN.9 PTE.4",
    refusal_gives_everything_back: "PT_PIN.14 ERROR.2 XSA-58",
    stale_writable_translation: "PT_PIN.10 XSA-401",
    count_at_its_largest: "PT_PIN.7 FRAME.12",
    entry_exceeds_count: "PT_PIN.9 PT_PIN.14 PTE.5",
    under_way: "PT_PIN.4 FRAME.9",
}

fn pin(t: &mut Test<'_>, page: Page, level: Level) -> Check {
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &PtPin { frame: page.frame, level }).map(drop)
}

fn refuse(t: &mut Test<'_>, page: Page, level: Level, error: Error) -> Check {
    t.refused(OWN, &PtPin { frame: page.frame, level }, error)
}

/// Whether a frame is mapped writable nowhere and is no table: it can be inflated once it is
/// unmapped. Gives it back.
fn is_unused(t: &mut Test<'_>, side: Side, page: Page) -> Check {
    t.unmap(side, page)?;
    t.note(side, Undo::Populate(page.pfn))?;
    t.set_argument(side, 0, page.frame.0);
    t.ok(side, &BalloonInflate::frames(1))?;
    t.set_p2m(side, page.pfn, Mfn::NONE);
    Ok(())
}

fn empty_table(t: &mut Test<'_>) -> Check {
    let page = t.written_table(OWN, &[])?;
    let before = t.counts(OWN)?;
    pin(t, page, Level::L1)?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames + 1, "tables")?;
    equal(after.pinned_tables, before.pinned_tables + 1, "pinned tables")?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    let end = t.counts(OWN)?;
    equal(end.table_frames, before.table_frames, "tables after unpinning")
}

fn mapped_pages_are_referenced(t: &mut Test<'_>) -> Check {
    let (target, other) = (t.unmapped_page(OWN)?, t.page(OWN)?);
    let (one, two) = (read_only(t, target), writable(t, other));
    let page = t.written_table(OWN, &[(0, one), (511, two)])?;
    pin(t, page, Level::L1)?;
    equal(t.read(OWN, page, 0), one, "the entry")?;
    t.set_argument(OWN, 0, target.frame.0);
    t.refused(OWN, &BalloonInflate::frames(1), Error::Busy)?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    is_unused(t, OWN, target)
}

fn tree(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let leaf = writable(t, target);
    let entries = t.entries();
    let low = t.written_table(OWN, &[(3, leaf)])?;
    let shared = entries.table(low.frame);
    // The same table twice below one, which is how a tree has shared parts.
    let middle = t.written_table(OWN, &[(0, shared), (9, shared)])?;
    let high = t.written_table(OWN, &[(511, entries.table(middle.frame))])?;
    let before = t.counts(OWN)?;
    let level = if entries.root_level() == Level::L4 { Level::L3 } else { Level::L2 };
    let top = if level == Level::L3 { high } else { middle };
    let tables = u64::from(level.number());
    pin(t, top, level)?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames + tables, "tables")?;
    equal(after.pinned_tables, before.pinned_tables + 1, "pinned tables")?;
    t.ok(OWN, &PtUnpin { frame: top.frame })?;
    let end = t.counts(OWN)?;
    equal(end.table_frames, before.table_frames, "tables after unpinning")
}

fn root(t: &mut Test<'_>) -> Check {
    let first = t.root(OWN);
    let page = t.written_table(OWN, &[])?;
    let level = t.entries().root_level();
    pin(t, page, level)?;
    let entries = t.entries();
    for slot in [256, 300, 511] {
        let canonical = t.entry_of(OWN, first, slot)?;
        let got = t.read(OWN, page, slot.into());
        equal(
            entries.essence(got),
            entries.essence(canonical),
            "a slot of the hypervisor's range",
        )?;
    }
    Ok(())
}

fn validated_but_not_pinned(t: &mut Test<'_>) -> Check {
    let low = t.table(OWN, Level::L1)?;
    let link = t.entries().table(low.frame);
    let high = t.table(OWN, Level::L2)?;
    t.set_entry(OWN, high.frame, 0, link)?;
    t.ok(OWN, &PtUnpin { frame: low.frame })?;
    // Still a table, by the entry above it; so it can be pinned again, once.
    t.ok(OWN, &PtPin { frame: low.frame, level: Level::L1 })?;
    refuse(t, low, Level::L1, Error::AlreadyPinned)
}

fn software_bits(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let entries = t.entries();
    let leaf = read_only(t, target) | entries.software();
    let page = t.written_table(OWN, &[(0, leaf), (1, entries.absent_with_software())])?;
    pin(t, page, Level::L1)?;
    equal(t.read(OWN, page, 0), leaf, "the present entry")?;
    equal(t.read(OWN, page, 1), entries.absent_with_software(), "the absent entry")
}

fn bad_level(t: &mut Test<'_>) -> Check {
    let page = t.written_table(OWN, &[])?;
    let call = PtPin { frame: page.frame, level: Level::L1 };
    let root = u64::from(t.entries().root_level().number());
    for level in [0, root + 1, 5, 256 + 1, u64::MAX] {
        t.refused_argument(OWN, &call, 1, level, Error::BadLevel)?;
    }
    Ok(())
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(BEYOND.0 + 1), Mfn(1 << 63), Mfn::NONE] {
        t.refused(OWN, &PtPin { frame, level: Level::L1 }, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    t.refused(OWN, &PtPin { frame, level: Level::L1 }, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    t.refused(OWN, &PtPin { frame, level: Level::L1 }, Error::NotOwner)
}

fn other_level(t: &mut Test<'_>) -> Check {
    let page = t.table(OWN, Level::L2)?;
    refuse(t, page, Level::L1, Error::BadLevel)?;
    refuse(t, page, Level::L3, Error::BadLevel)
}

fn already_pinned(t: &mut Test<'_>) -> Check {
    let page = t.written_table(OWN, &[])?;
    pin(t, page, Level::L1)?;
    refuse(t, page, Level::L1, Error::AlreadyPinned)?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    t.refused(OWN, &PtUnpin { frame: page.frame }, Error::NotTable)
}

fn mapped_writable(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    refuse(t, page, Level::L1, Error::TypeConflict)
}

fn hypervisor_slots(t: &mut Test<'_>) -> Check {
    let target = t.table(OWN, Level::L2)?;
    let level = t.entries().root_level();
    let link = t.entries().table(target.frame);
    for (slot, value) in [(256, link), (511, link), (300, t.entries().absent_with_software())] {
        let page = t.written_table(OWN, &[(slot, value)])?;
        refuse(t, page, level, Error::HypervisorRange)?;
        equal(t.read(OWN, page, slot), value, "the slot")?;
    }
    Ok(())
}

fn entry_bits(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let entries = t.entries();
    let leaf = read_only(t, target);
    for &bit in entries.leaf_forbidden() {
        bad_entry(t, leaf | bit, Level::L1)?;
    }
    bad_entry(t, entries.supervisor_leaf(target.frame), Level::L1)?;
    bad_entry(t, entries.absent_with_frame(target.frame), Level::L1)?;
    let low = t.table(OWN, Level::L1)?;
    for &bit in entries.table_forbidden() {
        bad_entry(t, entries.table(low.frame) | bit, Level::L2)?;
    }
    bad_entry(t, entries.superpage(target.frame), Level::L2)
}

/// Pins a table with one entry, which must be refused. The page is used again and again.
fn bad_entry(t: &mut Test<'_>, value: u64, level: Level) -> Check {
    single_entry(t, value, level, Error::BadEntry)
}

fn single_entry(t: &mut Test<'_>, value: u64, level: Level, error: Error) -> Check {
    let page = t.page(OWN)?;
    t.give_back_last_page(OWN);
    for word in 0..512 {
        if t.read(OWN, page, word) != 0 {
            t.write(OWN, page, word, 0);
        }
    }
    t.write(OWN, page, 5, value);
    let address = t.physmap(OWN, page.pfn);
    let (closed, open) = (read_only(t, page), writable(t, page));
    t.set_leaf(OWN, address, closed)?;
    let result = refuse(t, page, level, error);
    if result.is_err() {
        // It may have been pinned.
        let _ = t.call(OWN, &PtUnpin { frame: page.frame });
    }
    t.set_leaf(OWN, address, open)?;
    result.map_err(|stop| match stop {
        Stop::Failure(message) => Stop::Failure(crate::Message::new(format_args!(
            "entry {value:#x} at level {}: {message}",
            level.number()
        ))),
        stop => stop,
    })
}

fn entry_beyond_memory(t: &mut Test<'_>) -> Check {
    let entries = t.entries();
    let leaf = entries.leaf(BEYOND, crate::Permit::Read);
    single_entry(t, leaf, Level::L1, Error::BadFrame)?;
    single_entry(t, entries.table(BEYOND), Level::L2, Error::BadFrame)
}

fn entry_not_owned(t: &mut Test<'_>) -> Check {
    let entries = t.entries();
    let theirs = foreign(t, OWN)?;
    for frame in [t.caller().hypervisor_frame(), theirs] {
        single_entry(t, entries.leaf(frame, crate::Permit::Read), Level::L1, Error::NotOwner)?;
        single_entry(t, entries.leaf(frame, crate::Permit::Write), Level::L1, Error::NotOwner)?;
        single_entry(t, entries.table(frame), Level::L2, Error::NotOwner)?;
    }
    Ok(())
}

fn entry_maps_table_writable(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let value = writable(t, table);
    single_entry(t, value, Level::L1, Error::TypeConflict)?;
    // To read a table is allowed.
    let value = read_only(t, table);
    let page = t.written_table(OWN, &[(0, value)])?;
    pin(t, page, Level::L1)
}

fn entry_names_itself(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let (itself, mapped) = (t.entries().table(page.frame), writable(t, page));
    for word in 0..512 {
        t.write(OWN, page, word, 0);
    }
    t.write(OWN, page, 0, itself);
    t.protect(OWN, page)?;
    refuse(t, page, Level::L2, Error::BadLevel)?;
    // A level-1 table that maps itself writable.
    let address = t.physmap(OWN, page.pfn);
    t.set_leaf(OWN, address, mapped)?;
    t.write(OWN, page, 0, mapped);
    t.protect(OWN, page)?;
    refuse(t, page, Level::L1, Error::TypeConflict)
}

fn entry_names_same_level(t: &mut Test<'_>) -> Check {
    let other = t.table(OWN, Level::L2)?;
    let entries = t.entries();
    single_entry(t, entries.table(other.frame), Level::L2, Error::BadLevel)?;
    let low = t.table(OWN, Level::L1)?;
    single_entry(t, entries.table(low.frame), Level::L3, Error::BadLevel)
}

fn entry_names_writable_frame(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let _keep = t.page(OWN)?;
    let value = t.entries().table(page.frame);
    single_entry(t, value, Level::L2, Error::TypeConflict)
}

fn entry_exceeds_grant(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    let entries = t.entries();
    let value = entries.leaf(mapped.frame, crate::Permit::Write);
    single_entry(t, value, Level::L1, Error::ReadOnlyGrant)?;
    // A table cannot be another domain's, whatever it has granted.
    single_entry(t, entries.table(mapped.frame), Level::L2, Error::NotOwner)?;
    let table = t.written_table(OWN, &[(0, entries.leaf(mapped.frame, crate::Permit::Read))])?;
    pin(t, table, Level::L1)?;
    t.refused(OWN, &GrantUnmap { handle: mapped.handle }, Error::Busy)?;
    t.ok(OWN, &PtUnpin { frame: table.frame })?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle }).map(drop)
}

fn refusal_gives_everything_back(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let entries = t.entries();
    let leaf = read_only(t, target);
    let low = t.written_table(OWN, &[(0, leaf), (1, leaf), (511, leaf)])?;
    let bad = entries.superpage(target.frame);
    let high = t.written_table(OWN, &[(0, entries.table(low.frame)), (1, bad)])?;
    let before = t.counts(OWN)?;
    refuse(t, high, Level::L2, Error::BadEntry)?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames, "tables")?;
    equal(after.pinned_tables, before.pinned_tables, "pinned tables")?;
    for page in [high, low, target] {
        is_unused(t, OWN, page)?;
    }
    Ok(())
}

fn stale_writable_translation(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, 0);
    }
    t.unmap(OWN, page)?;
    let leaf = writable(t, page);
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    t.set_entry(OWN, table, index, leaf)?;
    // The translation is cached now, and stays when the entry goes without a flush.
    t.reaches(OWN, SCRATCH, Touch::Write(0))?;
    t.set_entry(OWN, table, index, 0)?;
    pin(t, page, Level::L1)?;
    check(t.touch(OWN, SCRATCH, Touch::Write(u64::MAX)).is_err(), "the table cannot be written")
}

fn count_at_its_largest(t: &mut Test<'_>) -> Check {
    // One that is validated already, and one that is not.
    let (low, high) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let link = t.entries().table(low.frame);
    t.set_entry(OWN, high.frame, 0, link)?;
    t.ok(OWN, &PtUnpin { frame: low.frame })?;
    let written = t.written_table(OWN, &[])?;
    for page in [low, written] {
        t.pretend(page.frame, Pretence::Room(0))?;
        refuse(t, page, Level::L1, Error::CountOverflow)?;
        t.pretend(page.frame, Pretence::Room(1))?;
        pin(t, page, Level::L1)?;
    }
    Ok(())
}

fn entry_exceeds_count(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let leaf = read_only(t, target);
    let page = t.written_table(OWN, &[(0, leaf), (1, leaf)])?;
    t.pretend(target.frame, Pretence::Room(1))?;
    refuse(t, page, Level::L1, Error::CountOverflow)?;
    // The reference of the first entry has come back.
    let other = t.written_table(OWN, &[(0, leaf)])?;
    pin(t, other, Level::L1)
}

fn under_way(t: &mut Test<'_>) -> Check {
    let page = t.table(OWN, Level::L1)?;
    t.pretend(page.frame, Pretence::UnderWay)?;
    refuse(t, page, Level::L1, Error::Busy)?;
    refuse(t, page, Level::L2, Error::BadLevel)?;
    let above = t.written_table(OWN, &[(0, t.entries().table(page.frame))])?;
    refuse(t, above, Level::L2, Error::Busy)
}
