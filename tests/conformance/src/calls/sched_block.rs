//! Tests of `sched_block`.

use crate::{Check, OWN, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    Port,
    calls::{EventMask, EventSend, SchedBlock, TimerSet},
    start_info::VCPU_PAGE_PFN,
    vcpu_page::EVENTS_MASKED_OFFSET,
};

tests! { "sched_block":
    pending_already: "SCHED_BLOCK.1 SCHED_BLOCK.2 SCHED_BLOCK.3",
    until_the_timer: "SCHED_BLOCK.2 TIMER_SET.2",
    masked_port_does_not_wake: "SCHED_BLOCK.2 EVENT_SEND.5",
}

/// Microseconds that the tests sleep: many calls long, and still a moment.
const MOMENT: u64 = 300;

fn sleep(t: &mut Test<'_>) -> Check {
    let word = (EVENTS_MASKED_OFFSET / 8) as u16;
    t.note(OWN, Undo::Word(VCPU_PAGE_PFN, word, 1))?;
    equal(t.ok(OWN, &SchedBlock)?, 0, "value")?;
    equal(t.vcpu(OWN, EVENTS_MASKED_OFFSET), 0, "events_masked")
}

fn pending_already(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventSend { port: first })?;
    sleep(t)?;
    check(t.caller().take_event(OWN, second.0), "the trap entry has taken the event")
}

fn until_the_timer(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    let deadline = t.ticks(MOMENT) + t.caller().now();
    t.ok(OWN, &TimerSet { deadline })?;
    sleep(t)?;
    check(t.caller().now() >= deadline, "the deadline has come")?;
    check(t.caller().take_event(OWN, Port::TIMER.0), "the trap entry has taken the event")
}

fn masked_port_does_not_wake(t: &mut Test<'_>) -> Check {
    let (first, second) = t.loopback(OWN)?;
    t.ok(OWN, &EventMask { port: second, masked: true })?;
    t.ok(OWN, &EventSend { port: first })?;
    t.note(OWN, Undo::StopTimer)?;
    let deadline = t.ticks(MOMENT) + t.caller().now();
    t.ok(OWN, &TimerSet { deadline })?;
    sleep(t)?;
    check(t.caller().now() >= deadline, "it slept until the timer")?;
    check(t.is_pending(OWN, second), "the masked port is pending")?;
    check(!t.caller().take_event(OWN, second.0), "no event is taken on it")
}
