//! The machine test: command line `machine-test`.

use super::{Paravirtual, boot};
use kernel_core::{
    Platform,
    machine_test::{self, Broken, Programs},
};
use pv_guest::{
    abi::{DomainId, start_info::StartInfo},
    calls,
    memory::Memory,
    println,
};

/// Runs every check, twice: the second time on what the first has left behind.
pub fn run(info: &StartInfo, memory: Memory) -> Result<(), Broken> {
    let (mut machine, mut frames) = boot(info, memory);
    let programs = Programs::of(Paravirtual::MACHINE);
    for round in 1..=2 {
        let before = traps();
        let count = machine_test::run(&mut machine, &mut frames, &programs, &mut |_, name| {
            println!("    {name}");
        })?;
        println!(
            "machine test, round {round}: {count} checks passed; {} traps; {} trees of tables kept",
            traps() - before,
            machine.kept_trees(),
        );
    }
    Ok(())
}

fn traps() -> u64 {
    calls::domain_query(DomainId::SELF).map_or(0, |info| info.traps)
}
