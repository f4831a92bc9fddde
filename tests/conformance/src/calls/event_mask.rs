//! Tests of `event_mask`.

use crate::{Check, OWN, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    Error, Port,
    calls::{EventMask, EventSend},
    vcpu_page::EVENTS_PENDING_OFFSET,
};

tests! { "event_mask":
    mask_bit: "EVENT_MASK.4",
    well_known_ports: "EVENT_MASK.4 EVENT.1",
    unmasking_delivers: "EVENT_MASK.5 EVENT.5",
    masked_is_not_delivered: "EVENT_MASK.4 EVENT_SEND.5 EVENT.5",
    port_range: "EVENT_MASK.1",
    bad_flag: "EVENT_MASK.2",
    no_port: "EVENT_MASK.3",
}

fn mask(port: Port) -> EventMask {
    EventMask { port, masked: true }
}

fn unmask(port: Port) -> EventMask {
    EventMask { port, masked: false }
}

fn mask_bit(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    for _ in 0..2 {
        equal(t.ok(OWN, &mask(first))?, 0, "value")?;
        check(t.is_masked(OWN, first), "the port is masked")?;
        check(!t.is_masked(OWN, second), "its neighbour is not")?;
    }
    for _ in 0..2 {
        t.ok(OWN, &unmask(first))?;
        check(!t.is_masked(OWN, first), "the port is not masked")?;
    }
    Ok(())
}

fn well_known_ports(t: &mut Test<'_>) -> Check {
    for port in [Port::TIMER, Port::CONSOLE, Port::BALLOON] {
        t.note(OWN, Undo::Unmask(port))?;
        t.ok(OWN, &mask(port))?;
        check(t.is_masked(OWN, port), "the port is masked")?;
        t.ok(OWN, &unmask(port))?;
        check(!t.is_masked(OWN, port), "the port is not masked")?;
    }
    Ok(())
}

fn unmasking_delivers(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &mask(second))?;
    t.ok(OWN, &EventSend { port: first })?;
    t.set_vcpu(OWN, EVENTS_PENDING_OFFSET, 0);
    t.ok(OWN, &unmask(second))?;
    check(t.vcpu(OWN, EVENTS_PENDING_OFFSET) != 0, "events_pending is set")?;
    t.ok(OWN, &mask(second))?;
    t.unmask_events(OWN)?;
    check(!t.caller().take_event(OWN, second.0), "nothing is taken while it is masked")?;
    t.ok(OWN, &unmask(second))?;
    check(t.caller().take_event(OWN, second.0), "the trap entry has taken the event")
}

fn masked_is_not_delivered(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &mask(second))?;
    t.unmask_events(OWN)?;
    t.ok(OWN, &EventSend { port: first })?;
    check(!t.caller().take_event(OWN, second.0), "no event is taken")?;
    check(t.is_pending(OWN, second), "the port is pending")
}

fn port_range(t: &mut Test<'_>) -> Check {
    for port in [1 << 32, u64::MAX] {
        t.refused_argument(OWN, &mask(Port::TIMER), 0, port, Error::BadArgument)?;
    }
    Ok(())
}

fn bad_flag(t: &mut Test<'_>) -> Check {
    for flag in [2, 1 << 32, u64::MAX] {
        t.refused_argument(OWN, &mask(Port::TIMER), 1, flag, Error::BadArgument)?;
    }
    check(!t.is_masked(OWN, Port::TIMER), "the port is not masked")
}

fn no_port(t: &mut Test<'_>) -> Check {
    for port in [0, Port::COUNT - 1, Port::COUNT, 1 << 16, u32::MAX] {
        t.refused(OWN, &mask(Port(port)), Error::NoPort)?;
        t.refused(OWN, &unmask(Port(port)), Error::NoPort)?;
    }
    Ok(())
}
