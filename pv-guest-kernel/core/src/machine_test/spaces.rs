//! Address spaces and their tables.

use super::world::{Broken, CODE, DATA, FAR, NOTHING, World};
use crate::{Access, Change, Exit, PAGE, Platform, Protection, Used, VirtAddr, memory::Kind};
use alloc::vec::Vec;

const WRITE: Protection = Protection::WRITE;
const READ: Protection = Protection::empty();

/// Changes that no machine hands over in one piece.
const MANY: u64 = 700;

fn fault(address: u64, access: Access) -> Exit {
    Exit::Fault { address, access }
}

pub fn nothing_stale<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let (one, two) = (world.page()?, world.page()?);
    world.set_word(one, 0, 1);
    world.set_word(two, 0, 2);
    let mut process = world.process(world.programs.load, [0; 3])?;
    for flush in [false, true] {
        for (page, value) in [(one, 1), (two, 2)] {
            world.map(&mut process.space, NOTHING, page, READ)?;
            world.expect_load(&mut process, NOTHING, value)?;
        }
        world.unmap(&mut process.space, NOTHING)?;
        if flush {
            world.platform.flush();
        }
        world.restart(&mut process, [NOTHING, 0, 0]);
        world.expect(&mut process, fault(NOTHING, Access::Read))?;
    }
    world.end(process);
    let mut process = world.process(world.programs.store, [0; 3])?;
    for round in 0..3 {
        world.map(&mut process.space, NOTHING, one, READ)?;
        world.restart(&mut process, [NOTHING + 8, 0, round]);
        world.expect(&mut process, fault(NOTHING + 8, Access::Write))?;
        world.map(&mut process.space, NOTHING, one, WRITE)?;
        world.expect(&mut process, Exit::Call)?;
        world.same("what was stored", world.word(one, 8), round)?;
    }
    // The last of several changes of one page counts.
    let change = |to| Change { page: VirtAddr(NOTHING), to };
    let changes = [change(None), change(Some((one, READ))), change(Some((two, WRITE)))];
    world.change(&mut process.space, &changes)?;
    world.restart(&mut process, [NOTHING + 8, 0, 55]);
    world.expect(&mut process, Exit::Call)?;
    world.same("what was stored", world.word(two, 8), 55)?;
    world.end(process);
    world.give(one);
    world.give(two);
    Ok(())
}

pub fn batch<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let page = world.page()?;
    world.set_word(page, 0, 17);
    let mut process = world.process(world.programs.load, [0; 3])?;
    // Across the border of what one table holds, and where there is none yet.
    for start in [NOTHING, FAR] {
        let address = |index: u64| start + index * PAGE as u64;
        let all = |to| {
            (0..MANY).map(|index| Change { page: VirtAddr(address(index)), to }).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            world.change(&mut process.space, &all(Some((page, READ))))?;
            for index in [0, 1, 255, 256, 257, 511, 512, MANY - 1] {
                world.expect_load(&mut process, address(index), 17)?;
            }
            world.change(&mut process.space, &all(None))?;
            for index in [0, 255, 256, 512, MANY - 1] {
                world.restart(&mut process, [address(index), 0, 0]);
                world.expect(&mut process, fault(address(index), Access::Read))?;
            }
        }
        // Left mapped: the space is dropped with it.
        world.change(&mut process.space, &all(Some((page, READ))))?;
    }
    world.end(process);
    world.give(page);
    Ok(())
}

pub fn apart<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut one = world.process(world.programs.load, [0; 3])?;
    let mut two = world.process(world.programs.load, [0; 3])?;
    world.set_word(one.data, 0, 111);
    world.set_word(two.data, 0, 222);
    let page = world.page()?;
    for _ in 0..3 {
        world.expect_load(&mut one, DATA, 111)?;
        world.expect_load(&mut two, DATA, 222)?;
    }
    // A change of the one that does not run.
    world.map(&mut one.space, NOTHING, page, READ)?;
    world.restart(&mut two, [NOTHING, 0, 0]);
    world.expect(&mut two, fault(NOTHING, Access::Read))?;
    world.expect_load(&mut one, NOTHING, 0)?;
    world.end(one);
    world.expect_load(&mut two, DATA, 222)?;
    world.end(two);
    world.give(page);
    Ok(())
}

pub fn used<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let page = VirtAddr(DATA);
    let nothing = Used { accessed: false, dirty: false };
    let read = Used { accessed: true, dirty: false };
    let written = Used { accessed: true, dirty: true };
    let mut process = world.process(world.programs.load, [0; 3])?;
    let take = |world: &mut World<'_, P>, space: &mut P::Space, expected| {
        let used = world.platform.take_used(space, page);
        world.same("what the processor did", used, expected)
    };
    take(world, &mut process.space, nothing)?;
    for _ in 0..2 {
        world.expect_load(&mut process, DATA, 0)?;
        take(world, &mut process.space, read)?;
        take(world, &mut process.space, nothing)?;
    }
    let unmapped = world.platform.take_used(&mut process.space, VirtAddr(NOTHING));
    world.same("what it did where nothing is", unmapped, nothing)?;
    world.end(process);
    let mut process = world.process(world.programs.store, [0; 3])?;
    for value in 1..3 {
        world.restart(&mut process, [DATA, 0, value]);
        world.expect(&mut process, Exit::Call)?;
        take(world, &mut process.space, written)?;
        take(world, &mut process.space, nothing)?;
    }
    // A new mapping has not been used, whatever was there before.
    world.restart(&mut process, [DATA, 0, 3]);
    world.expect(&mut process, Exit::Call)?;
    let data = process.data;
    world.unmap(&mut process.space, DATA)?;
    take(world, &mut process.space, nothing)?;
    world.map(&mut process.space, DATA, data, WRITE)?;
    take(world, &mut process.space, nothing)?;
    world.end(process);
    Ok(())
}

pub fn given_back<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let before = world.frames.count(Kind::Free);
    for round in 0..6 {
        let mut space = world.new_space()?;
        let page = world.page()?;
        if round % 2 == 0 {
            for address in [CODE, NOTHING, 0x4000_0000, FAR, 0x3f_ffff_f000] {
                world.map(&mut space, address, page, WRITE)?;
            }
            world.platform.flush();
        }
        world.drop_space(space);
        world.give(page);
        world.same("free pages", world.frames.count(Kind::Free), before)?;
    }
    // What comes back can be written like any page.
    let pages = (0..before.min(64)).map(|_| world.page()).collect::<Result<Vec<_>, _>>()?;
    for page in pages {
        world.set_word(page, 8, 1);
        world.give(page);
    }
    Ok(())
}

pub fn page_becomes_table<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut process = world.process(world.programs.load, [0; 3])?;
    let other = world.page()?;
    world.set_word(other, 0, 31);
    for far in [FAR, FAR - (1 << 30), FAR - (2 << 30)] {
        let page = world.page()?;
        world.set_word(page, 0, u64::MAX);
        world.map(&mut process.space, NOTHING, page, WRITE)?;
        world.expect_load(&mut process, NOTHING, u64::MAX)?;
        world.unmap(&mut process.space, NOTHING)?;
        // Given back before the change is made, it may come back for a table of the next one.
        world.give(page);
        world.map(&mut process.space, far, other, READ)?;
        world.expect_load(&mut process, far, 31)?;
        world.restart(&mut process, [NOTHING, 0, 0]);
        world.expect(&mut process, fault(NOTHING, Access::Read))?;
    }
    world.end(process);
    world.give(other);
    Ok(())
}

pub fn no_page<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let page = world.page()?;
    world.set_word(page, 0, 9);
    let mut refused = false;
    for tables in 0..8 {
        // Where nothing was before, in case the platform keeps tables for the next space.
        let far = (u64::from(tables) + 8) << 32;
        let to = Some((page, READ));
        let changes = [DATA + PAGE as u64, far, far + PAGE as u64, far + (1 << 31)]
            .map(|address| Change { page: VirtAddr(address), to });
        let mut process = world.process(world.programs.load, [0; 3])?;
        let mut left = tables;
        let frames = &mut *world.frames;
        let done = world.platform.change(&mut process.space, &changes, &mut || {
            let page = if left > 0 { frames.take(Kind::Table).ok() } else { None };
            left -= u32::from(page.is_some());
            page
        });
        let done = done.err().unwrap_or(changes.len());
        if done == 0 {
            return world.broken("a change that needs no table was refused");
        }
        refused |= done < changes.len();
        for (index, change) in changes.iter().enumerate() {
            if index < done {
                world.expect_load(&mut process, change.page.0, 9)?;
            } else {
                world.restart(&mut process, [change.page.0, 0, 0]);
                world.expect(&mut process, fault(change.page.0, Access::Read))?;
            }
        }
        // With pages the rest is done.
        world.change(&mut process.space, &changes[done..])?;
        for change in changes {
            world.expect_load(&mut process, change.page.0, 9)?;
        }
        world.end(process);
    }
    world.give(page);
    if !refused {
        return world.broken("tables came out of nothing");
    }
    if world.platform.new_space(&mut || None).is_ok() {
        return world.broken("an address space without a page");
    }
    Ok(())
}

pub fn any_order<P: Platform>(world: &mut World<'_, P>) -> Result<(), Broken> {
    let mut processes = Vec::new();
    for number in 0..12 {
        let process = world.process(world.programs.load, [0; 3])?;
        world.set_word(process.data, 0, number);
        processes.push((process, number));
    }
    for place in [0, 5, 9, 3, 7, 0, 1, 2, 0, 2, 1, 0] {
        for (process, number) in &mut processes {
            world.expect_load(process, DATA, *number)?;
        }
        let (process, _) = processes.remove(place);
        world.end(process);
    }
    Ok(())
}
