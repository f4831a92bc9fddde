//! Attacks on grants and on what is mapped through them.

use super::{at, leaf};
use crate::{
    Check, OWN, PEER, Permit, Test, Touch, check, equal, journal::Undo, registry::tests,
    test::SCRATCH,
};
use hypercall_abi::{
    Error, GrantRef, Mfn, Status,
    addr::Level,
    calls::{
        Batch, Call, GrantMap, GrantRevoke, GrantUnmap, PtCreate, PtUnpin, batch::BatchEntry,
        grant_share::Access,
    },
};

tests! { "grants":
    closed_handle_then_table: "GRANT_UNMAP.4 FRAME.17 XSA-217",
    entries_count_by_what_they_permit: "GRANT_UNMAP.3 PTE.9 XSA-224 XSA-234",
    numbers_are_of_one_kind: "BATCH.3 GRANT_MAP.4 CVE-2026-102703",
    what_is_not_there: "GRANT_REVOKE.2 GRANT_UNMAP.2 GRANT_MAP.4 XSA-18 XSA-134",
}

fn closed_handle_then_table(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    for word in 0..512 {
        t.write(PEER, page, word, 0);
    }
    t.protect(PEER, page)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    let open = leaf(t, page, Permit::Write);
    t.set_entry(OWN, table, index, open)?;
    t.reaches(OWN, SCRATCH, Touch::Write(0))?;
    // The entry goes without a flush: the translation may stay in the processor.
    t.set_entry(OWN, table, index, 0)?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
    t.ok(PEER, &GrantRevoke { grant })?;
    t.note(PEER, Undo::Unpin(page.frame))?;
    t.ok(PEER, &PtCreate { frame: page.frame, level: Level::L1 })?;
    check(t.touch(OWN, SCRATCH, Touch::Write(u64::MAX)).is_err(), "the table cannot be written")?;
    equal(t.read(PEER, page, 0), 0, "the table's first entry")
}

fn entries_count_by_what_they_permit(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let map = t.table(OWN, Level::L1)?;
    let (open, closed) = (leaf(t, page, Permit::Write), leaf(t, page, Permit::Read));
    // Each entry changes its kind, and some go as another than they came.
    for (index, values) in
        [(0, [open, closed, 0]), (1, [closed, open, 0]), (2, [open, open, 0]), (3, [closed, 0, 0])]
    {
        for value in values {
            t.ok(OWN, &at(map.frame, index, value))?;
        }
    }
    t.ok(OWN, &at(map.frame, 4, closed))?;
    let close = GrantUnmap { handle: mapped.handle };
    t.refused(OWN, &close, Error::Busy)?;
    t.ok(OWN, &at(map.frame, 4, 0))?;
    t.ok(OWN, &close)?;
    t.refused(OWN, &close, Error::NoHandle)?;
    t.ok(PEER, &GrantRevoke { grant })?;
    // No writable mapping is left in the books, and not one too few.
    t.note(PEER, Undo::Unpin(page.frame))?;
    t.ok(PEER, &PtCreate { frame: page.frame, level: Level::L1 })?;
    t.refused(PEER, &PtCreate { frame: page.frame, level: Level::L1 }, Error::TypeConflict)
}

fn numbers_are_of_one_kind(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (page, peer) = (t.page(OWN)?, t.domain(PEER));
    let grant = t.grant(OWN, page, Access::ReadWrite)?;
    // A grant's number as a frame, a frame's as a grant, the caller's grant as the peer's.
    let as_frame = PtUnpin { frame: Mfn(grant.0.into()) };
    let as_grant = GrantRevoke { grant: GrantRef(page.frame.0 as u32) };
    let of_peer = GrantMap { domain: peer, grant: GrantRef(grant.0 + 200), access: Access::Read };
    let singly = [t.call(OWN, &as_frame), t.call(OWN, &as_grant), t.call(OWN, &of_peer)];
    check(singly.iter().all(|(status, _)| *status != Status::SUCCESS), "each is refused")?;
    let entries =
        [BatchEntry::new(&as_frame), BatchEntry::new(&as_grant), BatchEntry::new(&of_peer)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
        for (place, which) in order.into_iter().enumerate() {
            t.set_argument(OWN, 8 * place, entries[which].number_or_status);
            for (word, value) in entries[which].args.into_iter().enumerate() {
                t.set_argument(OWN, 8 * place + 1 + word, value);
            }
        }
        t.ok(OWN, &Batch { count: 3 })?;
        for (place, which) in order.into_iter().enumerate() {
            let status = Status(t.argument(OWN, 8 * place));
            equal(status, singly[which].0, "status of an entry, and of the call by itself")?;
        }
    }
    Ok(())
}

fn what_is_not_there(t: &mut Test<'_>) -> Check {
    // On the model the domains are fresh: no grant was ever given, no handle ever opened.
    let own = t.domain(OWN);
    for number in [0x80, 0xff, 0x100, 0x1000, 0xff_ffff] {
        let grant = GrantRef(number);
        t.refused(OWN, &GrantRevoke { grant }, Error::NoGrant)?;
        let call = GrantMap { domain: own, grant, access: Access::Read };
        t.refused(OWN, &call, Error::NoGrant)?;
        let handle = hypercall_abi::GrantHandle(number);
        t.refused_raw(
            OWN,
            GrantUnmap::NUMBER as u64,
            GrantUnmap { handle }.encode(),
            Error::NoHandle,
            0,
        )?;
    }
    Ok(())
}
