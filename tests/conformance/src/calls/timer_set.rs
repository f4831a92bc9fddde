//! Tests of `timer_set`.

use crate::{Check, OWN, Test, check, equal, journal::Undo, registry::tests};
use hypercall_abi::{
    Port,
    calls::{SchedYield, TimerSet},
};

tests! { "timer_set":
    passed: "TIMER_SET.3 XSA-20",
    none: "TIMER_SET.4",
    replaced: "TIMER_SET.1",
    comes: "TIMER_SET.2",
    once: "TIMER_SET.2",
    far_away: "TIMER_SET.2 XSA-20",
}

const NEVER: TimerSet = TimerSet { deadline: u64::MAX };

/// Microseconds until a near deadline.
const NEAR: u64 = 200;

/// Yields until the timer is pending, or for so many microseconds that it should have been.
fn wait(t: &mut Test<'_>, microseconds: u64) -> Check<bool> {
    let ticks = t.ticks(microseconds);
    let end = t.caller().now().saturating_add(ticks);
    loop {
        if t.is_pending(OWN, Port::TIMER) {
            return Ok(true);
        }
        if t.caller().now() > end {
            return Ok(false);
        }
        t.ok(OWN, &SchedYield)?;
    }
}

fn near(t: &mut Test<'_>) -> u64 {
    t.ticks(NEAR) + t.caller().now()
}

fn passed(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    for deadline in [0, 1] {
        equal(t.ok(OWN, &TimerSet { deadline })?, 0, "value")?;
        check(t.is_pending(OWN, Port::TIMER), "port 1 is pending at once")?;
        t.clear_pending(OWN, Port::TIMER);
    }
    Ok(())
}

fn none(t: &mut Test<'_>) -> Check {
    t.ok(OWN, &NEVER)?;
    check(!wait(t, 2 * NEAR)?, "port 1 is not pending")
}

fn replaced(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    let deadline = near(t);
    t.ok(OWN, &TimerSet { deadline })?;
    t.ok(OWN, &NEVER)?;
    check(!wait(t, 2 * NEAR)?, "the deadline that was replaced does not come")?;
    let deadline = near(t);
    t.ok(OWN, &TimerSet { deadline: deadline + (1 << 50) })?;
    t.ok(OWN, &TimerSet { deadline })?;
    check(wait(t, 100 * NEAR)?, "the nearer deadline comes")
}

fn comes(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    let deadline = near(t);
    t.ok(OWN, &TimerSet { deadline })?;
    check(wait(t, 100 * NEAR)?, "port 1 becomes pending")?;
    check(t.caller().now() >= deadline, "not before the deadline")
}

fn once(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    t.ok(OWN, &TimerSet { deadline: 0 })?;
    t.clear_pending(OWN, Port::TIMER);
    check(!wait(t, 2 * NEAR)?, "port 1 does not become pending again")
}

fn far_away(t: &mut Test<'_>) -> Check {
    t.note(OWN, Undo::StopTimer)?;
    // The largest deadline that is one: nothing that is added to it may wrap.
    t.ok(OWN, &TimerSet { deadline: u64::MAX - 1 })?;
    check(!wait(t, NEAR)?, "port 1 is not pending")
}
