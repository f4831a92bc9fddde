//! Tests of `event_bind`.

use crate::{Check, OWN, PEER, Stop, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, Port, Status,
    calls::{EventAlloc, EventBind, EventClose, EventSend},
};

tests! { "event_bind":
    to_oneself: "EVENT_BIND.6 EVENT_BIND.7 XSA-356",
    to_a_peer: "EVENT_BIND.6 EVENT_BIND.7",
    ranges: "EVENT_BIND.1",
    no_domain: "EVENT_BIND.2",
    no_port: "EVENT_BIND.3",
    reserved_for_another: "EVENT_BIND.4",
    bound_already: "EVENT_BIND.4",
    well_known: "EVENT_BIND.4",
    quota: "EVENT_BIND.5 XSA-47 XSA-317",
}

fn bind(port: Port) -> EventBind {
    EventBind { domain: DomainId::SELF, port }
}

fn to_oneself(t: &mut Test<'_>) -> Check {
    let first = t.port(OWN, DomainId::SELF)?;
    let second = Port(t.ok(OWN, &bind(first))? as u32);
    t.note(OWN, Undo::Close(second))?;
    check(second >= Port::FIRST_DYNAMIC && second != first, "it is a port of its own")?;
    check(t.is_pending(OWN, second), "the new port is pending")?;
    check(!t.is_pending(OWN, first), "the old one is not")?;
    t.clear_pending(OWN, second);
    t.ok(OWN, &EventSend { port: second })?;
    check(t.is_pending(OWN, first), "the second port signals the first")?;
    t.ok(OWN, &EventSend { port: first })?;
    check(t.is_pending(OWN, second), "and the first the second")
}

fn to_a_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, peer) = (t.domain(OWN), t.domain(PEER));
    let first = t.port(OWN, peer)?;
    let second = Port(t.ok(PEER, &EventBind { domain: own, port: first })? as u32);
    t.note(PEER, Undo::Close(second))?;
    check(t.is_pending(PEER, second), "the new port is pending")?;
    t.ok(PEER, &EventSend { port: second })?;
    check(t.is_pending(OWN, first), "the peer signals the domain")
}

fn ranges(t: &mut Test<'_>) -> Check {
    for domain in [1 << 16, u64::MAX] {
        t.refused_argument(OWN, &bind(Port(4)), 0, domain, Error::BadArgument)?;
    }
    for port in [1 << 32, u64::MAX] {
        t.refused_argument(OWN, &bind(Port(4)), 1, port, Error::BadArgument)?;
    }
    Ok(())
}

fn no_domain(t: &mut Test<'_>) -> Check {
    for domain in [DomainId(0), DomainId::LAST, DomainId(u16::MAX)] {
        t.refused(OWN, &EventBind { domain, port: Port(4) }, Error::NoDomain)?;
    }
    Ok(())
}

fn no_port(t: &mut Test<'_>) -> Check {
    for port in [0, Port::COUNT - 1, Port::COUNT, 1 << 20, u32::MAX] {
        t.refused(OWN, &bind(Port(port)), Error::NoPort)?;
    }
    Ok(())
}

fn reserved_for_another(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, peer) = (t.domain(OWN), t.domain(PEER));
    let port = t.port(OWN, peer)?;
    t.refused(OWN, &bind(port), Error::PortState)?;
    let port = t.port(OWN, DomainId::SELF)?;
    t.refused(PEER, &EventBind { domain: own, port }, Error::PortState)
}

fn bound_already(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.refused(OWN, &bind(first), Error::PortState)?;
    t.refused(OWN, &bind(second), Error::PortState)?;
    t.ok(OWN, &EventSend { port: first })?;
    check(t.is_pending(OWN, second), "the channel is as it was")
}

fn well_known(t: &mut Test<'_>) -> Check {
    for port in [Port::TIMER, Port::CONSOLE, Port::BALLOON] {
        t.refused(OWN, &bind(port), Error::PortState)?;
    }
    Ok(())
}

fn quota(t: &mut Test<'_>) -> Check {
    let mut first = None;
    for _ in 0..=Port::COUNT {
        let (status, value) = t.call(OWN, &EventAlloc { domain: DomainId::SELF });
        if status != Status::SUCCESS {
            break;
        }
        first.get_or_insert(Port(value as u32));
    }
    let Some(first) = first else { return Err(Stop::Skip("the domain has no port left")) };
    let (status, _) = t.call(OWN, &bind(first));
    let unbound = t.call(OWN, &EventSend { port: first }).0;
    for port in Port::FIRST_DYNAMIC.0..Port::COUNT {
        let _ = t.call(OWN, &EventClose { port: Port(port) });
    }
    equal(status, Status::from(Err(Error::QuotaExceeded)), "status")?;
    equal(unbound, Status::from(Err(Error::PortState)), "status of a send on the port")
}
