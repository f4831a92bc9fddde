//! Attacks on page tables and on what a frame is used as.

use super::{BESIDE, at, leaf, level_2};
use crate::{
    Check, Entries, OWN, PEER, Permit, Test, Touch, equal, journal::Undo, registry::tests,
    test::SCRATCH,
};
use core::mem::offset_of;
use hypercall_abi::{
    Error, Mfn, Pfn, Status, VirtAddr,
    addr::Level,
    calls::{
        BalloonInflate, Batch, GrantShare, PtCreate, PtPin, PtSwitch, PtUnpin, PteUpdate,
        TrapReturn,
        batch::BatchEntry,
        grant_share::Access,
        pt_switch::RootChange,
        pte_update::{Space, Target, Update},
    },
    start_info::StartInfo,
};

tests! { "tables":
    flags_toggled_in_place: "PTE_UPDATE.10 FRAME.10 RULE.5 XSA-148",
    link_flags_toggled_in_place: "PTE_UPDATE.10 FRAME.10 XSA-148",
    read_only_map_of_a_table: "PTE_UPDATE.10 FRAME.6 XSA-182",
    high_bits_do_not_alias: "PTE_UPDATE.10 PTE.2 XSA-173 XSA-301",
    sparse_root: "PT_PIN.11 PTE_UPDATE.9 XSA-23 XSA-64",
    walks_see_earlier_updates: "PTE_UPDATE.12 XSA-286",
    pages_of_the_peer: "FRAME.14 PTE_UPDATE.10 XSA-248 XSA-412",
}

/// Bits beside the frame's that may change while an entry maps a page table for reading.
fn free_in_leaf(entries: Entries) -> u64 {
    if entries.is_x86() {
        // Accessed, dirty, software, no-execute.
        1 << 5 | 1 << 6 | 7 << 9 | 0x7f << 52 | 1 << 63
    } else {
        // Execute, accessed, dirty, software.
        1 << 3 | 1 << 6 | 1 << 7 | 3 << 8
    }
}

/// Bits beside the frame's that may change in an entry that names a table.
fn free_in_link(entries: Entries) -> u64 {
    if entries.is_x86() {
        // Writable: it only narrows what lies below. The others as in a leaf.
        1 << 1 | free_in_leaf(entries)
    } else {
        3 << 8
    }
}

/// The bits beside the frame's.
fn flag_bits(entries: Entries) -> impl Iterator<Item = u64> {
    let frame = if entries.is_x86() { 0x000f_ffff_ffff_f000 } else { 0x003f_ffff_ffff_fc00 };
    (0..64).map(|bit| 1u64 << bit).filter(move |bit| bit & frame == 0)
}

/// Toggles each flag of an entry that is there, and each together with each of `always`, which
/// no company makes acceptable.
fn toggle(t: &mut Test<'_>, table: Mfn, value: u64, free: u64, always: &[u64]) -> Check {
    let entries = t.entries();
    t.set_entry(OWN, table, 3, value)?;
    for bit in flag_bits(entries) {
        let (status, _) = t.call(OWN, &at(table, 3, value ^ bit));
        equal((bit, status == Status::SUCCESS), (bit, bit & free != 0), "a flag is accepted")?;
        let now = t.entry_of(OWN, table, 3)?;
        let want = if bit & free != 0 { value ^ bit } else { value };
        equal(entries.essence(now), entries.essence(want), "the entry")?;
        t.ok(OWN, &at(table, 3, value))?;
        for bad in always.iter().filter(|bad| **bad != bit) {
            let (status, _) = t.call(OWN, &at(table, 3, value ^ bit ^ bad));
            let told = matches!(status.decode(), Some(Err(Error::BadEntry | Error::TypeConflict)));
            equal((bit, told), (bit, true), "two flags are refused")?;
        }
    }
    Ok(())
}

fn flags_toggled_in_place(t: &mut Test<'_>) -> Check {
    let (map, table) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let value = leaf(t, table, Permit::Read);
    let entries = t.entries();
    let writable = if entries.is_x86() { 1 << 1 } else { 1 << 2 };
    toggle(t, map.frame, value, free_in_leaf(entries), &[writable])
}

fn link_flags_toggled_in_place(t: &mut Test<'_>) -> Check {
    let (high, low) = (t.table(OWN, Level::L2)?, t.table(OWN, Level::L1)?);
    let entries = t.entries();
    let value = entries.table(low.frame);
    // What makes a superpage of it.
    let large: &[u64] = if entries.is_x86() { &[1 << 7] } else { &[1 << 1, 1 << 3] };
    toggle(t, high.frame, value, free_in_link(entries), large)
}

fn read_only_map_of_a_table(t: &mut Test<'_>) -> Check {
    let table = t.reach(OWN, SCRATCH)?;
    let entries = t.entries();
    let index = entries.index(SCRATCH, Level::L1);
    // The table maps itself, for reading.
    t.set_entry(OWN, table, index, entries.leaf(table, Permit::Read))?;
    let open = entries.leaf(table, Permit::Write);
    let by_entry = Update::new(Target::Entry { table, index }, open);
    let page = Target::Page { space: Space::Kernel, address: SCRATCH, flush: true };
    for update in [by_entry, Update::new(page, open)] {
        t.refused(OWN, &PteUpdate::One(update), Error::TypeConflict)?;
        t.set_update(OWN, 0, update);
        t.refused(OWN, &PteUpdate::Many(1), Error::TypeConflict)?;
        t.refused(OWN, &TrapReturn { count: 1 }, Error::TypeConflict)?;
        let entry = BatchEntry::new(&PteUpdate::One(update));
        t.set_argument(OWN, 0, entry.number_or_status);
        for (word, value) in entry.args.into_iter().enumerate() {
            t.set_argument(OWN, 1 + word, value);
        }
        t.ok(OWN, &Batch { count: 1 })?;
        let status = Status(t.argument(OWN, 0));
        equal(status, Status::from(Err(Error::TypeConflict)), "status in a batch")?;
    }
    t.reaches(OWN, SCRATCH, Touch::Read)?;
    t.faults(OWN, SCRATCH, Touch::Write(open)).map(drop)
}

fn high_bits_do_not_alias(t: &mut Test<'_>) -> Check {
    let (page, map) = (t.table_page(OWN)?, t.table(OWN, Level::L1)?);
    let peer = t.domain(PEER);
    let entries = t.entries();
    let root = entries.root_level();
    // Machines that this runs on have fewer than 2^22 frames.
    for bit in 22..63 {
        let frame = Mfn(page.frame.0 | 1 << bit);
        t.refused(OWN, &PtUnpin { frame }, Error::BadFrame)?;
        t.refused(OWN, &PtCreate { frame, level: Level::L1 }, Error::BadFrame)?;
        t.refused(OWN, &PtPin { frame, level: root }, Error::BadFrame)?;
        t.set_argument(OWN, 0, frame.0);
        t.refused(OWN, &BalloonInflate::frames(1), Error::BadFrame)?;
        if t.need_peer().is_ok() {
            let call = GrantShare { domain: peer, frame, access: Access::Read };
            t.refused(OWN, &call, Error::BadFrame)?;
        }
        // As wide as an entry's field is.
        if bit < if entries.is_x86() { 40 } else { 44 } {
            let user_root = RootChange::Set(frame);
            let call = PtSwitch { kernel_root: RootChange::Keep, user_root };
            t.refused(OWN, &call, Error::BadFrame)?;
            t.refused(OWN, &at(map.frame, 0, entries.leaf(frame, Permit::Read)), Error::BadFrame)?;
            t.refused(OWN, &at(frame, 0, 0), Error::BadFrame)?;
        }
    }
    Ok(())
}

fn sparse_root(t: &mut Test<'_>) -> Check {
    const LAST: u64 = 255;
    let entries = t.entries();
    let level = entries.root_level();
    let Some(below) = level.below() else { return Ok(()) };
    let child = t.table(OWN, below)?;
    let link = entries.table(child.frame);
    let root = t.written_table(OWN, &[(LAST as usize, link)])?;
    t.note(OWN, Undo::Unpin(root.frame))?;
    t.ok(OWN, &PtPin { frame: root.frame, level })?;
    for slot in 0..LAST {
        equal(t.read(OWN, root, slot as usize), 0, "an empty slot of the guest's")?;
    }
    equal(t.read(OWN, root, LAST as usize), link, "the slot that was written")?;
    t.note(OWN, Undo::ClearUserRoot)?;
    let user_root = RootChange::Set(root.frame);
    t.ok(OWN, &PtSwitch { kernel_root: RootChange::Keep, user_root })?;
    let shift = 12 + 9 * (u32::from(level.number()) - 1);
    for slot in 0..=LAST {
        for low in [0, (1 << shift) - 4096] {
            let address = VirtAddr(slot << shift | low);
            let target = Target::Page { space: Space::User, address, flush: false };
            t.refused(OWN, &PteUpdate::One(Update::new(target, 0)), Error::NotMapped)?;
        }
    }
    Ok(())
}

fn walks_see_earlier_updates(t: &mut Test<'_>) -> Check {
    let above = level_2(t)?;
    let entries = t.entries();
    let (slot, index) = (entries.index(BESIDE, Level::L2), entries.index(BESIDE, Level::L1));
    let (one, two) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L1)?);
    let (first, second) = (t.page(OWN)?, t.page(OWN)?);
    let page = Target::Page { space: Space::Kernel, address: BESIDE, flush: true };
    let link = Target::Entry { table: above, index: slot };
    let values = [leaf(t, first, Permit::Write), leaf(t, second, Permit::Write)];
    t.note(OWN, Undo::ClearEntry(above, slot))?;
    t.set_update(OWN, 0, Update::new(link, entries.table(one.frame)));
    t.set_update(OWN, 1, Update::new(page, values[0]));
    t.set_update(OWN, 2, Update::new(link, entries.table(two.frame)));
    t.set_update(OWN, 3, Update::new(page, values[1]));
    equal(t.ok(OWN, &PteUpdate::Many(4))?, 4, "updates")?;
    let got = [t.read(OWN, one, index.into()), t.read(OWN, two, index.into())];
    equal(got, values, "the entry of each table")
}

fn pages_of_the_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let map = t.table(OWN, Level::L1)?;
    let peer = t.domain(PEER);
    // Start information, vCPU page, argument frame, P2M, image, tables.
    let end = t.start_info(PEER, offset_of!(StartInfo, free_pfn));
    for pfn in 0..end.min(64) {
        let frame = t.p2m(PEER, Pfn(pfn));
        for permit in [Permit::Read, Permit::Write] {
            let value = t.entries().leaf(frame, permit);
            t.refused(OWN, &at(map.frame, 0, value), Error::NotOwner)?;
        }
        t.refused(OWN, &PtUnpin { frame }, Error::NotOwner)?;
        t.set_argument(OWN, 0, frame.0);
        t.refused(OWN, &BalloonInflate::frames(1), Error::NotOwner)?;
        let call = GrantShare { domain: peer, frame, access: Access::Read };
        t.refused(OWN, &call, Error::NotOwner)?;
    }
    let root = t.root(PEER);
    let call = PtSwitch { kernel_root: RootChange::Set(root), user_root: RootChange::Keep };
    t.refused(OWN, &call, Error::NotOwner)
}
