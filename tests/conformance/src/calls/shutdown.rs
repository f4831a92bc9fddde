//! Tests of `shutdown`. Each ends a peer; in a guest, where there are so many and no more, they are
//! the last of the suite.

use crate::{
    Check, OWN, PEER, Permit, Test, Touch, caller::GONE, equal, registry::tests, test::SCRATCH,
};
use hypercall_abi::{
    Error, Mfn, VirtAddr,
    addr::Level,
    calls::{
        BalloonDeflate, BalloonInflate, EventAlloc, EventSend, GrantMap, GrantShare, GrantUnmap,
        PteUpdate, SchedYield, Shutdown,
        grant_share::Access,
        pte_update::{Target, Update},
        shutdown::ShutdownReason,
    },
};

tests! { "shutdown":
    bad_reason: "SHUTDOWN.1",
    mapped_frame_stays: "SHUTDOWN.4 GRANT_UNMAP.6 END.1 FRAME.15 XSA-147 XSA-473",
    ends_the_domain: "SHUTDOWN.2 SHUTDOWN.6 XSA-147 XSA-410 XSA-509",
    channel_is_unbound: "SHUTDOWN.3",
    frames_come_back: "SHUTDOWN.3 SHUTDOWN.5",
    own_handles_go: "SHUTDOWN.3",
}

fn bad_reason(t: &mut Test<'_>) -> Check {
    for reason in [2, 1 << 32, u64::MAX] {
        let call = Shutdown { reason: ShutdownReason::PowerOff };
        t.refused_argument(OWN, &call, 0, reason, Error::BadArgument)?;
    }
    Ok(())
}

/// Ends the peer, and lets the hypervisor take everything of it back.
fn end_peer(t: &mut Test<'_>) -> Check {
    let reason = ShutdownReason::PowerOff;
    equal(t.call(PEER, &Shutdown { reason }).0, GONE, "status: the call does not return")?;
    // Teardown goes on in steps, while other domains run.
    for _ in 0..t.caller().lose_peer() {
        t.ok(OWN, &SchedYield)?;
    }
    Ok(())
}

fn ends_the_domain(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let domain = t.domain(PEER);
    end_peer(t)?;
    let share = GrantShare { domain, frame: page.frame, access: Access::Read };
    t.refused(OWN, &share, Error::NoDomain)?;
    t.refused(OWN, &EventAlloc { domain }, Error::NoDomain)?;
    let grant = hypercall_abi::GrantRef(0);
    t.refused(OWN, &GrantMap { domain, grant, access: Access::Read }, Error::NoDomain)
}

fn channel_is_unbound(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, _) = t.channel()?;
    end_peer(t)?;
    t.refused(OWN, &EventSend { port: own }, Error::PortState)
}

fn frames_come_back(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    for word in 0..512 {
        t.write(PEER, page, word, 0x5ec3_e75e_c3e7_5ec3);
    }
    end_peer(t)?;
    // Frames come as the hypervisor likes; none has anything in it.
    t.ok(OWN, &BalloonDeflate::frames(1))?;
    let frame = Mfn(t.argument(OWN, 0));
    let leaf = t.entries().leaf(frame, Permit::Read);
    t.map(OWN, SCRATCH, leaf)?;
    for word in 0..512 {
        let address = VirtAddr(SCRATCH.0 + 8 * word);
        equal(t.reaches(OWN, address, Touch::Read)?, 0, "a word of the new frame")?;
    }
    t.set_leaf(OWN, SCRATCH, 0)?;
    t.set_argument(OWN, 0, frame.0);
    t.ok(OWN, &BalloonInflate::frames(1)).map(drop)
}

fn mapped_frame_stays(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(PEER)?;
    t.write(PEER, page, 0, 0x600d);
    let grant = t.grant(PEER, page, Access::ReadWrite)?;
    let mapped = t.open(OWN, grant, Access::ReadWrite)?;
    let leaf = t.entries().leaf(mapped.frame, Permit::Write);
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    t.set_entry(OWN, table, index, leaf)?;
    end_peer(t)?;
    equal(t.reaches(OWN, SCRATCH, Touch::Read)?, 0x600d, "the frame while it is mapped")?;
    let target = Target::Entry { table, index };
    t.refused(OWN, &GrantUnmap { handle: mapped.handle }, Error::Busy)?;
    t.ok(OWN, &PteUpdate::One(Update::new(target, 0)))?;
    t.ok(OWN, &GrantUnmap { handle: mapped.handle })?;
    t.refused(OWN, &PteUpdate::One(Update::new(target, leaf)), Error::NotOwner)
}

fn own_handles_go(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let page = t.page(OWN)?;
    let grant = t.grant(OWN, page, Access::ReadWrite)?;
    t.open(PEER, grant, Access::ReadWrite)?;
    let revoke = hypercall_abi::calls::GrantRevoke { grant };
    t.refused(OWN, &revoke, Error::Busy)?;
    end_peer(t)?;
    t.ok(OWN, &revoke).map(drop)
}
