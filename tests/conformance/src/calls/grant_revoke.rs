//! Tests of `grant_revoke`.

use crate::{Check, OWN, PEER, Test, equal, registry::tests};
use hypercall_abi::{
    Error, GrantRef,
    addr::Level,
    calls::{GrantMap, GrantRevoke, GrantUnmap, PtCreate, grant_share::Access},
};

tests! { "grant_revoke":
    success: "GRANT_REVOKE.4",
    cannot_be_mapped_after: "GRANT_REVOKE.5",
    references_go: "GRANT_REVOKE.4",
    grant_range: "GRANT_REVOKE.1",
    no_grant: "GRANT_REVOKE.2 XSA-18",
    not_the_peers: "GRANT_REVOKE.2",
    mapped: "GRANT_REVOKE.3 XSA-218",
}

fn success(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let before = t.counts(OWN)?;
    let page = t.page(OWN)?;
    let grant = t.grant(OWN, page, Access::ReadWrite)?;
    equal(t.ok(OWN, &GrantRevoke { grant })?, 0, "value")?;
    equal(t.counts(OWN)?.grants, before.grants, "grants")?;
    t.refused(OWN, &GrantRevoke { grant }, Error::NoGrant)
}

fn cannot_be_mapped_after(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let domain = t.domain(OWN);
    let grant = t.grant(OWN, page, Access::Read)?;
    t.ok(OWN, &GrantRevoke { grant })?;
    t.refused(PEER, &GrantMap { domain, grant, access: Access::Read }, Error::NoGrant)
}

fn references_go(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(OWN)?;
    let create = PtCreate { frame: page.frame, level: Level::L1 };
    let grant = t.grant(OWN, page, Access::ReadWrite)?;
    t.refused(OWN, &create, Error::TypeConflict)?;
    t.ok(OWN, &GrantRevoke { grant })?;
    t.note(OWN, crate::journal::Undo::Unpin(page.frame))?;
    t.ok(OWN, &create).map(drop)
}

fn grant_range(t: &mut Test<'_>) -> Check {
    for grant in [1 << 32, u64::MAX] {
        let call = GrantRevoke { grant: GrantRef(0) };
        t.refused_argument(OWN, &call, 0, grant, Error::BadArgument)?;
    }
    Ok(())
}

fn no_grant(t: &mut Test<'_>) -> Check {
    for grant in [1 << 20, u32::MAX - 1, u32::MAX] {
        t.refused(OWN, &GrantRevoke { grant: GrantRef(grant) }, Error::NoGrant)?;
    }
    Ok(())
}

fn not_the_peers(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let grant = t.grant(OWN, page, Access::Read)?;
    // The number means something in the domain that gave it only. The peer may have a grant of
    // the same number; it is then not this one.
    let before = t.counts(OWN)?.grants;
    let free = GrantRef(grant.0 + 512);
    t.refused(PEER, &GrantRevoke { grant: free }, Error::NoGrant)?;
    equal(t.counts(OWN)?.grants, before, "grants")
}

fn mapped(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    for access in [Access::Read, Access::ReadWrite] {
        let page = t.page(OWN)?;
        let grant = t.grant(OWN, page, access)?;
        let mapped = t.open(PEER, grant, Access::Read)?;
        t.refused(OWN, &GrantRevoke { grant }, Error::Busy)?;
        t.ok(PEER, &GrantUnmap { handle: mapped.handle })?;
        t.ok(OWN, &GrantRevoke { grant })?;
    }
    Ok(())
}
