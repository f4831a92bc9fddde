//! Tests of `pte_update`; those of the rules for entries are in `entries`.

mod entries;

use super::{BEYOND, read_only, writable};
use crate::{
    Check, OWN, PEER, Permit, Test, Touch, equal, journal::Undo, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn, PAGE_SIZE, VirtAddr,
    addr::Level,
    calls::{
        BalloonInflate, Call, PtSwitch, PtUnpin, PteUpdate,
        grant_share::Access,
        pt_switch::RootChange,
        pte_update::{Space, Target, TargetBits, Update},
    },
};

use entries::{
    bad_entry, entry_beyond_memory, entry_exceeds_count, entry_exceeds_grant,
    entry_maps_table_writable, entry_names_writable_frame, entry_not_owned, entry_of_other_level,
    under_way,
};

tests! { "pte_update":
    entry: "PTE_UPDATE.11 PTE_UPDATE.12",
    page: "PTE_UPDATE.12 PTE_UPDATE.14 XSA-393",
    page_of_user_root: "PTE_UPDATE.8 PTE_UPDATE.9",
    many: "PTE_UPDATE.11",
    largest_count: "PTE_UPDATE.1",
    replace: "PTE_UPDATE.11",
    permissions: "PTE_UPDATE.14",
    link_validates: "PTE_UPDATE.13 PTE.8",
    unlink_demotes: "PTE_UPDATE.13",
    frame_is_free_once_unmapped: "PTE_UPDATE.11 PTE_UPDATE.15 XSA-222",
    same_frame_twice: "PTE_UPDATE.11 PTE.9",
    grant: "PTE_UPDATE.10 GRANT_MAP.10 PTE.9",
    prefix: "ERROR.2 XSA-389",
    bad_count: "PTE_UPDATE.1 XSA-31",
    bad_target: "PTE_UPDATE.2 XSA-227",
    bad_table_frame: "PTE_UPDATE.3 XSA-32",
    table_not_owned: "PTE_UPDATE.4",
    not_a_table: "PTE_UPDATE.5",
    hypervisor_slot: "PTE_UPDATE.6 RULE.11",
    hypervisor_address: "PTE_UPDATE.7 XSA-4 XSA-168 XSA-279",
    no_user_root: "PTE_UPDATE.8",
    not_mapped: "PTE_UPDATE.9 XSA-23",
    bad_entry: "PTE_UPDATE.10 PTE.1 RULE.9 XSA-148 XSA-176 XSA-273",
    entry_beyond_memory: "PTE_UPDATE.10 PTE.2 XSA-32",
    entry_not_owned: "PTE_UPDATE.10 PTE.3 XSA-248",
    entry_of_other_level: "PTE_UPDATE.10 PTE.7 RULE.6 XSA-185 XSA-240",
    entry_maps_table_writable: "PTE_UPDATE.10 PTE.6 XSA-182",
    entry_names_writable_frame: "PTE_UPDATE.10 PTE.8",
    entry_exceeds_grant: "PTE_UPDATE.10 PTE.4",
    entry_exceeds_count: "PTE_UPDATE.10 PTE.5 FRAME.12",
    under_way: "PTE_UPDATE.5 PTE_UPDATE.10 PTE.7 FRAME.9",
    order_of_checks: "PTE_UPDATE.1 PTE_UPDATE.2 PTE_UPDATE.5 CALL.5",
}

fn at(table: Mfn, index: u16, value: u64) -> PteUpdate {
    PteUpdate::One(Update::new(Target::Entry { table, index }, value))
}

fn kernel_page(address: VirtAddr, value: u64) -> Update {
    Update::new(Target::Page { space: Space::Kernel, address, flush: true }, value)
}

fn entry(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let table = t.table(OWN, Level::L1)?;
    let leaf = writable(t, target);
    equal(t.ok(OWN, &at(table.frame, 0, leaf))?, 1, "updates")?;
    equal(t.ok(OWN, &at(table.frame, 511, leaf))?, 1, "updates")?;
    equal(t.read(OWN, table, 0), leaf, "the first entry")?;
    equal(t.read(OWN, table, 511), leaf, "the last entry")?;
    equal(t.ok(OWN, &at(table.frame, 0, 0))?, 1, "updates")?;
    equal(t.read(OWN, table, 0), 0, "the first entry")
}

fn page(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    t.write(OWN, target, 0, 99);
    let leaf = writable(t, target);
    t.map(OWN, SCRATCH, 0)?;
    t.faults(OWN, SCRATCH, Touch::Read)?;
    equal(t.ok(OWN, &PteUpdate::One(kernel_page(SCRATCH, leaf)))?, 1, "updates")?;
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 99, "what the page holds")?;
    t.reaches(OWN, SCRATCH, Touch::Write(100))?;
    equal(t.read(OWN, target, 0), 100, "what was written")?;
    t.ok(OWN, &PteUpdate::One(kernel_page(SCRATCH, 0)))?;
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn page_of_user_root(t: &mut Test<'_>) -> Check {
    let level = t.entries().root_level();
    let root = t.table(OWN, level)?;
    t.note(OWN, Undo::ClearUserRoot)?;
    let call = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Set(root.frame) };
    t.ok(OWN, &call)?;
    let target = t.page(OWN)?;
    let leaf = writable(t, target);
    let user = |flush| Target::Page { space: Space::User, address: SCRATCH, flush };
    let one = PteUpdate::One(Update::new(user(false), leaf));
    t.refused(OWN, &one, Error::NotMapped)?;
    let (mut table, mut above, entries) = (root, level, t.entries());
    while let Some(below) = above.below() {
        let next = t.table(OWN, below)?;
        let link = entries.table(next.frame);
        t.set_entry(OWN, table.frame, entries.index(SCRATCH, above), link)?;
        (table, above) = (next, below);
    }
    t.ok(OWN, &one)?;
    let index = entries.index(SCRATCH, Level::L1);
    equal(t.read(OWN, table, index.into()), leaf, "the entry")?;
    t.ok(OWN, &PteUpdate::One(Update::new(user(true), 0)))?;
    equal(t.read(OWN, table, index.into()), 0, "the entry")
}

fn many(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let table = t.table(OWN, Level::L1)?;
    let leaf = read_only(t, target);
    for index in 0..20 {
        let target = Target::Entry { table: table.frame, index: index as u16 };
        t.set_update(OWN, index, Update::new(target, leaf));
    }
    equal(t.ok(OWN, &PteUpdate::Many(20))?, 20, "updates")?;
    for index in 0..20 {
        equal(t.read(OWN, table, index), leaf, "an entry")?;
    }
    equal(t.read(OWN, table, 20), 0, "the entry after them")
}

fn largest_count(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    for index in 0..256 {
        let target = Target::Entry { table: table.frame, index: index as u16 };
        let value = if index == 255 { t.entries().software() } else { 0 };
        t.set_update(OWN, index, Update::new(target, value));
    }
    equal(t.ok(OWN, &PteUpdate::Many(256))?, 256, "updates")?;
    let software = t.entries().software();
    equal(t.read(OWN, table, 255), software, "the last entry")
}

fn replace(t: &mut Test<'_>) -> Check {
    let (one, two) = (t.page(OWN)?, t.page(OWN)?);
    t.write(OWN, one, 0, 1);
    t.write(OWN, two, 0, 2);
    let (first, second) = (writable(t, one), writable(t, two));
    t.map(OWN, SCRATCH, first)?;
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 1, "the first page")?;
    t.ok(OWN, &PteUpdate::One(kernel_page(SCRATCH, second)))?;
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 2, "the second page")
}

fn permissions(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let entries = t.entries();
    t.write(OWN, target, 0, entries.return_code());
    t.map(OWN, SCRATCH, entries.leaf(target.frame, Permit::Write))?;
    t.reaches(OWN, SCRATCH, Touch::Write(entries.return_code()))?;
    t.faults(OWN, SCRATCH, Touch::Execute)?;
    t.map(OWN, SCRATCH, entries.leaf(target.frame, Permit::Read))?;
    t.reaches(OWN, SCRATCH, Touch::Read)?;
    t.faults(OWN, SCRATCH, Touch::Write(0))?;
    t.faults(OWN, SCRATCH, Touch::Execute)?;
    t.map(OWN, SCRATCH, entries.leaf(target.frame, Permit::Execute))?;
    t.reaches(OWN, SCRATCH, Touch::Execute)?;
    t.faults(OWN, SCRATCH, Touch::Write(0)).map(drop)
}

fn link_validates(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let leaf = writable(t, target);
    let low = t.written_table(OWN, &[(8, leaf)])?;
    let high = t.table(OWN, Level::L2)?;
    let before = t.counts(OWN)?;
    let link = t.entries().table(low.frame);
    t.set_entry(OWN, high.frame, 2, link)?;
    let after = t.counts(OWN)?;
    equal(after.table_frames, before.table_frames + 1, "tables")?;
    equal(after.pinned_tables, before.pinned_tables, "pinned tables")?;
    t.refused(OWN, &PtUnpin { frame: low.frame }, Error::NotPinned)
}

fn unlink_demotes(t: &mut Test<'_>) -> Check {
    let low = t.written_table(OWN, &[])?;
    let high = t.table(OWN, Level::L2)?;
    let link = t.entries().table(low.frame);
    t.set_entry(OWN, high.frame, 0, link)?;
    t.set_entry(OWN, high.frame, 1, link)?;
    let before = t.counts(OWN)?;
    t.ok(OWN, &at(high.frame, 0, 0))?;
    equal(t.counts(OWN)?.table_frames, before.table_frames, "tables, one link left")?;
    t.ok(OWN, &at(high.frame, 1, 0))?;
    equal(t.counts(OWN)?.table_frames, before.table_frames - 1, "tables, no link left")?;
    t.refused(OWN, &PtUnpin { frame: low.frame }, Error::NotTable)
}

fn frame_is_free_once_unmapped(t: &mut Test<'_>) -> Check {
    let target = t.unmapped_page(OWN)?;
    let leaf = writable(t, target);
    t.map(OWN, SCRATCH, leaf)?;
    t.set_argument(OWN, 0, target.frame.0);
    t.refused(OWN, &BalloonInflate::frames(1), Error::Busy)?;
    t.ok(OWN, &PteUpdate::One(kernel_page(SCRATCH, 0)))?;
    t.note(OWN, Undo::Populate(target.pfn))?;
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, target.pfn, Mfn::NONE);
    Ok(())
}

fn same_frame_twice(t: &mut Test<'_>) -> Check {
    let target = t.unmapped_page(OWN)?;
    let table = t.table(OWN, Level::L1)?;
    let leaf = writable(t, target);
    t.ok(OWN, &at(table.frame, 0, leaf))?;
    t.ok(OWN, &at(table.frame, 1, leaf))?;
    // Writing the same value again changes no count.
    t.ok(OWN, &at(table.frame, 1, leaf))?;
    t.ok(OWN, &at(table.frame, 0, 0))?;
    t.set_argument(OWN, 0, target.frame.0);
    t.refused(OWN, &BalloonInflate::frames(1), Error::Busy)?;
    t.ok(OWN, &at(table.frame, 1, 0))?;
    t.note(OWN, Undo::Populate(target.pfn))?;
    t.set_argument(OWN, 0, target.frame.0);
    t.ok(OWN, &BalloonInflate::frames(1))?;
    t.set_p2m(OWN, target.pfn, Mfn::NONE);
    Ok(())
}

fn grant(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let theirs = t.page(PEER)?;
    t.write(PEER, theirs, 0, 0xcafe);
    let grant = t.grant(PEER, theirs, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let leaf = t.entries().leaf(mapped.frame, Permit::Write);
    t.map(OWN, SCRATCH, leaf)?;
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 0xcafe, "the peer's page")?;
    t.reaches(OWN, SCRATCH, Touch::Write(0xbeef))?;
    equal(t.read(PEER, theirs, 0), 0xbeef, "the page, seen by the peer")
}

fn prefix(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let target = t.page(OWN)?;
    let leaf = read_only(t, target);
    let hypervisor = t.caller().hypervisor_frame();
    for index in 0..6u16 {
        let value = if index == 4 { t.entries().leaf(hypervisor, Permit::Read) } else { leaf };
        let target = Target::Entry { table: table.frame, index };
        t.set_update(OWN, index.into(), Update::new(target, value));
    }
    t.refused_after(OWN, &PteUpdate::Many(6), Error::NotOwner, 4)?;
    equal(t.read(OWN, table, 3), leaf, "the last entry that took effect")?;
    equal(t.read(OWN, table, 4), 0, "the entry that was refused")?;
    equal(t.read(OWN, table, 5), 0, "the entry after it")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [257, 512, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &PteUpdate::Many(1), 0, count, Error::BadArgument)?;
    }
    Ok(())
}

fn raw_target(target: u64, value: u64) -> PteUpdate {
    PteUpdate::One(Update { target: TargetBits(target), value })
}

fn bad_target(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    let address = table.frame.0 << 12;
    for low in [7, 4] {
        t.refused(OWN, &raw_target(address | low, 0), Error::BadArgument)?;
    }
    for space in [1, 2] {
        for low in [16, 2048, 4088] {
            t.refused(OWN, &raw_target(SCRATCH.0 + low + space, 0), Error::BadArgument)?;
        }
    }
    Ok(())
}

fn bad_table_frame(t: &mut Test<'_>) -> Check {
    t.refused(OWN, &at(BEYOND, 0, 0), Error::BadFrame)?;
    t.refused(OWN, &raw_target(!7, 0), Error::BadFrame)
}

fn table_not_owned(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    t.refused(OWN, &at(frame, 0, 0), Error::NotOwner)?;
    if t.need_peer().is_ok() {
        let table = t.table(PEER, Level::L1)?;
        t.refused(OWN, &at(table.frame, 0, 0), Error::NotOwner)?;
    }
    Ok(())
}

fn not_a_table(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    t.refused(OWN, &at(page.frame, 0, 0), Error::NotTable)?;
    let page = t.table_page(OWN)?;
    t.refused(OWN, &at(page.frame, 511, 0), Error::NotTable)
}

fn hypervisor_slot(t: &mut Test<'_>) -> Check {
    let root = t.root(OWN);
    for slot in [256, 257, 384, 511] {
        let canonical = t.entry_of(OWN, root, slot)?;
        // Not even the value that is there.
        for value in [0, canonical] {
            t.refused(OWN, &at(root, slot, value), Error::HypervisorRange)?;
        }
    }
    // Below the root there is no such range.
    let low = t.table(OWN, Level::L1)?;
    t.ok(OWN, &at(low.frame, 300, 0)).map(drop)
}

fn hypervisor_address(t: &mut Test<'_>) -> Check {
    let end = t.guest_end();
    let addresses = [end.0, end.0 + PAGE_SIZE, 1 << 63, u64::MAX - 4095, 0xffff_8000_0000_0000];
    for address in addresses {
        for low in [1, 5] {
            t.refused(OWN, &raw_target(address | low, 0), Error::HypervisorRange)?;
        }
    }
    let last = VirtAddr(end.0 - PAGE_SIZE);
    let target = Target::Page { space: Space::Kernel, address: last, flush: false };
    t.refused(OWN, &PteUpdate::One(Update::new(target, 0)), Error::NotMapped)
}

fn no_user_root(t: &mut Test<'_>) -> Check {
    let clear = PtSwitch { kernel_root: RootChange::Keep, user_root: RootChange::Clear };
    t.ok(OWN, &clear)?;
    let target = Target::Page { space: Space::User, address: SCRATCH, flush: false };
    t.refused(OWN, &PteUpdate::One(Update::new(target, 0)), Error::NotRegistered)
}

fn not_mapped(t: &mut Test<'_>) -> Check {
    t.refused(OWN, &PteUpdate::One(kernel_page(SCRATCH, 0)), Error::NotMapped)?;
    // A level-1 table suffices, whatever is in it.
    t.reach(OWN, SCRATCH)?;
    t.ok(OWN, &PteUpdate::One(kernel_page(SCRATCH, 0))).map(drop)
}

fn order_of_checks(t: &mut Test<'_>) -> Check {
    // The count before the target, the target before the entry.
    let page = t.page(OWN)?;
    let bad = t.entries().superpage(page.frame);
    let mut args = at(BEYOND, 0, bad).encode();
    args[0] = 257;
    t.refused_raw(OWN, PteUpdate::NUMBER as u64, args, Error::BadArgument, 0)?;
    t.refused(OWN, &raw_target(BEYOND.0 << 12 | 4, bad), Error::BadArgument)?;
    t.refused(OWN, &at(BEYOND, 0, bad), Error::BadFrame)?;
    t.refused(OWN, &at(page.frame, 0, bad), Error::NotTable)
}
