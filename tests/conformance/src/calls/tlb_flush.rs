//! Tests of `tlb_flush`.

use crate::{Check, OWN, Test, Touch, equal, registry::tests, test::SCRATCH};
use hypercall_abi::{
    Error, VirtAddr,
    addr::Level,
    calls::{
        PteUpdate, TlbFlush,
        pte_update::{Target, Update},
        tlb_flush::FlushScope,
    },
};

tests! { "tlb_flush":
    all: "TLB_FLUSH.3",
    page: "TLB_FLUSH.4",
    other_page: "TLB_FLUSH.4 TLB_FLUSH.5",
    bad_scope: "TLB_FLUSH.1",
    hypervisor_address: "TLB_FLUSH.2 XSA-4 XSA-168 XSA-279",
}

/// Maps a page, uses it, and takes the entry away without a flush.
fn stale(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let leaf = super::writable(t, page);
    t.map(OWN, SCRATCH, leaf)?;
    t.reaches(OWN, SCRATCH, Touch::Write(1))?;
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    t.ok(OWN, &PteUpdate::One(Update::new(Target::Entry { table, index }, 0))).map(drop)
}

fn all(t: &mut Test<'_>) -> Check {
    stale(t)?;
    equal(t.ok(OWN, &TlbFlush { scope: FlushScope::All })?, 0, "value")?;
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn page(t: &mut Test<'_>) -> Check {
    stale(t)?;
    // Any address within the page names it.
    let address = VirtAddr(SCRATCH.0 + 0xabc);
    equal(t.ok(OWN, &TlbFlush { scope: FlushScope::Page(address) })?, 0, "value")?;
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn other_page(t: &mut Test<'_>) -> Check {
    let page = t.page(OWN)?;
    let leaf = super::writable(t, page);
    t.map(OWN, SCRATCH, leaf)?;
    // A page that is not mapped at all can be flushed, the mapped ones are as they were.
    for address in [VirtAddr(0), VirtAddr(SCRATCH.0 + 4096), VirtAddr(1 << 37)] {
        t.ok(OWN, &TlbFlush { scope: FlushScope::Page(address) })?;
    }
    t.reaches(OWN, SCRATCH, Touch::Write(3))?;
    equal(t.read(OWN, page, 0), 3, "what was written")
}

fn bad_scope(t: &mut Test<'_>) -> Check {
    for scope in [2, 1 << 32, u64::MAX] {
        let call = TlbFlush { scope: FlushScope::All };
        t.refused_argument(OWN, &call, 0, scope, Error::BadArgument)?;
    }
    Ok(())
}

fn hypervisor_address(t: &mut Test<'_>) -> Check {
    let end = t.guest_end();
    for address in [end.0, u64::MAX, 1 << 63, 0xffff_ffff_8010_0000] {
        let call = TlbFlush { scope: FlushScope::Page(VirtAddr(address)) };
        t.refused(OWN, &call, Error::HypervisorRange)?;
    }
    t.ok(OWN, &TlbFlush { scope: FlushScope::Page(VirtAddr(end.0 - 1)) }).map(drop)
}
