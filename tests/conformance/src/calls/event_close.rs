//! Tests of `event_close`.

use crate::{Check, OWN, PEER, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, Port,
    calls::{EventBind, EventClose, EventMask, EventSend},
};

tests! { "event_close":
    unbound: "EVENT_CLOSE.4",
    bits_are_cleared: "EVENT_CLOSE.4",
    other_end: "EVENT_CLOSE.5 XSA-338",
    other_end_of_a_peer: "EVENT_CLOSE.5 XSA-338",
    port_range: "EVENT_CLOSE.1",
    no_port: "EVENT_CLOSE.2",
    well_known: "EVENT_CLOSE.3",
}

fn unbound(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    let port = t.port(OWN, DomainId::SELF)?;
    equal(t.ok(OWN, &EventClose { port })?, 0, "value")?;
    equal(t.counts(OWN)?.ports, before.ports, "ports")?;
    t.refused(OWN, &EventClose { port }, Error::NoPort)?;
    t.refused(OWN, &EventSend { port }, Error::NoPort)
}

fn bits_are_cleared(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventMask { port: second, masked: true })?;
    t.ok(OWN, &EventSend { port: first })?;
    t.ok(OWN, &EventClose { port: second })?;
    check(!t.is_pending(OWN, second) && !t.is_masked(OWN, second), "its bits are clear")
}

fn other_end(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventClose { port: first })?;
    t.refused(OWN, &EventSend { port: second }, Error::PortState)?;
    // It is as if it had just been opened: it can be bound again.
    let bind = EventBind { domain: DomainId::SELF, port: second };
    let third = Port(t.ok(OWN, &bind)? as u32);
    t.note(OWN, Undo::Close(third))?;
    t.ok(OWN, &EventSend { port: second })?;
    check(t.is_pending(OWN, third), "the new channel works")
}

fn other_end_of_a_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, peer) = t.channel()?;
    t.ok(OWN, &EventClose { port: own })?;
    t.refused(PEER, &EventSend { port: peer }, Error::PortState)?;
    let domain = t.domain(PEER);
    let again = Port(t.ok(OWN, &EventBind { domain, port: peer })? as u32);
    t.note(OWN, Undo::Close(again))?;
    t.ok(PEER, &EventSend { port: peer })?;
    check(t.is_pending(OWN, again), "the new channel works")
}

fn port_range(t: &mut Test<'_>) -> Check {
    for port in [1 << 32, u64::MAX] {
        let call = EventClose { port: Port(4) };
        t.refused_argument(OWN, &call, 0, port, Error::BadArgument)?;
    }
    Ok(())
}

fn no_port(t: &mut Test<'_>) -> Check {
    for port in [0, Port::COUNT - 1, Port::COUNT, u32::MAX] {
        t.refused(OWN, &EventClose { port: Port(port) }, Error::NoPort)?;
    }
    Ok(())
}

fn well_known(t: &mut Test<'_>) -> Check {
    for port in [Port::TIMER, Port::CONSOLE, Port::BALLOON] {
        t.refused(OWN, &EventClose { port }, Error::PortState)?;
    }
    Ok(())
}
