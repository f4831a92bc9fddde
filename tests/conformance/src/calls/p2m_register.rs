//! Tests of `p2m_register`. What is registered stays so until the domain ends: the tests that come
//! first want a domain that has registered nothing, and are skipped in another.

use super::{BEYOND, foreign};
use crate::{Check, OWN, Permit, Test, Touch, equal, registry::tests, test::SCRATCH};
use core::mem::offset_of;
use hypercall_abi::{
    Error, Mfn, Pfn,
    addr::Level,
    calls::{
        BalloonInflate, P2mRegister, PtPin, PteUpdate,
        pte_update::{Space, Target, Update},
    },
    extent::Order,
    start_info::StartInfo,
};

tests! { "p2m_register":
    bad_count: "P2M_REGISTER.1",
    bad_frame: "P2M_REGISTER.3",
    not_owner: "P2M_REGISTER.3",
    page_table: "P2M_REGISTER.3",
    registers: "P2M_REGISTER.4 P2M_REGISTER.2",
    names_a_page: "P2M_REGISTER.5 PTE_UPDATE.17",
    names_no_page: "PTE_UPDATE.17 PTE_UPDATE.18",
}

const ONE: P2mRegister = P2mRegister { count: 1 };

/// Registers the P2M, if that has not been done.
pub(crate) fn register(t: &mut Test<'_>) -> Check {
    let first = t.start_info(OWN, offset_of!(StartInfo, p2m_pfn));
    let pages = t.counts(OWN)?.max_frames.div_ceil(512);
    for page in 0..pages {
        let frame = t.p2m(OWN, Pfn(first + page));
        t.set_argument(OWN, 0, frame.0);
        let (status, _) = t.call(OWN, &ONE);
        if status.decode() == Some(Err(Error::QuotaExceeded)) {
            return Ok(());
        }
        equal(status.decode(), Some(Ok(())), "the status")?;
    }
    Ok(())
}

/// The frame must be refused; by a domain that has registered everything whatever it is.
fn refuse(t: &mut Test<'_>, frame: Mfn, error: Error) -> Check {
    t.set_argument(OWN, 0, frame.0);
    let (status, _) = t.call(OWN, &ONE);
    if status.decode() == Some(Err(Error::QuotaExceeded)) {
        return Ok(());
    }
    equal(status.decode(), Some(Err(error)), "the status")
}

fn bad_count(t: &mut Test<'_>) -> Check {
    for count in [0, 65, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &ONE, 0, count, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_frame(t: &mut Test<'_>) -> Check {
    for frame in [BEYOND, Mfn(1 << 52), Mfn::NONE] {
        refuse(t, frame, Error::BadFrame)?;
    }
    Ok(())
}

fn not_owner(t: &mut Test<'_>) -> Check {
    let frame = t.caller().hypervisor_frame();
    refuse(t, frame, Error::NotOwner)?;
    let frame = foreign(t, OWN)?;
    refuse(t, frame, Error::NotOwner)
}

fn page_table(t: &mut Test<'_>) -> Check {
    let table = t.table(OWN, Level::L1)?;
    refuse(t, table.frame, Error::TypeConflict)
}

fn registers(t: &mut Test<'_>) -> Check {
    register(t)?;
    // Once more is too much, whatever the frame.
    let first = t.start_info(OWN, offset_of!(StartInfo, p2m_pfn));
    let frame = t.p2m(OWN, Pfn(first));
    t.set_argument(OWN, 0, frame.0);
    t.refused(OWN, &ONE, Error::QuotaExceeded)?;
    // It is held.
    t.refused(OWN, &PtPin { frame, level: Level::L1 }, Error::TypeConflict)?;
    t.set_argument(OWN, 0, frame.0);
    t.refused(OWN, &BalloonInflate { count: 1, order: Order::Frame }, Error::Busy)
}

fn names_a_page(t: &mut Test<'_>) -> Check {
    register(t)?;
    let page = t.page(OWN)?;
    t.write(OWN, page, 3, 77);
    let table = t.reach(OWN, SCRATCH)?;
    let index = t.entries().index(SCRATCH, Level::L1);
    let value = t.entries().leaf(Mfn(page.pfn.0), Permit::Read);
    t.set_entry(OWN, table, index, 0)?;
    let by_entry = Target::Entry { table, index };
    let by_address = Target::Page { space: Space::Kernel, address: SCRATCH, flush: true };
    for target in [by_entry, by_address] {
        t.ok(OWN, &PteUpdate::One(Update::of_page(target, value)))?;
        let address = hypercall_abi::VirtAddr(SCRATCH.0 + 24);
        equal(t.reaches(OWN, address, Touch::Read)?, 77, "the page")?;
        t.set_leaf(OWN, SCRATCH, 0)?;
    }
    Ok(())
}

fn names_no_page(t: &mut Test<'_>) -> Check {
    register(t)?;
    let target = Target::Page { space: Space::Kernel, address: SCRATCH, flush: true };
    t.reach(OWN, SCRATCH)?;
    let page = t.unmapped_page(OWN)?;
    let of = |t: &Test<'_>, number| t.entries().leaf(Mfn(number), Permit::Read);
    let update = |value| PteUpdate::One(Update::of_page(target, value));
    let far = update(of(t, 1 << 30));
    t.refused(OWN, &far, Error::BadArgument)?;
    t.refused(OWN, &update(0), Error::BadEntry)?;
    let own = t.p2m(OWN, page.pfn);
    let hypervisor = t.caller().hypervisor_frame();
    for (alleged, error) in [(Mfn::NONE, Error::BadFrame), (hypervisor, Error::NotOwner)] {
        t.set_p2m(OWN, page.pfn, alleged);
        let made = update(of(t, page.pfn.0));
        let refused = t.refused(OWN, &made, error);
        t.set_p2m(OWN, page.pfn, own);
        refused?;
    }
    let table = t.table(OWN, Level::L2)?;
    let target = Target::Entry { table: table.frame, index: 0 };
    let upper = PteUpdate::One(Update::of_page(target, of(t, page.pfn.0)));
    t.refused(OWN, &upper, Error::BadLevel)
}
