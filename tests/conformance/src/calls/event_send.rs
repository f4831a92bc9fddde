//! Tests of `event_send`.

use crate::{Check, OWN, PEER, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, Port,
    calls::{EventClose, EventMask, EventSend},
    vcpu_page::EVENTS_PENDING_OFFSET,
};

tests! { "event_send":
    pending: "EVENT_SEND.4 EVENT_SEND.5 EVENT.2",
    does_not_queue: "EVENT_SEND.4 EVENT.4 EVENT.6 XSA-331",
    to_a_peer: "EVENT_SEND.4 EVENT_SEND.5",
    masked_port: "EVENT_SEND.5",
    delivered: "EVENT_SEND.5 TRAP_REGISTER.4 EVENT.3",
    port_range: "EVENT_SEND.1",
    no_port: "EVENT_SEND.2 XSA-221",
    not_bound: "EVENT_SEND.3",
    well_known: "EVENT_SEND.3",
}

fn pending(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    equal(t.ok(OWN, &EventSend { port: first })?, 0, "value")?;
    check(t.is_pending(OWN, second), "the other end is pending")?;
    check(!t.is_pending(OWN, first), "this end is not")?;
    check(t.vcpu(OWN, EVENTS_PENDING_OFFSET) != 0, "the vCPU page says so")
}

fn does_not_queue(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    for _ in 0..3 {
        t.ok(OWN, &EventSend { port: first })?;
    }
    check(t.is_pending(OWN, second), "the other end is pending")?;
    t.clear_pending(OWN, second);
    check(!t.is_pending(OWN, second), "taken once, it is taken")
}

fn to_a_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (own, peer) = t.channel()?;
    t.ok(OWN, &EventSend { port: own })?;
    check(t.is_pending(PEER, peer), "the peer's end is pending")?;
    check(t.vcpu(PEER, EVENTS_PENDING_OFFSET) != 0, "the peer's vCPU page says so")?;
    check(!t.is_pending(OWN, own), "this end is not")?;
    t.clear_pending(PEER, peer);
    t.ok(PEER, &EventSend { port: peer })?;
    check(t.is_pending(OWN, own), "the peer's signal arrives")
}

fn masked_port(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventMask { port: second, masked: true })?;
    t.set_vcpu(OWN, EVENTS_PENDING_OFFSET, 0);
    t.ok(OWN, &EventSend { port: first })?;
    check(t.is_pending(OWN, second), "a masked port is pending all the same")?;
    equal(t.vcpu(OWN, EVENTS_PENDING_OFFSET), 0, "events_pending")
}

fn delivered(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.unmask_events(OWN)?;
    t.ok(OWN, &EventSend { port: first })?;
    check(t.caller().take_event(OWN, second.0), "the trap entry has taken the event")?;
    check(!t.is_pending(OWN, second), "its pending bit is taken")
}

fn port_range(t: &mut Test<'_>) -> Check {
    for port in [1 << 32, u64::MAX] {
        let call = EventSend { port: Port(4) };
        t.refused_argument(OWN, &call, 0, port, Error::BadArgument)?;
    }
    Ok(())
}

fn no_port(t: &mut Test<'_>) -> Check {
    for port in [0, Port::COUNT - 1, Port::COUNT, u32::MAX] {
        t.refused(OWN, &EventSend { port: Port(port) }, Error::NoPort)?;
    }
    Ok(())
}

fn not_bound(t: &mut Test<'_>) -> Check {
    let port = t.port(OWN, DomainId::SELF)?;
    t.refused(OWN, &EventSend { port }, Error::PortState)?;
    // Nor when the other end has gone.
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventClose { port: second })?;
    t.note(OWN, Undo::Close(first))?;
    t.refused(OWN, &EventSend { port: first }, Error::PortState)
}

fn well_known(t: &mut Test<'_>) -> Check {
    for port in [Port::TIMER, Port::CONSOLE, Port::BALLOON] {
        t.refused(OWN, &EventSend { port }, Error::PortState)?;
    }
    Ok(())
}
