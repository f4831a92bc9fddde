//! The machine test: command line `machine-test`.

use super::{Lent, Paravirtual, boot};
use alloc::format;
use balloon::Balloon;
use kernel_core::{
    Platform,
    machine_test::{self, Broken, Programs},
    memory::{Frames, Kind},
};
use pv_guest::{
    abi::{DomainId, start_info::StartInfo},
    calls,
    memory::Memory,
    println,
};

/// Pages that the balloon takes before the core has them, and out of its hands.
const HOLES: [u64; 2] = [8, 200];

/// Things that processes do at random.
const STEPS: u64 = 5000;

/// Runs every check, twice: first with holes in memory, then on what that has left behind. How
/// many checks passed.
pub fn run(info: &StartInfo, mut memory: Memory) -> Result<usize, Broken> {
    let mut balloon = Balloon::new();
    balloon.inflate(&mut memory, HOLES[0] as usize);
    let (mut machine, mut frames) = boot(info, memory);
    expect_holes(&frames, HOLES[0])?;
    balloon.inflate(&mut Lent::new(&mut machine, &mut frames), HOLES[1] as usize);
    let programs = Programs::of(Paravirtual::MACHINE);
    let mut passed = 0;
    for holes in [HOLES[0] + HOLES[1], 0] {
        expect_holes(&frames, holes)?;
        let before = traps();
        passed += machine_test::run(&mut machine, &mut frames, &programs, &mut |_, name| {
            println!("    {name}");
        })?;
        println!(
            "    {holes} holes in memory; {} traps; {} trees of tables kept for the next processes",
            traps() - before,
            machine.kept_trees(),
        );
        balloon.deflate(&mut Lent::new(&mut machine, &mut frames), holes as usize);
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

fn expect_holes(frames: &Frames, expected: u64) -> Result<(), Broken> {
    let found = frames.count(Kind::Hole);
    if found == expected {
        return Ok(());
    }
    let what = format!("{found} holes are known, and not {expected}");
    Err(Broken { check: "the balloon's pages are holes", what })
}

fn traps() -> u64 {
    calls::domain_query(DomainId::SELF).map_or(0, |info| info.traps)
}
