//! The peer's role, and how the two domains find each other.
//!
//! The peer opens a port for the tester and grants it one page before anything else, so that
//! their numbers are among the first; the tester tries those until one opens. Then the peer
//! sleeps until the tester, which talks to one peer after another, signals it.
#![allow(unsafe_code, reason = "the shared page is reached by address")]

use super::{
    local::{Local, Request},
    mailbox::Mailbox,
};
use conformance::Side;
use hypercall_abi::{
    DomainId, GrantRef, Mfn, Port, Status,
    calls::{
        Call, EventAlloc, EventBind, EventClose, EventSend, GrantMap, GrantShare, PteUpdate,
        SchedBlock, SchedYield,
        grant_map::MappedGrant,
        grant_share::Access,
        pte_update::{Space, Target, Update},
    },
};
use pv_guest::events;

/// Turns that one domain waits for the other before it gives up.
const PATIENCE: u32 = 100_000;

/// Turns that the tester waits for an answer: a request takes one, or a few if its call is a
/// long one.
const ANSWER_PATIENCE: u32 = 5_000;

/// Grants that the tester tries.
const FIRST_GRANTS: u32 = 4;

fn call<C: Call>(local: &Local, call: &C) -> (Status, u64) {
    local.call(C::NUMBER as u64, &call.encode())
}

/// Lets the other domain run.
pub fn yield_turn(local: &Local) {
    let _ = call(local, &SchedYield);
}

/// Does what the tester asks for, until it asks to stop.
pub fn serve(mut local: Local, tester: DomainId) -> Result<(), &'static str> {
    let page = local.page_for(Side::Own);
    let frame = p2m(&local, page);
    // SAFETY: nothing else uses the spare page, which is mapped writable.
    let mailbox = unsafe { Mailbox::new(local.address(page, 0)) };
    let port = call(&local, &EventAlloc { domain: tester });
    let share = GrantShare { domain: tester, frame, access: Access::ReadWrite };
    if port.0 != Status::SUCCESS || call(&local, &share).0 != Status::SUCCESS {
        return Err("the page and the port for the tester cannot be had");
    }
    while !mailbox.is_called() {
        let _ = call(&local, &SchedBlock);
    }
    events::mask();
    let _ = call(&local, &EventClose { port: Port(port.1 as u32) });
    loop {
        let Some((number, request)) = mailbox.asked() else {
            yield_turn(&local);
            continue;
        };
        let answer = local.carry_out(request);
        mailbox.tell(number, answer);
        if matches!(request, Request::Stop) {
            return Ok(());
        }
    }
}

/// Opens the page that a peer has granted, in the place of a spare one of the side's own, and
/// wakes the peer.
pub fn meet(local: &Local, peer: DomainId, side: Side) -> Result<Mailbox, &'static str> {
    let mapped = open(local, peer).ok_or("the peer has granted no page")?;
    let address = local.address(local.page_for(side), 0);
    let entries = conformance::Entries(
        hypercall_abi::start_info::PageTableFormat::new(local.info().page_table_format)
            .ok_or("the page-table format is unknown")?,
    );
    let target = Target::Page { space: Space::Kernel, address, flush: true };
    let leaf = entries.leaf(mapped.frame, conformance::Permit::Write);
    if call(local, &PteUpdate::One(Update::new(target, leaf))).0 != Status::SUCCESS {
        return Err("the peer's page cannot be mapped");
    }
    // SAFETY: the peer's page is mapped there now, writable, and the spare page that was
    // there before is used by nothing.
    let mailbox = unsafe { Mailbox::new(address) };
    mailbox.call();
    let bind = EventBind { domain: peer, port: Port::FIRST_DYNAMIC };
    let (status, port) = call(local, &bind);
    let port = Port(port as u32);
    if status != Status::SUCCESS || call(local, &EventSend { port }).0 != Status::SUCCESS {
        return Err("the peer cannot be woken");
    }
    let _ = call(local, &EventClose { port });
    Ok(mailbox)
}

fn open(local: &Local, domain: DomainId) -> Option<MappedGrant> {
    for _ in 0..PATIENCE {
        for grant in 0..FIRST_GRANTS {
            let map = GrantMap { domain, grant: GrantRef(grant), access: Access::ReadWrite };
            let (status, value) = call(local, &map);
            if status == Status::SUCCESS {
                return Some(MappedGrant::from_value(value));
            }
        }
        yield_turn(local);
    }
    None
}

/// The frame of a page, by the P2M.
fn p2m(local: &Local, page: hypercall_abi::Pfn) -> Mfn {
    let map = local.info().p2m_pfn.0 + page.0 / 512;
    let address = local.address(hypercall_abi::Pfn(map), (page.0 % 512) as usize);
    // SAFETY: the P2M is mapped, and a word of it is a number.
    Mfn(unsafe { (address.0 as *const u64).read_volatile() })
}

/// Waits for the peer's answer. `None`: it does not come.
pub fn wait(local: &Local, mailbox: &Mailbox, number: u64) -> Option<super::local::Answer> {
    for _ in 0..ANSWER_PATIENCE {
        if let Some(answer) = mailbox.answer(number) {
            return Some(answer);
        }
        yield_turn(local);
    }
    None
}
