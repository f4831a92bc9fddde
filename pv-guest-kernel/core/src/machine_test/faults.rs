//! Faults and other exceptions.

use super::world::{Broken, CODE, DATA, NOTHING, World};
use crate::{Access, Exit, PAGE, Platform, Protection, Registers};
use alloc::format;

fn fault(address: u64, access: Access) -> Exit {
    Exit::Fault { address, access }
}

pub fn not_mapped<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let programs = world.programs;
    let cases = [
        (programs.load, Access::Read),
        (programs.store, Access::Write),
        (programs.jump, Access::Execute),
    ];
    for (program, access) in cases {
        let mut process = world.process(program, [0; 3])?;
        let beyond = DATA + PAGE as u64;
        for address in [NOTHING, NOTHING + 0x560, beyond, 0, 0x10, CODE - 16, 0x1f_ffff_f000] {
            world.restart(&mut process, [address, 0, 7]);
            world.expect(&mut process, fault(address, access))?;
        }
        world.end(process);
    }
    Ok(())
}

pub fn not_allowed<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let programs = world.programs;
    let mut process = world.process(programs.store, [CODE + 64, 0, 7])?;
    world.expect(&mut process, fault(CODE + 64, Access::Write))?;
    let page = world.page()?;
    world.map(&mut process.space, NOTHING, page, Protection::empty())?;
    world.restart(&mut process, [NOTHING + 8, 0, 7]);
    world.expect(&mut process, fault(NOTHING + 8, Access::Write))?;
    world.same("the page that must not be written", world.word(page, 8), 0)?;
    world.end(process);
    world.give(page);
    let mut process = world.process(programs.jump, [DATA, 0, 0])?;
    world.expect(&mut process, fault(DATA, Access::Execute))?;
    world.end(process);
    Ok(())
}

pub fn not_for_processes<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let programs = world.programs;
    let cases = [
        (programs.load, Access::Read),
        (programs.store, Access::Write),
        (programs.jump, Access::Execute),
    ];
    // The first and the last page of an upper half, one of Sv39's, and one that is in neither.
    let last = u64::MAX - (PAGE as u64 - 1);
    for (program, access) in cases {
        let mut process = world.process(program, [0; 3])?;
        for address in [0xffff_8000_0000_0000, last, 0xffff_ffc0_0000_0000, 0x9000_0000_0000] {
            world.restart(&mut process, [address, 0, 7]);
            let exit = world.run(&mut process);
            let Exit::Fault { access: found, .. } = exit else {
                return world.broken(format!("the exit at {address:#x}: {exit:x?}"));
            };
            // An address that the processor cannot translate at all need not say for what it was.
            if address >= last && found != access {
                return world.broken(format!("the access at {address:#x}: {found:?}"));
            }
        }
        for address in [last, 0x9000_0000_0000] {
            process.registers.set_pc(address);
            let exit = world.run(&mut process);
            if !matches!(exit, Exit::Fault { access: Access::Execute, .. }) {
                return world
                    .broken(format!("the exit with its counter at {address:#x}: {exit:x?}"));
            }
        }
        world.end(process);
    }
    Ok(())
}

pub fn served<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.load, [NOTHING + 24, 0, 0])?;
    for round in 0..3 {
        let address = NOTHING + round * PAGE as u64 + 24;
        world.restart(&mut process, [address, 0, 0]);
        world.expect(&mut process, fault(address, Access::Read))?;
        let page = world.page()?;
        world.set_word(page, 24, 500 + round);
        world.map(&mut process.space, address & !(PAGE as u64 - 1), page, Protection::empty())?;
        world.expect(&mut process, Exit::Call)?;
        world.same("what was loaded", process.registers.args()[2], 500 + round)?;
        world.unmap(&mut process.space, address & !(PAGE as u64 - 1))?;
        world.give(page);
    }
    world.end(process);
    Ok(())
}

pub fn instructions<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let programs = world.programs;
    let cases = [
        (Some(programs.illegal), Exit::Illegal),
        (Some(programs.privileged), programs.privileged_exit),
        (Some(programs.breakpoint), Exit::Breakpoint),
        (programs.divide, Exit::Arithmetic),
    ];
    for (program, exit) in cases {
        let Some(program) = program else { continue };
        let mut process = world.process(program, [0; 3])?;
        world.expect(&mut process, exit)?;
        world.end(process);
    }
    Ok(())
}
