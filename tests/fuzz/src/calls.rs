//! Calls: two guests with frames, tables, grants and channels on the model of a machine take the
//! steps that the bytes mean. After each the audit runs, the modelled translation cache is
//! looked through, and the core is compared with the oracle.
//!
//! Byte 0 chooses the page-table format and how much the core does at a time; the steps follow.

use crate::{Found, Telling};
use conformance_host::Cpu;
use hypercall_abi::Number;
use oracle::{Step, World};
use pv_core::{Riscv64Sv39, Riscv64Sv48, X86_64};
use std::sync::OnceLock;

/// Steps that are taken at most: what takes more time shows nothing more.
const STEPS: usize = 64;

/// Budgets: a point at which others may run as often as can be, now and then, seldom.
const BUDGETS: [u32; 3] = [1, 40, 2048];

pub(crate) fn run(focus: Option<Number>, bytes: &[u8], telling: Telling) -> Found {
    static X86: OnceLock<World<X86_64>> = OnceLock::new();
    static SV39: OnceLock<World<Riscv64Sv39>> = OnceLock::new();
    static SV48: OnceLock<World<Riscv64Sv48>> = OnceLock::new();
    let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
    let budget = BUDGETS[usize::from(first / 3) % BUDGETS.len()];
    match first % 3 {
        0 => play(&X86, budget, focus, rest, telling),
        1 => play(&SV39, budget, focus, rest, telling),
        _ => play(&SV48, budget, focus, rest, telling),
    }
}

fn play<P: Cpu>(
    machine: &OnceLock<World<P>>,
    budget: u32,
    focus: Option<Number>,
    bytes: &[u8],
    telling: Telling,
) -> Found {
    let mut world = machine.get_or_init(World::new).clone();
    world.set_budget(budget);
    world.told_at_once = telling == Telling::Calls;
    let steps = Step::all(bytes);
    world
        .play(&steps[..steps.len().min(STEPS)], focus)
        .and_then(|()| world.finish())
        .map_err(|mismatch| mismatch.to_string())
}
