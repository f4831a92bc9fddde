//! Tests of rules that span calls: what a frame can be, who can reach it, when it is
//! flushed. Each is a way into a hypervisor that once stood open somewhere.

use crate::{
    Check, OWN, PEER, Page, Permit, Test, Touch, check, equal, journal::Undo, registry::tests,
    test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn, VirtAddr,
    addr::Level,
    calls::{
        BalloonInflate, GrantRevoke, GrantUnmap, PtCreate, PtPin, PtUnpin, PteUpdate,
        grant_share::Access,
        pte_update::{Target, Update},
    },
    start_info::ARGUMENT_PFN,
};

tests! { "frames":
    table_is_never_writable: "PT_CREATE.4 PTE_UPDATE.10 FRAME.6",
    no_page_of_a_table_is_writable_through_the_physmap: "PTE_UPDATE.10 RULE.5",
    stale_translation_of_a_new_table: "PT_CREATE.6 FRAME.7 FRAME.17 XSA-401",
    old_table_is_flushed_before_it_is_writable: "PT_UNPIN.9 PTE_UPDATE.15 FRAME.8 XSA-408",
    unlinked_table_is_flushed: "PTE_UPDATE.13 PTE_UPDATE.15",
    superpages: "PTE_UPDATE.10 PT_PIN.9 PTE.1 RULE.7 XSA-176",
    no_recursive_tables: "PTE_UPDATE.10 PTE.7 RULE.6 XSA-185 XSA-240",
    hypervisor_is_out_of_reach: "PTE_UPDATE.10 X86.6 RISCV.5 XSA-248",
    peer_is_out_of_reach: "PTE_UPDATE.10 FRAME.14 RULE.14",
    granted_frame_stays: "BALLOON_INFLATE.4 FRAME.4 XSA-276 XSA-473",
    pinned_frame_stays: "BALLOON_INFLATE.4 FRAME.4 XSA-252",
    type_changes_at_zero: "PT_PIN.6 PT_CREATE.4 FRAME.5 XSA-280",
    shared_table_is_counted: "PTE_UPDATE.13 PT_UNPIN.6 FRAME.11",
    refusals_change_nothing: "ERROR.2 ERROR.3 XSA-316",
    argument_frame_needs_no_mapping: "CALL.6",
}

fn at(table: Mfn, index: u16, value: u64) -> PteUpdate {
    PteUpdate::One(Update::new(Target::Entry { table, index }, value))
}

fn leaf(t: &Test<'_>, page: Page, permit: Permit) -> u64 {
    t.entries().leaf(page.frame, permit)
}

/// A page with a writable translation that is cached, though no entry holds it any more.
fn stale_page(t: &mut Test<'_>) -> Check<Page> {
    let page = t.page(OWN)?;
    for word in 0..512 {
        t.write(OWN, page, word, 0);
    }
    t.unmap(OWN, page)?;
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    let open = leaf(t, page, Permit::Write);
    t.set_entry(OWN, table, index, open)?;
    t.reaches(OWN, SCRATCH, Touch::Write(0))?;
    t.set_entry(OWN, table, index, 0)?;
    Ok(page)
}

fn table_is_never_writable(t: &mut Test<'_>) -> Check {
    let root = t.entries().root_level();
    let map = t.table(OWN, Level::L1)?;
    for level in 1..=root.number() {
        let Some(level) = Level::new(level.into()) else { break };
        let table = t.table(OWN, level)?;
        let open = leaf(t, table, Permit::Write);
        t.refused(OWN, &at(map.frame, 0, open), Error::TypeConflict)?;
    }
    Ok(())
}

fn no_page_of_a_table_is_writable_through_the_physmap(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let address = t.physmap(OWN, table.pfn);
    t.reaches(OWN, address, Touch::Read)?;
    t.faults(OWN, address, Touch::Write(1))?;
    // The tables that the domain started on too.
    let first =
        t.start_info(OWN, core::mem::offset_of!(hypercall_abi::start_info::StartInfo, tables_pfn));
    let address = t.physmap(OWN, hypercall_abi::Pfn(first));
    t.faults(OWN, address, Touch::Write(1)).map(drop)
}

fn stale_translation_of_a_new_table(t: &mut Test<'_>) -> Check {
    let page = stale_page(t)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &PtCreate { frame: page.frame, level: Level::L1 })?;
    check(t.touch(OWN, SCRATCH, Touch::Write(u64::MAX)).is_err(), "the table cannot be written")
}

fn old_table_is_flushed_before_it_is_writable(t: &mut Test<'_>) -> Check {
    // A translation through a table that has been one, and is written afterwards.
    let (page, table) = (t.page(OWN)?, t.table(OWN, Level::L1)?);
    let mut above = t.reach(OWN, SCRATCH)?;
    let entries = t.entries();
    // The level-2 table that leads to SCRATCH has an empty slot beside it.
    let beside = VirtAddr(SCRATCH.0 + (1 << 21));
    let mut level = entries.root_level();
    let mut walk = t.root(OWN);
    while let Some(below) = level.below() {
        if level == Level::L2 {
            above = walk;
            break;
        }
        let entry = t.entry_of(OWN, walk, entries.index(beside, level))?;
        walk = entries.frame(entry);
        level = below;
    }
    let open = leaf(t, page, Permit::Write);
    let index = entries.index(beside, Level::L1);
    t.set_entry(OWN, table.frame, index, open)?;
    t.set_entry(OWN, above, entries.index(beside, Level::L2), entries.table(table.frame))?;
    t.reaches(OWN, beside, Touch::Write(1))?;
    t.ok(OWN, &at(above, entries.index(beside, Level::L2), 0))?;
    t.ok(OWN, &PtUnpin { frame: table.frame })?;
    // Now it is a page like any other; what is written to it is no entry.
    let open = leaf(t, table, Permit::Write);
    let address = t.physmap(OWN, table.pfn);
    t.set_leaf(OWN, address, open)?;
    let bad = entries.leaf(t.caller().hypervisor_frame(), Permit::Write);
    t.write(OWN, table, index.into(), bad);
    check(t.touch(OWN, beside, Touch::Read).is_err(), "the old table is not walked")
}

fn unlinked_table_is_flushed(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let open = leaf(t, page, Permit::Write);
    t.map(OWN, SCRATCH, open)?;
    t.reaches(OWN, SCRATCH, Touch::Write(1))?;
    t.set_leaf(OWN, SCRATCH, 0)?;
    t.unmap(OWN, page)?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.set_argument(OWN, 0, page.frame.0);
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn superpages(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let root = t.entries().root_level();
    let value = t.entries().superpage(page.frame);
    for level in 2..=root.number() {
        let Some(level) = Level::new(level.into()) else { break };
        let table = t.table(OWN, level)?;
        t.refused(OWN, &at(table.frame, 0, value), Error::BadEntry)?;
        let table = t.written_table(OWN, &[(0, value)])?;
        t.refused(OWN, &PtPin { frame: table.frame, level }, Error::BadEntry)?;
    }
    Ok(())
}

fn no_recursive_tables(t: &mut Test<'_>) -> Check {
    let root = t.entries().root_level();
    for level in 2..=root.number() {
        let Some(level) = Level::new(level.into()) else { break };
        let table = t.table(OWN, level)?;
        let itself = t.entries().table(table.frame);
        t.refused(OWN, &at(table.frame, 0, itself), Error::BadLevel)?;
    }
    Ok(())
}

fn hypervisor_is_out_of_reach(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    t.map(OWN, SCRATCH, 0)?;
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    for permit in [Permit::Read, Permit::Write, Permit::Execute] {
        let value = t.entries().leaf(frame, permit);
        t.refused(OWN, &at(table, index, value), Error::NotOwner)?;
    }
    let end = t.guest_end();
    // Its addresses fault, as if nothing were there.
    for address in [end, VirtAddr(0xffff_ffff_8010_0000)] {
        check(t.touch(OWN, address, Touch::Read).is_err(), "its memory cannot be read")?;
    }
    Ok(())
}

fn peer_is_out_of_reach(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let table = t.table(OWN, Level::L1)?;
    for permit in [Permit::Read, Permit::Write] {
        let value = t.entries().leaf(page.frame, permit);
        t.refused(OWN, &at(table.frame, 0, value), Error::NotOwner)?;
    }
    // A grant that has not been opened changes nothing.
    t.grant(PEER, page, Access::ReadWrite)?;
    let value = t.entries().leaf(page.frame, Permit::Read);
    t.refused(OWN, &at(table.frame, 0, value), Error::NotOwner)
}

fn granted_frame_stays(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.unmapped_page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let give = BalloonInflate::frames(1);
    t.set_argument(PEER, 0, page.frame.0);
    t.refused(PEER, &give, Error::Busy)?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
    t.refused(PEER, &give, Error::Busy)?;
    t.ok(PEER, &GrantRevoke { grant })?;
    t.note(PEER, Undo::Populate(page.pfn))?;
    t.ok(PEER, &give)?;
    t.set_p2m(PEER, page.pfn, Mfn::NONE);
    Ok(())
}

fn pinned_frame_stays(t: &mut Test<'_>) -> Check {
    let page = t.unmapped_page(OWN)?;
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &PtCreate { frame: page.frame, level: Level::L1 })?;
    t.set_argument(OWN, 0, page.frame.0);
    t.refused(OWN, &BalloonInflate::frames(1), Error::Busy)?;
    t.ok(OWN, &PtUnpin { frame: page.frame })?;
    t.note(OWN, Undo::Populate(page.pfn))?;
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, page.pfn, Mfn::NONE);
    Ok(())
}

fn type_changes_at_zero(t: &mut Test<'_>) -> Check {
    let page = t.written_table(OWN, &[])?;
    let map = t.table(OWN, Level::L1)?;
    let open = leaf(t, page, Permit::Write);
    t.set_entry(OWN, map.frame, 0, open)?;
    t.set_entry(OWN, map.frame, 1, open)?;
    let pin = PtPin { frame: page.frame, level: Level::L1 };
    for index in [0, 1] {
        t.refused(OWN, &pin, Error::TypeConflict)?;
        t.refused(OWN, &PtCreate { frame: page.frame, level: Level::L1 }, Error::TypeConflict)?;
        t.set_entry(OWN, map.frame, index, 0)?;
    }
    t.note(OWN, Undo::Unpin(page.frame))?;
    t.ok(OWN, &pin)?;
    t.refused(OWN, &at(map.frame, 0, open), Error::TypeConflict)
}

fn shared_table_is_counted(t: &mut Test<'_>) -> Check {
    let low = t.written_table(OWN, &[])?;
    let (one, two) = (t.table(OWN, Level::L2)?, t.table(OWN, Level::L2)?);
    let link = t.entries().table(low.frame);
    let before = t.counts(OWN)?.table_frames;
    for table in [one, two] {
        t.set_entry(OWN, table.frame, 0, link)?;
        t.set_entry(OWN, table.frame, 511, link)?;
        equal(t.counts(OWN)?.table_frames, before + 1, "tables")?;
    }
    t.ok(OWN, &PtUnpin { frame: one.frame })?;
    equal(t.counts(OWN)?.table_frames, before, "tables, one parent gone")?;
    t.ok(OWN, &PtUnpin { frame: two.frame })?;
    equal(t.counts(OWN)?.table_frames, before - 2, "tables, both gone")
}

fn refusals_change_nothing(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    // Every call with arguments that none of them takes; those that cannot be refused, or
    // that take any argument, are left out.
    use hypercall_abi::Number as N;
    let harmless = [N::SchedYield, N::SchedBlock, N::TimerSet, N::SpareDrop];
    let mut refused = 0;
    for number in N::ALL {
        // Keep and keep is what `pt_switch` makes of these.
        if harmless.contains(&number) || number == N::PtSwitch {
            continue;
        }
        let (status, value) = t.raw(OWN, number as u64, [u64::MAX; 6]);
        check(matches!(status.decode(), Some(Err(_))), number.name())?;
        equal(value, 0, number.name())?;
        refused += 1;
    }
    let after = t.counts(OWN)?;
    equal(after.refusals, before.refusals + refused, "refusals")?;
    let part = |c: &hypercall_abi::domain_info::DomainInfo| {
        (c.frames, c.table_frames, c.pinned_tables, c.grants, c.handles, c.ports)
    };
    equal(part(&after), part(&before), "what the domain has")
}

fn argument_frame_needs_no_mapping(t: &mut Test<'_>) -> Check {
    // The hypervisor reaches it by its own map: where the guest has it mapped is nothing to it.
    let frame = t.p2m(OWN, ARGUMENT_PFN);
    let page = Page { pfn: ARGUMENT_PFN, frame };
    let (one, two) = (t.table(OWN, Level::L1)?, t.page(OWN)?);
    let value = leaf(t, two, Permit::Read);
    for index in 0..2u16 {
        let target = Target::Entry { table: one.frame, index };
        t.set_update(OWN, index.into(), Update::new(target, value));
    }
    t.unmap(OWN, page)?;
    equal(t.ok(OWN, &PteUpdate::Many(2))?, 2, "updates")?;
    for index in 0..2 {
        equal(t.read(OWN, one, index), value, "an entry")?;
    }
    Ok(())
}
