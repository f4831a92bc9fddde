//! Tests of `grant_unmap`.

use crate::{
    Check, OWN, PEER, Permit, Test, Touch, check, equal, journal::Undo, registry::tests,
    test::SCRATCH,
};
use hypercall_abi::{
    Error, GrantHandle,
    addr::Level,
    calls::{
        GrantRevoke, GrantUnmap, PtCreate, PteUpdate,
        grant_share::Access,
        pte_update::{Target, Update},
    },
};

tests! { "grant_unmap":
    success: "GRANT_UNMAP.5",
    flushes: "GRANT_UNMAP.4",
    frame_cannot_be_named_after: "GRANT_UNMAP.5 GRANT_MAP.10",
    handle_range: "GRANT_UNMAP.1",
    no_handle: "GRANT_UNMAP.2 XSA-218 XSA-394",
    not_the_peers: "GRANT_UNMAP.2",
    entry_names_it: "GRANT_UNMAP.3 XSA-224 XSA-394",
}

fn success(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let before = t.counts(OWN)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    equal(t.ok(OWN, &GrantUnmap { handle: mapped.handle })?, 0, "value")?;
    equal(t.counts(OWN)?.handles, before.handles, "handles")?;
    t.ok(PEER, &GrantRevoke { grant })?;
    // Every reference has gone: the page can be a table.
    t.note(PEER, Undo::Unpin(page.frame))?;
    t.ok(PEER, &PtCreate { frame: page.frame, level: Level::L1 }).map(drop)
}

fn flushes(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    let leaf = t.entries().leaf(mapped.frame, Permit::Write);
    t.set_entry(OWN, table, index, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(1))?;
    t.set_entry(OWN, table, index, 0)?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
    check(t.touch(OWN, SCRATCH, Touch::Write(2)).is_err(), "the peer's page is out of reach")?;
    equal(t.read(PEER, page, 0), 1, "the peer's page")
}

fn frame_cannot_be_named_after(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    let table = t.table(OWN, Level::L1)?;
    let leaf = t.entries().leaf(mapped.frame, Permit::Read);
    let update = Update::new(Target::Entry { table: table.frame, index: 0 }, leaf);
    t.ok(OWN, &PteUpdate::One(update))?;
    t.ok(OWN, &PteUpdate::One(Update { value: 0, ..update }))?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
    t.refused(OWN, &PteUpdate::One(update), Error::NotOwner)
}

fn handle_range(t: &mut Test<'_>) -> Check {
    for handle in [1 << 24, 1 << 32, u64::MAX] {
        let call = GrantUnmap { handle: GrantHandle(0) };
        t.refused_argument(OWN, &call, 0, handle, Error::BadArgument)?;
    }
    Ok(())
}

fn no_handle(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let highest = GrantHandle(GrantHandle::MASK);
    t.refused(OWN, &GrantUnmap { handle: highest }, Error::NoHandle)?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::Read)?;
    let handle = t.open(OWN, grant, Access::Read)?.handle;
    // The right slot with another generation is another handle.
    let other = GrantHandle::new(handle.slot(), handle.generation().wrapping_add(1));
    t.refused(OWN, &GrantUnmap { handle: other }, Error::NoHandle)?;
    t.ok(OWN, &GrantUnmap { handle })?;
    t.refused(OWN, &GrantUnmap { handle }, Error::NoHandle)
}

fn not_the_peers(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::Read)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    // The one who gave the grant cannot close the other's handle.
    t.refused(PEER, &GrantUnmap { handle: mapped.handle }, Error::NoHandle)?;
    t.refused(PEER, &GrantRevoke { grant }, Error::Busy)
}

fn entry_names_it(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let table = t.table(OWN, Level::L1)?;
    for (index, permit) in [(0, Permit::Read), (1, Permit::Write), (2, Permit::Write)] {
        let leaf = t.entries().leaf(mapped.frame, permit);
        t.set_entry(OWN, table.frame, index, leaf)?;
    }
    let close = GrantUnmap { handle: mapped.handle };
    for index in [1, 0, 2] {
        t.refused(OWN, &close, Error::Busy)?;
        t.set_entry(OWN, table.frame, index, 0)?;
    }
    t.ok(OWN, &close).map(drop)
}
