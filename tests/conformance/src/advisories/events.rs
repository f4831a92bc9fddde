//! Attacks on event channels.

use crate::{Check, OWN, PEER, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    DomainId, Error, Port, Status,
    calls::{EventAlloc, EventBind, EventClose, EventMask, EventSend, TimerSet},
};

tests! { "events":
    every_port_number: "EVENT_SEND.2 EVENT_MASK.3 EVENT_CLOSE.2 EVENT_BIND.3 XSA-221",
    well_known_ports_in_a_full_table: "EVENT_BIND.5 TIMER_SET.3 XSA-496",
    bits_at_the_edges_of_words: "EVENT_SEND.4 EVENT.2 XSA-307",
    storm: "EVENT_SEND.4 EVENT.4 XSA-331",
}

fn every_port_number(t: &mut Test<'_>) -> Check {
    // As many as can be open, to the last number that the bitmaps have, and beyond.
    let edge = Port::COUNT - 2..Port::COUNT + 2;
    for number in (Port::FIRST_DYNAMIC.0..260).chain(edge).chain([1 << 16, u32::MAX]) {
        let port = Port(number);
        t.refused(OWN, &EventSend { port }, Error::NoPort)?;
        t.refused(OWN, &EventClose { port }, Error::NoPort)?;
        t.refused(OWN, &EventBind { domain: DomainId::SELF, port }, Error::NoPort)?;
        t.refused(OWN, &EventMask { port, masked: false }, Error::NoPort)?;
    }
    Ok(())
}

/// Closes every port that a domain can close.
fn close_all(t: &mut Test<'_>) {
    for number in Port::FIRST_DYNAMIC.0..Port::COUNT {
        let _ = t.call(OWN, &EventClose { port: Port(number) });
    }
}

fn well_known_ports_in_a_full_table(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    let mut opened = 0;
    while t.call(OWN, &EventAlloc { domain: DomainId::SELF }).0 == Status::SUCCESS {
        opened += 1;
        if opened > Port::COUNT {
            break;
        }
    }
    let bind = EventBind { domain: DomainId::SELF, port: Port::FIRST_DYNAMIC };
    let refused = t.call(OWN, &bind).0;
    let before = t.is_pending(OWN, Port::TIMER);
    let set = t.call(OWN, &TimerSet { deadline: 0 }).0;
    let after = t.is_pending(OWN, Port::TIMER);
    t.clear_pending(OWN, Port::TIMER);
    close_all(t);
    equal(refused, Status::from(Err(Error::QuotaExceeded)), "status of a bind")?;
    equal(set, Status::SUCCESS, "status of timer_set")?;
    equal((before, after), (false, true), "the timer's port, pending")
}

/// Ports on either side of the words' edges.
const EDGES: [u32; 6] = [62, 63, 64, 127, 128, 129];

fn bits_at_the_edges_of_words(t: &mut Test<'_>) -> Check {
    let result = edges(t);
    close_all(t);
    result
}

fn edges(t: &mut Test<'_>) -> Check {
    for number in Port::FIRST_DYNAMIC.0..=130 {
        let port = t.ok(OWN, &EventAlloc { domain: DomainId::SELF })?;
        equal(port, number.into(), "the lowest port that is closed")?;
    }
    for edge in EDGES {
        let bind = EventBind { domain: DomainId::SELF, port: Port(edge) };
        let other = Port(t.ok(OWN, &bind)? as u32);
        t.clear_pending(OWN, other);
        t.ok(OWN, &EventSend { port: other })?;
        for number in edge - 2..edge + 3 {
            equal(t.is_pending(OWN, Port(number)), number == edge, "the port is pending")?;
        }
        t.clear_pending(OWN, Port(edge));
        t.ok(OWN, &EventMask { port: Port(edge), masked: true })?;
        for number in edge - 2..edge + 3 {
            equal(t.is_masked(OWN, Port(number)), number == edge, "the port is masked")?;
        }
        t.ok(OWN, &EventMask { port: Port(edge), masked: false })?;
    }
    Ok(())
}

fn storm(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    let (loud, loud_end) = t.channel()?;
    let (quiet, quiet_end) = t.channel()?;
    t.ok(OWN, &EventSend { port: quiet })?;
    for _ in 0..1000 {
        t.ok(OWN, &EventSend { port: loud })?;
    }
    // One bit each, however many were sent, and none is lost.
    check(t.is_pending(PEER, quiet_end), "the first channel is pending")?;
    check(t.is_pending(PEER, loud_end), "the second channel is pending")?;
    t.clear_pending(PEER, loud_end);
    check(!t.is_pending(PEER, loud_end), "taken once, it is taken")?;
    check(t.is_pending(PEER, quiet_end), "the first channel is pending still")
}
