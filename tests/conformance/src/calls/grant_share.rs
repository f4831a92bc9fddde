//! Tests of `grant_share`.

use super::{BEYOND, foreign};
use crate::{Check, OWN, PEER, Pretence, Stop, Test, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, GrantRef, Mfn, Status,
    addr::Level,
    calls::{GrantMap, GrantRevoke, GrantShare, PtCreate, grant_share::Access},
};

tests! { "grant_share":
    success: "GRANT_SHARE.10 GRANT_SHARE.12",
    distinct: "GRANT_SHARE.11",
    lowest_number: "GRANT_SHARE.13",
    only_for_the_named_domain: "GRANT_SHARE.11",
    page_table_for_reading: "GRANT_SHARE.7",
    domain_range: "GRANT_SHARE.1",
    bad_access: "GRANT_SHARE.2 RULE.12",
    oneself: "GRANT_SHARE.3",
    no_domain: "GRANT_SHARE.4",
    bad_frame: "GRANT_SHARE.5 XSA-32 XSA-232",
    not_owner: "GRANT_SHARE.6 XSA-232",
    mapped_grant_is_not_owned: "GRANT_SHARE.6 RULE.12",
    page_table_for_writing: "GRANT_SHARE.7",
    quota: "GRANT_SHARE.8 XSA-300",
    granted_frame_is_no_table: "GRANT_SHARE.10",
    count_at_its_largest: "GRANT_SHARE.9 FRAME.12",
}

fn success(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let before = t.counts(OWN)?;
    for access in [Access::Read, Access::ReadWrite] {
        let page = t.page(OWN)?;
        t.grant(OWN, page, access)?;
    }
    let after = t.counts(OWN)?;
    equal(after.grants, before.grants + 2, "grants")?;
    equal(after.frames, before.frames, "frames")
}

fn distinct(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let one = t.grant(OWN, page, Access::Read)?;
    let two = t.grant(OWN, page, Access::ReadWrite)?;
    crate::check(one != two, "the numbers of two grants differ")?;
    t.ok(OWN, &GrantRevoke { grant: one })?;
    // The other one is as it was.
    let mapped = t.open(PEER, two, Access::ReadWrite)?;
    equal(mapped.frame, page.frame, "the frame")
}

fn lowest_number(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let one = t.grant(OWN, page, Access::Read)?;
    let two = t.grant(OWN, page, Access::Read)?;
    equal((one, two), (GrantRef(0), GrantRef(1)), "the first two numbers")?;
    t.ok(OWN, &GrantRevoke { grant: one })?;
    equal(t.grant(OWN, page, Access::Read)?, one, "the number that came free")
}

fn only_for_the_named_domain(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let domain = t.domain(PEER);
    let grant = t.grant(PEER, page, Access::Read)?;
    t.refused(PEER, &GrantMap { domain, grant, access: Access::Read }, Error::NoGrant)
}

fn page_table_for_reading(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table(OWN, Level::L1)?;
    let grant = t.grant(OWN, page, Access::Read)?;
    let mapped = t.open(PEER, grant, Access::Read)?;
    equal(mapped.frame, page.frame, "the frame")
}

/// A grant of the page to the peer, or to nobody where there is none.
fn call(t: &mut Test<'_>, frame: Mfn, access: Access) -> GrantShare {
    let domain = if t.need_peer().is_ok() { t.domain(PEER) } else { DomainId::LAST };
    GrantShare { domain, frame, access }
}

fn domain_range(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let call = call(t, page.frame, Access::Read);
    for domain in [1 << 16, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &call, 0, domain, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_access(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let call = call(t, page.frame, Access::Read);
    for access in [2, 3, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &call, 2, access, Error::BadArgument)?;
    }
    Ok(())
}

fn oneself(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for domain in [DomainId::SELF, t.domain(OWN)] {
        let call = GrantShare { domain, frame: page.frame, access: Access::Read };
        t.refused(OWN, &call, Error::BadArgument)?;
    }
    Ok(())
}

fn no_domain(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    for domain in [DomainId(0), DomainId::LAST, DomainId(0x7ff1), DomainId(u16::MAX)] {
        let call = GrantShare { domain, frame: page.frame, access: Access::Read };
        t.refused(OWN, &call, Error::NoDomain)?;
    }
    Ok(())
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    for frame in [BEYOND, Mfn(1 << 52), Mfn::NONE] {
        let call = call(t, frame, Access::Read);
        t.refused(OWN, &call, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let theirs = foreign(t, OWN)?;
    for frame in [t.caller().hypervisor_frame(), theirs] {
        let call = call(t, frame, Access::Read);
        t.refused(OWN, &call, Error::NotOwner)?;
    }
    Ok(())
}

fn mapped_grant_is_not_owned(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    t.open(OWN, grant, Access::ReadWrite)?;
    let call = call(t, page.frame, Access::Read);
    t.refused(OWN, &call, Error::NotOwner)
}

fn page_table_for_writing(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table(OWN, Level::L1)?;
    let call = call(t, page.frame, Access::ReadWrite);
    t.refused(OWN, &call, Error::TypeConflict)
}

fn quota(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let call = call(t, page.frame, Access::Read);
    let mut given = 0u32;
    let status = loop {
        let (status, _) = t.call(OWN, &call);
        if status != Status::SUCCESS {
            break status;
        }
        given += 1;
        if given == 1 << 17 {
            return Err(Stop::Skip("the domain has no limit in reach"));
        }
    };
    for grant in 0..1 << 17 {
        if crate::undo::succeeded(t.call(OWN, &GrantRevoke { grant: GrantRef(grant) })) {
            given -= 1;
        }
        if given == 0 {
            break;
        }
    }
    equal(status, Status::from(Err(Error::QuotaExceeded)), "status")
}

fn granted_frame_is_no_table(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(OWN)?;
    let grant = t.grant(OWN, page, Access::Read)?;
    // A grant for reading does not stand in the way of a table.
    t.note(OWN, Undo::Unpin(page.frame))?;
    let create = PtCreate { frame: page.frame, level: Level::L1 };
    t.ok(OWN, &create)?;
    t.ok(OWN, &hypercall_abi::calls::PtUnpin { frame: page.frame })?;
    t.ok(OWN, &GrantRevoke { grant })?;
    t.grant(OWN, page, Access::ReadWrite)?;
    t.refused(OWN, &create, Error::TypeConflict)
}

fn count_at_its_largest(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let before = t.counts(OWN)?;
    t.pretend(page.frame, Pretence::Room(0))?;
    for access in [Access::Read, Access::ReadWrite] {
        let call = call(t, page.frame, access);
        t.refused(OWN, &call, Error::CountOverflow)?;
    }
    equal(t.counts(OWN)?.grants, before.grants, "grants")?;
    t.pretend(page.frame, Pretence::Room(1))?;
    t.grant(OWN, page, Access::ReadWrite)?;
    let call = call(t, page.frame, Access::Read);
    t.refused(OWN, &call, Error::CountOverflow)
}
