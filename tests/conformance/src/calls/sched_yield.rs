//! Tests of `sched_yield`.

use crate::{Check, OWN, PEER, Test, equal, registry::tests};
use hypercall_abi::{Number, calls::SchedYield};

tests! { "sched_yield":
    returns: "SCHED_YIELD.1 SCHED_YIELD.2",
    of_the_peer: "SCHED_YIELD.1",
    arguments_are_ignored: "SCHED_YIELD.2",
}

fn returns(t: &mut Test<'_>) -> Check {
    for _ in 0..8 {
        equal(t.ok(OWN, &SchedYield)?, 0, "value")?;
    }
    Ok(())
}

fn of_the_peer(t: &mut Test<'_>) -> Check {
    t.need_peer()?;
    for _ in 0..4 {
        t.ok(PEER, &SchedYield)?;
        t.ok(OWN, &SchedYield)?;
    }
    Ok(())
}

fn arguments_are_ignored(t: &mut Test<'_>) -> Check {
    let (status, value) = t.raw(OWN, Number::SchedYield as u64, [u64::MAX; 6]);
    equal((status.0, value), (0, 0), "status and value")
}
