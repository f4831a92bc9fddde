//! Tests of `grant_map`.

use crate::{
    Check, OWN, PEER, Permit, Pretence, Side, Stop, THIRD, Test, Touch, check, equal,
    registry::tests, test::SCRATCH,
};
use core::mem::offset_of;
use hypercall_abi::{
    DomainId, Error, GrantHandle, GrantRef, Pfn, Status,
    addr::Level,
    calls::{
        GrantMap, GrantRevoke, GrantShare, GrantUnmap, PtCreate, grant_map::MappedGrant,
        grant_share::Access,
    },
    start_info::StartInfo,
};

tests! { "grant_map":
    success: "GRANT_MAP.9 GRANT_MAP.12",
    read_and_write: "GRANT_MAP.10",
    narrower_access: "GRANT_MAP.10",
    keeps_the_owner_from_making_a_table: "GRANT_MAP.9",
    handles_differ: "GRANT_MAP.11",
    ranges: "GRANT_MAP.1",
    bad_access: "GRANT_MAP.2",
    no_domain: "GRANT_MAP.3",
    no_grant: "GRANT_MAP.4 XSA-18",
    read_only_grant: "GRANT_MAP.5",
    already_mapped: "GRANT_MAP.6",
    second_grant_of_the_frame: "GRANT_MAP.6",
    quota: "GRANT_MAP.7 XSA-300",
    count_at_its_largest: "GRANT_MAP.8 FRAME.12",
}

fn success(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::Read)?;
    let before = t.counts(OWN)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    equal(mapped.frame, page.frame, "the frame")?;
    let after = t.counts(OWN)?;
    equal(after.handles, before.handles + 1, "handles")?;
    equal(after.frames, before.frames, "frames")
}

fn read_and_write(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let leaf = t.entries().leaf(mapped.frame, Permit::Write);
    t.map(OWN, SCRATCH, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(0x1111))?;
    equal(t.read(PEER, page, 0), 0x1111, "what the peer reads")?;
    t.write(PEER, page, 0, 0x2222);
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 0x2222, "what the peer wrote")
}

fn narrower_access(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::Read)?;
    let leaf = t.entries().leaf(mapped.frame, Permit::Read);
    t.map(OWN, SCRATCH, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Read)?;
    t.faults(OWN, SCRATCH, Touch::Write(1)).map(drop)
}

fn keeps_the_owner_from_making_a_table(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.table_page(PEER)?;
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    t.open(OWN, grant, Access::ReadWrite)?;
    let create = PtCreate { frame: page.frame, level: Level::L1 };
    t.refused(PEER, &create, Error::TypeConflict)?;
    t.refused(PEER, &GrantRevoke { grant }, Error::Busy)
}

fn handles_differ(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let grant = t.grant(PEER, page, Access::Read)?;
    let mut last = None;
    for _ in 0..3 {
        let mapped = t.open(OWN, grant, Access::Read)?;
        check(last != Some(mapped.handle), "a new mapping has a new handle")?;
        t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
        if let Some(handle) = last {
            t.refused(OWN, &GrantUnmap { handle }, Error::NoHandle)?;
        }
        last = Some(mapped.handle);
    }
    Ok(())
}

fn read(domain: DomainId, grant: GrantRef) -> GrantMap {
    GrantMap { domain, grant, access: Access::Read }
}

fn ranges(t: &mut Test<'_>) -> Check {
    let domain = t.domain(OWN);
    for value in [1 << 16, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &read(domain, GrantRef(0)), 0, value, Error::BadArgument)?;
    }
    for value in [1 << 32, u64::MAX] {
        t.refused_argument(OWN, &read(domain, GrantRef(0)), 1, value, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_access(t: &mut Test<'_>) -> Check {
    let domain = t.domain(OWN);
    for access in [2, u64::MAX] {
        t.refused_argument(OWN, &read(domain, GrantRef(0)), 2, access, Error::BadArgument)?;
    }
    Ok(())
}

fn no_domain(t: &mut Test<'_>) -> Check {
    for domain in [DomainId(0), DomainId::LAST, DomainId(u16::MAX)] {
        t.refused(OWN, &read(domain, GrantRef(0)), Error::NoDomain)?;
    }
    Ok(())
}

fn no_grant(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let peer = t.domain(PEER);
    for grant in [1 << 20, u32::MAX] {
        t.refused(OWN, &read(peer, GrantRef(grant)), Error::NoGrant)?;
    }
    // One that was given to somebody else: by the caller to the peer.
    let page = t.page(OWN)?;
    let own = t.domain(OWN);
    let grant = t.grant(OWN, page, Access::Read)?;
    t.refused(OWN, &read(own, grant), Error::NoGrant)
}

fn read_only_grant(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let domain = t.domain(PEER);
    let grant = t.grant(PEER, page, Access::Read)?;
    let call = GrantMap { domain, grant, access: Access::ReadWrite };
    t.refused(OWN, &call, Error::ReadOnlyGrant)?;
    t.ok(PEER, &GrantRevoke { grant }).map(drop)
}

fn already_mapped(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let domain = t.domain(PEER);
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    t.open(OWN, grant, Access::Read)?;
    t.refused(OWN, &read(domain, grant), Error::AlreadyMapped)
}

fn second_grant_of_the_frame(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let domain = t.domain(PEER);
    let one = t.grant(PEER, page, Access::Read)?;
    let two = t.grant(PEER, page, Access::ReadWrite)?;
    t.open(OWN, one, Access::Read)?;
    let call = GrantMap { domain, grant: two, access: Access::ReadWrite };
    t.refused(OWN, &call, Error::AlreadyMapped)
}

fn quota(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    if !t.caller().has(THIRD) {
        return Err(Stop::Skip("one domain cannot give as many grants as another may map"));
    }
    let before = t.counts(OWN)?.handles;
    let mut opened = heapless::Vec::<(Side, GrantRef, GrantHandle), 1024>::new();
    let status = fill(t, &mut opened)?;
    let refused = t.counts(OWN)?.handles;
    let held = opened.len() as u64;
    while let Some((side, grant, handle)) = opened.pop() {
        t.ok(OWN, &GrantUnmap { handle })?;
        t.ok(side, &GrantRevoke { grant })?;
    }
    equal(status, Status::from(Err(Error::QuotaExceeded)), "status")?;
    equal(refused, before + held, "handles when they are used up")
}

/// Maps every frame that the two others can grant, each once, until that is refused: why.
fn fill(
    t: &mut Test<'_>,
    opened: &mut heapless::Vec<(Side, GrantRef, GrantHandle), 1024>,
) -> Check<Status> {
    let own = t.domain(OWN);
    for side in [PEER, THIRD] {
        let giver = t.domain(side);
        for pfn in 0..t.start_info(side, offset_of!(StartInfo, frames)) {
            let frame = t.p2m(side, Pfn(pfn));
            let share = GrantShare { domain: own, frame, access: Access::Read };
            let (status, value) = t.call(side, &share);
            if status != Status::SUCCESS {
                // It gives all that it may.
                break;
            }
            let grant = GrantRef(value as u32);
            let (status, value) = t.call(OWN, &read(giver, grant));
            let kept = (side, grant, MappedGrant::from_value(value).handle);
            if status == Status::SUCCESS && opened.push(kept).is_ok() {
                continue;
            }
            t.ok(side, &GrantRevoke { grant })?;
            if status.decode() != Some(Err(Error::AlreadyMapped)) {
                return Ok(status);
            }
        }
    }
    Ok(Status::SUCCESS)
}

fn count_at_its_largest(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    let domain = t.domain(PEER);
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let before = t.counts(OWN)?;
    t.pretend(page.frame, Pretence::Room(0))?;
    for access in [Access::Read, Access::ReadWrite] {
        t.refused(OWN, &GrantMap { domain, grant, access }, Error::CountOverflow)?;
    }
    equal(t.counts(OWN)?.handles, before.handles, "handles")?;
    t.pretend(page.frame, Pretence::Room(1))?;
    t.open(OWN, grant, Access::ReadWrite).map(drop)
}
