//! Pages, registers, floating point: what a process has.

use super::world::{Broken, CODE, DATA, World, starting};
use crate::{Exit, FLOAT_BYTES, FloatState, PAGE, Platform, Registers};
use alloc::{format, vec};

pub fn pages<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let (one, two) = (world.page()?, world.page()?);
    let pattern: vec::Vec<u8> = (0..PAGE).map(|index| (index * 7 + index / 256) as u8).collect();
    world.platform.write(one, 0, &pattern);
    world.same("a page that is written", world.bytes(one), pattern.clone())?;
    world.same("the page beside it", world.bytes(two), vec![0; PAGE])?;
    world.platform.copy(one, two);
    world.same("a copy", world.bytes(two), pattern.clone())?;
    for (offset, length) in [(0, 0), (PAGE, 0), (0, 1), (PAGE - 1, 1), (3, 8), (4093, 3)] {
        let mut bytes = vec![0; length];
        world.platform.read(one, offset, &mut bytes);
        world.same("some bytes", &bytes[..], &pattern[offset..offset + length])?;
        world.platform.write(two, offset, &vec![0xee; length]);
        let mut expected = pattern.clone();
        expected[offset..offset + length].fill(0xee);
        world.same("some bytes that are written", world.bytes(two), expected)?;
        world.platform.copy(one, two);
    }
    world.platform.clear(one);
    world.same("a page that is cleared", world.bytes(one), vec![0; PAGE])?;
    world.same("the page beside that", world.bytes(two), pattern)?;
    world.give(one);
    world.give(two);
    Ok(())
}

pub fn call<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.call, [11, DATA + 8, 33])?;
    world.expect(&mut process, Exit::Call)?;
    world.same("its arguments", process.registers.args()[..3].to_vec(), vec![11, DATA + 8, 33])?;
    world.same("its number", process.registers.call(), 0)?;
    for value in [0, 77, -14, i64::MIN] {
        process.registers.answer(value);
        world.expect(&mut process, Exit::Call)?;
        world.same("its answer", world.word(process.data, 8), value as u64)?;
    }
    world.end(process);
    Ok(())
}

pub fn again<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.call, [11, DATA, 33])?;
    world.set_word(process.data, 0, 1);
    world.expect(&mut process, Exit::Call)?;
    let before = (process.registers.call(), process.registers.args());
    process.registers.again();
    world.same("where it goes on", process.registers.pc(), CODE)?;
    world.expect(&mut process, Exit::Call)?;
    let after = (process.registers.call(), process.registers.args());
    world.same("the call", after, before)?;
    world.same("what it has stored", world.word(process.data, 0), 1)?;
    world.end(process);
    Ok(())
}

pub fn signal_frame<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.store, [DATA + 16, 2, 99])?;
    let words = process.registers.signal_words();
    let mut other: P::Registers = starting([0; 3]);
    other.set_pc(1);
    other.set_sp(2);
    other.set_signal_words(&words);
    world.same("the words", other.signal_words(), words)?;
    world.same("the program counter", other.pc(), CODE)?;
    world.same("the stack pointer", other.sp(), process.registers.sp())?;
    process.registers = other;
    world.expect(&mut process, Exit::Call)?;
    world.same("what it has stored", world.word(process.data, 16), 99)?;
    world.end(process);
    Ok(())
}

pub fn hostile_signal_frame<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.spin, [0; 3])?;
    let count = process.registers.signal_words().len();
    for words in [vec![u64::MAX; count], vec![1 << 63; count], vec![0x8000_0000_0000; count]] {
        process.registers.set_signal_words(&words);
        process.registers.set_thread_base(words[0]);
        let exit = world.run(&mut process);
        if matches!(exit, Exit::Call | Exit::Interrupt) {
            return world.broken(format!("the exit: {exit:x?}"));
        }
        // All the rest of it, where there is a program.
        process.registers.set_pc(CODE);
        let at = world.platform.now() + 1_000_000;
        world.platform.set_alarm(Some(at));
        let exit = world.platform.run(&mut process.space, &mut process.registers);
        world.platform.set_alarm(None);
        if !matches!(exit, Exit::Interrupt | Exit::Breakpoint) {
            return world.broken(format!("the exit where there is a program: {exit:x?}"));
        }
    }
    // Too few words, and none.
    process.registers.set_signal_words(&[1, 2, 3]);
    process.registers.set_signal_words(&[]);
    world.end(process);
    Ok(())
}

pub fn thread_base<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.thread, [0; 3])?;
    world.set_word(process.data, 24, 4242);
    process.registers.set_thread_base(DATA + 24);
    world.expect(&mut process, Exit::Call)?;
    world.same("the word at its base", process.registers.args()[2], 4242)?;
    world.end(process);
    Ok(())
}

pub fn float<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let Some(program) = world.programs.float else { return Ok(()) };
    let (one, two) = (1.5f64.to_bits(), (-0.25f64).to_bits());
    let args = [DATA, DATA + 8, 0];
    let (mut first, mut second) = (world.process(program, args)?, world.process(program, args)?);
    world.set_word(first.data, 0, one);
    world.set_word(second.data, 0, two);
    let clean = world.platform.clean_float();
    let mut kept = FloatState([0; FLOAT_BYTES]);
    world.platform.load_float(&clean);
    world.expect(&mut first, Exit::Call)?;
    world.platform.save_float(&mut kept);
    world.platform.load_float(&clean);
    world.expect(&mut second, Exit::Call)?;
    second.registers.answer(0);
    world.expect(&mut second, Exit::Call)?;
    world.platform.load_float(&kept);
    first.registers.answer(0);
    world.expect(&mut first, Exit::Call)?;
    world.same("the register of the first", world.word(first.data, 8), one)?;
    world.same("the register of the second", world.word(second.data, 8), two)?;
    // What a process could have written into its signal frame is loaded without harm.
    world.platform.load_float(&FloatState([0xff; FLOAT_BYTES]));
    world.platform.load_float(&clean);
    world.end(first);
    world.end(second);
    Ok(())
}
