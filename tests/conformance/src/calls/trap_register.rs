//! Tests of `trap_register`.

use crate::{Check, OWN, Test, Touch, equal, registry::tests, test::SCRATCH};
use hypercall_abi::{Error, VirtAddr, calls::TrapRegister};

tests! { "trap_register":
    success: "TRAP_REGISTER.5 CALL.4",
    traps_arrive: "TRAP_REGISTER.4 TRAP.3 XSA-339",
    highest_addresses: "TRAP_REGISTER.1 TRAP_REGISTER.3",
    entry_range: "TRAP_REGISTER.1 XSA-4",
    stack_alignment: "TRAP_REGISTER.2",
    stack_range: "TRAP_REGISTER.3 XSA-4",
}

/// What is registered now.
fn current(t: &mut Test<'_>) -> TrapRegister {
    let (entry, stack) = t.caller().trap_entry(OWN);
    TrapRegister { entry, stack }
}

fn success(t: &mut Test<'_>) -> Check {
    let call = current(t);
    equal(t.ok(OWN, &call)?, 0, "value")?;
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn traps_arrive(t: &mut Test<'_>) -> Check {
    let before = t.counts(OWN)?;
    t.faults(OWN, SCRATCH, Touch::Read)?;
    t.faults(OWN, SCRATCH, Touch::Write(1))?;
    t.faults(OWN, VirtAddr(SCRATCH.0 + 0x128), Touch::Read)?;
    equal(t.counts(OWN)?.traps, before.traps + 3, "traps")
}

fn highest_addresses(t: &mut Test<'_>) -> Check {
    let right = current(t);
    let end = t.guest_end();
    // Both are addresses that can be registered; nothing traps before they are replaced.
    let call = TrapRegister { entry: VirtAddr(end.0 - 1), stack: end };
    let (status, value) = t.call(OWN, &call);
    t.ok(OWN, &right)?;
    equal((status.0, value), (0, 0), "status and value")
}

fn entry_range(t: &mut Test<'_>) -> Check {
    let stack = current(t).stack;
    let end = t.guest_end();
    for entry in [end, VirtAddr(1 << 63), VirtAddr(u64::MAX)] {
        t.refused(OWN, &TrapRegister { entry, stack }, Error::HypervisorRange)?;
    }
    t.faults(OWN, SCRATCH, Touch::Read).map(drop)
}

fn stack_alignment(t: &mut Test<'_>) -> Check {
    let TrapRegister { entry, stack } = current(t);
    for low in [1, 8, 15] {
        let call = TrapRegister { entry, stack: VirtAddr(stack.0 + low) };
        t.refused(OWN, &call, Error::BadArgument)?;
    }
    Ok(())
}

fn stack_range(t: &mut Test<'_>) -> Check {
    let entry = current(t).entry;
    let end = t.guest_end();
    for stack in [VirtAddr(end.0 + 16), VirtAddr(1 << 63), VirtAddr(u64::MAX - 15)] {
        t.refused(OWN, &TrapRegister { entry, stack }, Error::HypervisorRange)?;
    }
    Ok(())
}
