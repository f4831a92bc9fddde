//! The machine test: command line `machine-test`.

use super::{Paravirtual, boot};
use alloc::format;
use balloon::Balloon;
use kernel_core::{
    Platform,
    machine_test::{self, Broken, Programs},
    memory::Kind,
};
use pv_guest::{
    abi::{DomainId, start_info::StartInfo},
    calls,
    memory::Memory,
    println,
};

/// Pages that the balloon has taken before: the core sees holes.
const HOLES: u64 = 8;

/// Things that processes do at random.
const STEPS: u64 = 5000;

/// Runs every check, twice: the second time on what the first has left behind. How many checks
/// passed.
pub fn run(info: &StartInfo, mut memory: Memory) -> Result<usize, Broken> {
    Balloon::new().inflate(&mut memory, HOLES as usize);
    let (mut machine, mut frames) = boot(info, memory);
    let holes = frames.count(Kind::Hole);
    if holes != HOLES {
        let what = format!("{holes} holes are known, and not {HOLES}");
        return Err(Broken { check: "the balloon's pages are holes", what });
    }
    let programs = Programs::of(Paravirtual::MACHINE);
    let mut passed = 0;
    for round in 1..=2 {
        let before = traps();
        let count = machine_test::run(&mut machine, &mut frames, &programs, &mut |_, name| {
            println!("    {name}");
        })?;
        passed += count;
        println!(
            "    round {round}: {} traps; {} trees of tables kept for the next processes",
            traps() - before,
            machine.kept_trees(),
        );
    }
    let before = traps();
    let soaked = machine_test::soak(&mut machine, frames, &programs, STEPS)?;
    println!(
        "    soak: {} accesses, {} faults, {} forks, {} pages swapped in; {} traps",
        soaked.accesses,
        soaked.faults,
        soaked.forks,
        soaked.swapped_in,
        traps() - before,
    );
    Ok(passed)
}

fn traps() -> u64 {
    calls::domain_query(DomainId::SELF).map_or(0, |info| info.traps)
}
