//! Time, and what else comes from outside.

use super::world::{Broken, CODE, World};
use crate::{Exit, Platform, Registers};
use alloc::format;

/// One millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Times that something may end early.
const EARLY: u32 = 10_000;

pub fn alarm<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.spin, [0; 3])?;
    for milliseconds in [2, 1, 3] {
        let at = world.platform.now() + milliseconds * MILLISECOND;
        world.platform.set_alarm(Some(at));
        for _ in 0..EARLY {
            let exit = world.platform.run(&mut process.space, &mut process.registers);
            world.same("the exit", exit, Exit::Interrupt)?;
            if world.platform.now() >= at {
                break;
            }
        }
        if world.platform.now() < at {
            return world.broken("interrupted again and again before the time");
        }
        world.same("where it goes on", process.registers.pc(), CODE)?;
    }
    world.platform.set_alarm(None);
    world.end(process);
    Ok(())
}

pub fn missed_alarm<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.spin, [0; 3])?;
    let at = world.platform.now() + MILLISECOND / 10;
    world.platform.set_alarm(Some(at));
    // The model's time stands still while the kernel waits.
    for _ in 0..1_000_000 {
        if world.platform.now() > at + MILLISECOND / 10 {
            break;
        }
    }
    let exit = world.platform.run(&mut process.space, &mut process.registers);
    world.same("the exit", exit, Exit::Interrupt)?;
    // One that is in the past already.
    world.platform.set_alarm(Some(0));
    let exit = world.platform.run(&mut process.space, &mut process.registers);
    world.same("the exit", exit, Exit::Interrupt)?;
    world.platform.set_alarm(None);
    world.end(process);
    Ok(())
}

pub fn idle<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut early = 0;
    for milliseconds in [1, 3] {
        let at = world.platform.now() + milliseconds * MILLISECOND;
        world.platform.set_alarm(Some(at));
        while world.platform.now() < at {
            world.platform.idle();
            early += 1;
            if early > EARLY {
                return world.broken(format!("{early} waits that ended before the time"));
            }
        }
    }
    world.platform.set_alarm(None);
    Ok(())
}

pub fn random<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut fills = [[0; 37]; 2];
    for bytes in &mut fills {
        world.platform.random(bytes);
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return world.broken("all bytes are the same");
        }
    }
    if fills[0] == fills[1] {
        return world.broken("the same bytes twice");
    }
    Ok(())
}
