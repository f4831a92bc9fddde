//! Tests of `pt_create`.

use super::{BEYOND, foreign};
use crate::{
    Check, OWN, Pretence, Test, check, equal, journal::Undo, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn,
    addr::Level,
    calls::{PtCreate, PtPin, grant_share::Access},
    start_info::{ARGUMENT_PFN, VCPU_PAGE_PFN},
};

tests! { "pt_create":
    success: "PT_CREATE.7 PT_CREATE.8 CALL.4",
    every_level: "PT_CREATE.1 PT_CREATE.8",
    canonical_slots: "PT_CREATE.7 SLOT.1 RULE.11 XSA-64",
    read_only_mappings_stay: "PT_CREATE.9",
    bad_level: "PT_CREATE.1",
    bad_frame: "PT_CREATE.2 XSA-32",
    not_owner: "PT_CREATE.3",
    mapped_writable: "PT_CREATE.4",
    already_a_table: "PT_CREATE.4",
    granted_for_writing: "PT_CREATE.4",
    registered_pages: "PT_CREATE.4 VCPU.1 FRAME.13 RULE.13 XSA-507",
    count_at_its_largest: "PT_CREATE.5 FRAME.12",
}

fn success(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for word in [0, 1, 511] {
        t.write(OWN, page, word, u64::MAX);
    }
    t.protect(OWN, page)?;
    let before = t.counts(OWN)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    let value = t.ok(OWN, &PtCreate { frame: page.frame, level: Level::L1 })?;
    equal(value, 0, "value")?;
    for word in [0, 1, 2, 255, 256, 511] {
        equal(t.read(OWN, page, word), 0, "an entry of the new table")?;
    }
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames + 1, "tables")?;
    equal(after.pinned_tables, before.pinned_tables + 1, "pinned tables")?;
    equal(after.frames, before.frames, "frames")?;
    // It is pinned already, and of its level.
    t.refused(OWN, &PtPin { frame: page.frame, level: Level::L1 }, Error::AlreadyPinned)?;
    t.refused(OWN, &PtPin { frame: page.frame, level: Level::L2 }, Error::BadLevel)
}

fn every_level(t: &mut Test<'_>) -> Check {
    let root = t.entries().root_level();
    for level in 1..=root.number() {
        let Some(level) = Level::new(level.into()) else { break };
        let page = t.table_page(OWN)?;
        t.note(OWN, Undo::Unpin(page.frame))?;
        t.ok(OWN, &PtCreate { frame: page.frame, level })?;
        t.refused(OWN, &PtPin { frame: page.frame, level }, Error::AlreadyPinned)?;
    }
    Ok(())
}

fn canonical_slots(t: &mut Test<'_>) -> Check {
    let first = t.root(OWN);
    let level = t.entries().root_level();
    let page = t.table(OWN, level)?;
    for slot in 0..256 {
        equal(t.read(OWN, page, slot), 0, "a slot of the guest's range")?;
    }
    for slot in 256..512 {
        let canonical = t.entry_of(OWN, first, slot as u16)?;
        let entries = t.entries();
        let got = t.read(OWN, page, slot);
        equal(
            entries.essence(got),
            entries.essence(canonical),
            "a slot of the hypervisor's range",
        )?;
    }
    Ok(())
}

fn read_only_mappings_stay(t: &mut Test<'_>) -> Check {
    let page = t.table_page(OWN)?;
    let leaf = super::read_only(t, page);
    t.map(OWN, SCRATCH, leaf)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &PtCreate { frame: page.frame, level: Level::L1 })?;
    equal(t.reaches(OWN, SCRATCH, crate::Touch::Read)?, 0, "the table, read")?;
    t.faults(OWN, SCRATCH, crate::Touch::Write(1)).map(drop)
}

fn bad_level(t: &mut Test<'_>) -> Check {
    let page = t.table_page(OWN)?;
    let call = PtCreate { frame: page.frame, level: Level::L1 };
    let root = u64::from(t.entries().root_level().number());
    for level in [0, root + 1, 5, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &call, 1, level, Error::BadLevel)?;
    }
    Ok(())
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(BEYOND.0 + 1), Mfn(1 << 52), Mfn::NONE] {
        t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::NotOwner)
}

fn mapped_writable(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    t.write(OWN, page, 1, 0x1234);
    t.refused(OWN, &PtCreate { frame: page.frame, level: Level::L1 }, Error::TypeConflict)?;
    equal(t.read(OWN, page, 1), 0x1234, "the page's content")?;
    t.write(OWN, page, 1, 0x4321);
    equal(t.read(OWN, page, 1), 0x4321, "the page, written")
}

fn already_a_table(t: &mut Test<'_>) -> Check {
    let page = t.table(OWN, Level::L1)?;
    let target = t.page(OWN)?;
    let leaf = super::read_only(t, target);
    t.set_entry(OWN, page.frame, 7, leaf)?;
    t.refused(OWN, &PtCreate { frame: page.frame, level: Level::L1 }, Error::TypeConflict)?;
    equal(t.read(OWN, page, 7), leaf, "the entry")
}

fn granted_for_writing(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(OWN)?;
    let grant = t.grant(OWN, page, Access::ReadWrite)?;
    let call = PtCreate { frame: page.frame, level: Level::L1 };
    t.refused(OWN, &call, Error::TypeConflict)?;
    t.ok(OWN, &hypercall_abi::calls::GrantRevoke { grant })?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &call).map(drop)
}

fn registered_pages(t: &mut Test<'_>) -> Check {
    for page in [VCPU_PAGE_PFN, ARGUMENT_PFN] {
        let frame = t.p2m(OWN, page);
        t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::TypeConflict)?;
    }
    let root = t.root(OWN);
    check(root != Mfn(0), "there is a root")?;
    t.refused(OWN, &PtCreate { frame: root, level: Level::L1 }, Error::TypeConflict)
}

fn count_at_its_largest(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    t.write(OWN, page, 1, 0x1234);
    t.protect(OWN, page)?;
    let call = PtCreate { frame: page.frame, level: Level::L1 };
    t.pretend(page.frame, Pretence::Room(0))?;
    t.refused(OWN, &call, Error::CountOverflow)?;
    equal(t.read(OWN, page, 1), 0x1234, "the page's content")?;
    t.pretend(page.frame, Pretence::Room(1))?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &call).map(drop)
}
