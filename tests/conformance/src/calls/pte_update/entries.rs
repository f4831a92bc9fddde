//! Tests of `pte_update`: the rules for the entry that is written.

use super::at;
use crate::{
    Check, OWN, PEER, Permit, Pretence, Test,
    calls::{BEYOND, foreign, read_only, writable},
    check, equal,
};
use hypercall_abi::{Error, addr::Level, calls::grant_share::Access};

pub(super) fn bad_entry(t: &mut Test<'_>) -> Check {
    let target = t.page(OWN)?;
    let entries = t.entries();
    let low = t.table(OWN, Level::L1)?;
    let leaf = read_only(t, target);
    for &bit in entries.leaf_forbidden() {
        t.refused(OWN, &at(low.frame, 0, leaf | bit), Error::BadEntry)?;
    }
    let others = [entries.supervisor_leaf(target.frame), entries.absent_with_frame(target.frame)];
    for value in others {
        t.refused(OWN, &at(low.frame, 0, value), Error::BadEntry)?;
    }
    equal(t.read(OWN, low, 0), 0, "the entry")?;
    let high = t.table(OWN, Level::L2)?;
    let link = entries.table(low.frame);
    for &bit in entries.table_forbidden() {
        t.refused(OWN, &at(high.frame, 0, link | bit), Error::BadEntry)?;
    }
    t.refused(OWN, &at(high.frame, 0, entries.superpage(target.frame)), Error::BadEntry)
}

pub(super) fn entry_beyond_memory(t: &mut Test<'_>) -> Check {
    let entries = t.entries();
    let low = t.table(OWN, Level::L1)?;
    t.refused(OWN, &at(low.frame, 0, entries.leaf(BEYOND, Permit::Read)), Error::BadFrame)?;
    let high = t.table(OWN, Level::L2)?;
    t.refused(OWN, &at(high.frame, 0, entries.table(BEYOND)), Error::BadFrame)
}

pub(super) fn entry_not_owned(t: &mut Test<'_>) -> Check {
    let entries = t.entries();
    let (low, high) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let theirs = foreign(t, OWN)?;
    for frame in [t.caller().hypervisor_frame(), theirs] {
        for permit in [Permit::Read, Permit::Write] {
            t.refused(OWN, &at(low.frame, 0, entries.leaf(frame, permit)), Error::NotOwner)?;
        }
        t.refused(OWN, &at(high.frame, 0, entries.table(frame)), Error::NotOwner)?;
    }
    Ok(())
}

pub(super) fn entry_of_other_level(t: &mut Test<'_>) -> Check {
    let entries = t.entries();
    let (low, high) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let third = t.table(OWN, Level::L3)?;
    let cases = [(high, high), (third, low), (third, third), (high, third)];
    for (table, named) in cases {
        let value = entries.table(named.frame);
        t.refused(OWN, &at(table.frame, 0, value), Error::BadLevel)?;
    }
    let root = t.root(OWN);
    t.refused(OWN, &at(root, 200, entries.table(root)), Error::BadLevel)
}

pub(super) fn entry_maps_table_writable(t: &mut Test<'_>) -> Check {
    let (low, other) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    for table in [low, other] {
        let (open, closed) = (writable(t, table), read_only(t, table));
        t.refused(OWN, &at(low.frame, 0, open), Error::TypeConflict)?;
        t.ok(OWN, &at(low.frame, 0, closed))?;
        t.ok(OWN, &at(low.frame, 0, 0))?;
    }
    Ok(())
}

pub(super) fn entry_names_writable_frame(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let high = t.table(OWN, Level::L2)?;
    let link = t.entries().table(page.frame);
    t.refused(OWN, &at(high.frame, 0, link), Error::TypeConflict)
}

pub(super) fn entry_exceeds_grant(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let theirs = t.page(PEER)?;
    let grant = t.grant(PEER, theirs, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    let low = t.table(OWN, Level::L1)?;
    let entries = t.entries();
    let open = entries.leaf(mapped.frame, Permit::Write);
    t.refused(OWN, &at(low.frame, 0, open), Error::ReadOnlyGrant)?;
    t.ok(OWN, &at(low.frame, 0, entries.leaf(mapped.frame, Permit::Read)))?;
    check(t.read(OWN, low, 0) != 0, "the entry is there")
}

pub(super) fn entry_exceeds_count(t: &mut Test<'_>) -> Check {
    let (low, high) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let page = t.page(OWN)?;
    let link = t.entries().table(low.frame);
    t.pretend(page.frame, Pretence::Room(0))?;
    for value in [read_only(t, page), writable(t, page)] {
        t.refused(OWN, &at(low.frame, 0, value), Error::CountOverflow)?;
    }
    t.pretend(page.frame, Pretence::Room(1))?;
    t.ok(OWN, &at(low.frame, 0, writable(t, page)))?;
    t.refused(OWN, &at(low.frame, 1, read_only(t, page)), Error::CountOverflow)?;
    t.ok(OWN, &at(low.frame, 0, 0))?;
    // A table that is validated, and one that is not.
    let written = t.written_table(OWN, &[])?;
    for (table, link) in [(low, link), (written, t.entries().table(written.frame))] {
        t.pretend(table.frame, Pretence::Room(0))?;
        t.refused(OWN, &at(high.frame, 0, link), Error::CountOverflow)?;
        t.pretend(table.frame, Pretence::Room(1))?;
        t.ok(OWN, &at(high.frame, 0, link))?;
        t.ok(OWN, &at(high.frame, 0, 0))?;
    }
    Ok(())
}

pub(super) fn under_way(t: &mut Test<'_>) -> Check {
    let (low, high) = (t.table(OWN, Level::L1)?, t.table(OWN, Level::L2)?);
    let link = t.entries().table(low.frame);
    t.pretend(low.frame, Pretence::UnderWay)?;
    t.refused(OWN, &at(low.frame, 0, 0), Error::Busy)?;
    t.refused(OWN, &at(high.frame, 0, link), Error::Busy)?;
    t.refused(OWN, &at(low.frame, 0, writable(t, low)), Error::Busy)?;
    t.refused(OWN, &at(high.frame, 0, t.entries().superpage(low.frame)), Error::BadEntry)
}
