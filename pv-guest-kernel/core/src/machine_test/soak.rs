//! The kernel's own address spaces on the machine: processes that fork, store and load at
//! random, are unmapped, protected and swapped, and always find what they should.

use super::{
    Programs,
    world::{Broken, CODE, starting},
};
use crate::{
    Exit, PAGE, Platform, Registers,
    memory::{
        AddressSpace, Backing, Fault, Frames, Kind, Layout, Limits, Mapping, Memory, MemoryBacking,
        NoFiles, Parts, Place, Rights, Settings, UserMemory, reclaim,
    },
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

/// The program that stores lies behind the one that loads.
const STORE: u64 = CODE + 256;

/// Where the memory of a process begins: in several tables, on both sides of a border between
/// two.
const AREAS: [u64; 3] = [0x40_0000, 0x5f_c000, 0x20_0000_0000];
/// Pages of each.
const AREA_PAGES: u64 = 16;

const LAYOUT: Layout = Layout { lowest: CODE, mmap_top: 0x3f_0000_0000, end: 0x3f_ffff_f000 };
const READ_WRITE: Rights = Rights::READ.union(Rights::WRITE);

/// Processes at most.
const PROCESSES: usize = 6;
/// Slots of the swap area.
const SLOTS: u32 = 64;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Soaked {
    /// Loads and stores.
    pub accesses: u64,
    /// Faults that were served.
    pub faults: u64,
    /// Processes that were forked.
    pub forks: u64,
    /// Pages that came back from the swap area.
    pub swapped_in: u64,
}

struct Process<P: Platform> {
    space: AddressSpace<P>,
    /// What it should find; zero where nothing is said.
    words: BTreeMap<u64, u64>,
}

struct Soak<'a, P: Platform> {
    platform: &'a mut P,
    memory: Memory<P>,
    processes: Vec<Process<P>>,
    random: u64,
    count: Soaked,
}

/// Does that many things, and then ends every process.
///
/// # Errors
/// [`Broken`]: a process found something else, or pages did not come back.
pub fn soak<P: Platform>(
    platform: &mut P,
    mut frames: Frames,
    programs: &Programs<'_>,
    steps: u64,
) -> Result<Soaked, Broken> {
    let no_memory = |_| broken("too few pages");
    let backing = MemoryBacking::new(&mut frames, SLOTS).map_err(no_memory)?;
    let backing: Option<Box<dyn Backing<P>>> = Some(Box::new(backing));
    let memory = Memory::new(platform, frames, Settings::default(), backing).map_err(no_memory)?;
    let free = memory.frames.count(Kind::Free);
    let count = Soaked::default();
    let mut soak = Soak { platform, memory, processes: Vec::new(), random: 1, count };
    soak.start(programs)?;
    for step in 0..steps {
        soak.step().map_err(|what| broken(format!("step {step}: {what}")))?;
    }
    while !soak.processes.is_empty() {
        soak.end(0);
    }
    let left = soak.memory.frames.count(Kind::Free);
    if left != free {
        return Err(broken(format!("{left} pages are free at the end, and {free} were")));
    }
    soak.count.swapped_in = soak.memory.swap.counts().read;
    Ok(soak.count)
}

fn broken(what: impl Into<String>) -> Broken {
    Broken { check: "the kernel's address spaces on this machine", what: what.into() }
}

impl<P: Platform> Soak<'_, P> {
    fn start(&mut self, programs: &Programs<'_>) -> Result<(), Broken> {
        let limits = Limits::default();
        let mut space = AddressSpace::new(self.platform, &mut self.memory, LAYOUT, limits)
            .map_err(|_| broken("no page for an address space"))?;
        let mut files = NoFiles;
        let mut parts =
            Parts { platform: self.platform, memory: &mut self.memory, files: &mut files };
        for (address, pages, rights) in [(CODE, 1, Rights::all())]
            .into_iter()
            .chain(AREAS.map(|at| (at, AREA_PAGES, READ_WRITE)))
        {
            let length = pages * PAGE as u64;
            space
                .map(&mut parts, Place::Fixed(address), length, rights, Mapping::Private)
                .map_err(|error| broken(format!("mmap: {error:?}")))?;
        }
        let mut user = UserMemory::new(&mut space, parts);
        user.write(CODE, programs.load)
            .and_then(|()| user.write(STORE, programs.store))
            .map_err(|fault| broken(format!("writing programs: {fault:?}")))?;
        self.processes.push(Process { space, words: BTreeMap::new() });
        Ok(())
    }

    /// A number below that one.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % bound
    }

    /// One page of one process.
    fn pick(&mut self) -> (usize, u64) {
        let who = self.below(self.processes.len() as u64) as usize;
        let area = AREAS[self.below(AREAS.len() as u64) as usize];
        (who, area + self.below(AREA_PAGES) * PAGE as u64)
    }

    fn step(&mut self) -> Result<(), String> {
        let (who, page) = self.pick();
        let address = page + self.below(512) * 8;
        match self.below(100) {
            0..48 => {
                let value = self.below(u64::MAX);
                self.run(who, STORE, [address, 0, value])?;
                self.processes[who].words.insert(address, value);
                Ok(())
            }
            48..85 => {
                // Often where something is.
                let known = self.processes[who].words.range(address..).next();
                let address = known.map_or(address, |(address, _)| *address);
                let expected = self.processes[who].words.get(&address).copied().unwrap_or(0);
                match self.run(who, CODE, [address, 0, 0])? {
                    found if found == expected => Ok(()),
                    found => Err(format!(
                        "process {who} finds {found:#x} at {address:#x}, and not {expected:#x}"
                    )),
                }
            }
            85..91 if self.processes.len() < PROCESSES => self.fork(who, page, address),
            91..94 if self.processes.len() > 1 => {
                self.end(who);
                Ok(())
            }
            94..96 => self.replace(who, page),
            96..98 => self.protect(who, page, address),
            98.. => {
                self.reclaim(8);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Runs a program of a process to its call; the third argument there.
    fn run(&mut self, who: usize, pc: u64, args: [u64; 3]) -> Result<u64, String> {
        let mut registers: P::Registers = starting(args);
        registers.set_pc(pc);
        self.count.accesses += 1;
        loop {
            let tables = self.processes[who].space.tables();
            match self.platform.run(tables, &mut registers) {
                Exit::Call => return Ok(registers.args()[2]),
                Exit::Interrupt => (),
                Exit::Fault { address, access } => match self.fault(who, address, access) {
                    Ok(()) => self.count.faults += 1,
                    Err(Fault::NoMemory) if self.reclaim(8) > 0 => (),
                    Err(fault) => return Err(format!("a fault at {address:#x}: {fault:?}")),
                },
                exit => return Err(format!("the exit: {exit:x?}")),
            }
        }
    }

    fn fault(&mut self, who: usize, address: u64, access: crate::Access) -> Result<(), Fault> {
        self.with(who, |space, parts| space.fault(parts, address, access))
    }

    fn with<R>(
        &mut self,
        who: usize,
        f: impl FnOnce(&mut AddressSpace<P>, &mut Parts<'_, P>) -> R,
    ) -> R {
        let mut files = NoFiles;
        let mut parts =
            Parts { platform: self.platform, memory: &mut self.memory, files: &mut files };
        f(&mut self.processes[who].space, &mut parts)
    }

    fn fork(&mut self, who: usize, pc: u64, sp: u64) -> Result<(), String> {
        let forked = self.with(who, |space, parts| space.fork(parts, pc, sp));
        let Ok(space) = forked else { return Err("no page for a fork".into()) };
        let words = self.processes[who].words.clone();
        self.processes.push(Process { space, words });
        self.count.forks += 1;
        Ok(())
    }

    fn end(&mut self, who: usize) {
        let mut files = NoFiles;
        let mut parts =
            Parts { platform: self.platform, memory: &mut self.memory, files: &mut files };
        self.processes.remove(who).space.destroy(&mut parts);
    }

    /// Maps zeros over a few pages.
    fn replace(&mut self, who: usize, page: u64) -> Result<(), String> {
        let (start, length) = self.some_pages(page);
        let mapped = self.with(who, |space, parts| {
            space.unmap(parts, start, length)?;
            space.map(parts, Place::Free(start), length, READ_WRITE, Mapping::Private)
        });
        self.processes[who].words.retain(|at, _| !(start..start + length).contains(at));
        mapped.map(drop).map_err(|error| format!("munmap and mmap: {error:?}"))
    }

    /// Takes the right to write away, for one store that must fail.
    fn protect(&mut self, who: usize, page: u64, address: u64) -> Result<(), String> {
        let (start, length) = self.some_pages(page);
        let set = |soak: &mut Self, rights| {
            let done = soak.with(who, |space, parts| space.protect(parts, start, length, rights));
            done.map_err(|error| format!("mprotect: {error:?}"))
        };
        set(self, Rights::READ)?;
        let stored = self.run(who, STORE, [address, 0, 1]);
        set(self, READ_WRITE)?;
        match stored {
            Err(what) if what.ends_with("NotAllowed") => Ok(()),
            Err(what) => Err(what),
            Ok(_) => Err(format!("a store at {address:#x}, which was for reading")),
        }
    }

    /// A few pages from that one on, within its area.
    fn some_pages(&mut self, page: u64) -> (u64, u64) {
        let end = AREAS
            .map(|area| area + AREA_PAGES * PAGE as u64)
            .into_iter()
            .filter(|end| *end > page)
            .min()
            .unwrap_or(page);
        let most = (end - page) / PAGE as u64;
        (page, (1 + self.below(most)) * PAGE as u64)
    }

    fn reclaim(&mut self, pages: u64) -> u64 {
        let mut spaces: Vec<_> =
            self.processes.iter_mut().map(|process| &mut process.space).collect();
        spaces.sort_by_key(|space| space.id());
        reclaim(self.platform, &mut self.memory, &mut spaces, pages)
    }
}
