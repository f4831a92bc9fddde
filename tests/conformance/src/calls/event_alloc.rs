//! Tests of `event_alloc`.

use crate::{Check, OWN, PEER, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, Port, Status,
    calls::{EventAlloc, EventClose, EventMask, EventSend},
};

tests! { "event_alloc":
    success: "EVENT_ALLOC.4 EVENT_ALLOC.5 CALL.8",
    for_a_peer: "EVENT_ALLOC.4",
    closed_port_is_clean: "EVENT_ALLOC.5 EVENT_CLOSE.4",
    domain_range: "EVENT_ALLOC.1",
    no_domain: "EVENT_ALLOC.2",
    quota: "EVENT_ALLOC.3 XSA-47 XSA-317",
}

fn success(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    let own = t.domain(OWN);
    for domain in [DomainId::SELF, own] {
        let port = t.port(OWN, domain)?;
        check(port >= Port::FIRST_DYNAMIC && port.0 < Port::COUNT, "the port is in its range")?;
        check(!t.is_pending(OWN, port) && !t.is_masked(OWN, port), "its bits are clear")?;
        t.refused(OWN, &EventSend { port }, Error::PortState)?;
    }
    equal(t.counts(OWN)?.ports, before.ports + 2, "ports")
}

fn for_a_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let peer = t.domain(PEER);
    let port = t.port(OWN, peer)?;
    t.refused(OWN, &EventSend { port }, Error::PortState)
}

fn closed_port_is_clean(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventMask { port: second, masked: true })?;
    t.ok(OWN, &EventSend { port: first })?;
    check(t.is_pending(OWN, second) && t.is_masked(OWN, second), "its bits are set")?;
    t.ok(OWN, &EventClose { port: second })?;
    // The port may be handed out again at once.
    for _ in 0..3 {
        let port = t.port(OWN, DomainId::SELF)?;
        check(!t.is_pending(OWN, port) && !t.is_masked(OWN, port), "its bits are clear")?;
    }
    Ok(())
}

fn domain_range(t: &mut Test<'_>) -> Check {
    for domain in [1 << 16, 1 << 32, u64::MAX] {
        let call = EventAlloc { domain: DomainId::SELF };
        t.refused_argument(OWN, &call, 0, domain, Error::BadArgument)?;
    }
    Ok(())
}

fn no_domain(t: &mut Test<'_>) -> Check {
    for domain in [DomainId(0), DomainId::LAST, DomainId(0x7ff1), DomainId(u16::MAX)] {
        t.refused(OWN, &EventAlloc { domain }, Error::NoDomain)?;
    }
    Ok(())
}

fn quota(t: &mut Test<'_>) -> Check {
    let mut last = Status::SUCCESS;
    for _ in 0..=Port::COUNT {
        let (status, _) = t.call(OWN, &EventAlloc { domain: DomainId::SELF });
        last = status;
        if status != Status::SUCCESS {
            break;
        }
    }
    for port in Port::FIRST_DYNAMIC.0..Port::COUNT {
        let _ = t.call(OWN, &EventClose { port: Port(port) });
    }
    t.note(OWN, Undo::Close(Port::FIRST_DYNAMIC))?;
    equal(last, Status::from(Err(Error::QuotaExceeded)), "status")
}
