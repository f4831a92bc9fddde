//! Tests of system calls, made directly: a [`World`] is a kernel with one process that does not
//! run, and a piece of its memory to pass things in.

mod attributes;
mod descriptors;
mod faults;
mod files;
mod memory;
mod names;
mod poll;
mod procfs;
mod random;
mod system;
mod terminal;
mod time;
mod transfer;

use super::{Answer, Call, Stop, Waiting, dispatch};
use crate::{
    PAGE, Pfn, Platform, Protection, VirtAddr,
    fs::{Errno, Pid, tests::audit::audit_files},
    kernel::Kernel,
    memory::{Kind, Outside, Source, audit},
    model::{
        Model, ModelSpace,
        assembler::{Assembler, archive},
    },
    process::{INIT, Progress},
    settings::Settings,
};
use alloc::{vec, vec::Vec};
use std::collections::BTreeMap;

/// Memory of the first process: [`ROOM`] bytes that can be written, and nothing around them.
pub const BUFFER: u64 = 0x1000_0000;
/// How many.
pub const ROOM: u64 = 64 * PAGE as u64;
/// A page that can only be read.
pub const READ_ONLY: u64 = BUFFER + ROOM + 16 * PAGE as u64;
/// A page that nothing reaches.
pub const NO_ACCESS: u64 = READ_ONLY + 16 * PAGE as u64;
/// The working directory.
pub const CWD: u64 = -100_i64 as u64;

/// A kernel with one process.
pub struct World<const RISCV: bool = false> {
    pub kernel: Kernel<Model<RISCV>>,
    /// Who makes the calls.
    pub who: Pid,
    /// Where the next thing is put in the memory of the process.
    next: u64,
}

impl World {
    /// With plenty of memory.
    pub fn new() -> World {
        World::with_pages(2048)
    }
}

impl<const RISCV: bool> World<RISCV> {
    pub fn with_pages(pages: u64) -> World<RISCV> {
        let model: Model<RISCV> = Model::new(pages);
        let (frames, machine) = (model.frames(), <Model<RISCV> as Platform>::MACHINE);
        let mut settings = Settings::for_memory(machine, 1 << 15, 32 << 20);
        settings.wall_clock = 1_000_000_000_000_000_000;
        settings.files.file_pages = 4096;
        let program = Assembler::new(machine).exit(0).elf();
        let files = archive(&[("init", program)]);
        let kernel = Kernel::new(model, frames, &files, b"single x=1", settings);
        let kernel = kernel.expect("the kernel starts");
        let mut world = World { kernel, who: INIT, next: BUFFER };
        let mut map = |address, length, rights| {
            let args = [address, length, rights, 0x32, u64::MAX, 0];
            assert_eq!(world.call(Call::Mmap, &args), Ok(address));
        };
        map(BUFFER, ROOM, 3);
        map(READ_ONLY, PAGE as u64, 1);
        map(NO_ACCESS, PAGE as u64, 0);
        world
    }

    /// Makes a call. If it waits it can be made again; what it answers ends it.
    pub fn call(&mut self, call: Call, args: &[u64]) -> Answer {
        let number = call.number(<Model<RISCV> as Platform>::MACHINE).expect("the machine has it");
        let args = core::array::from_fn(|index| args.get(index).copied().unwrap_or(0));
        let answer = dispatch(&mut self.kernel, self.who, number.into(), args);
        if !matches!(answer, Err(Stop::Wait(_) | Stop::NoMemory))
            && let Some(process) = self.kernel.processes.get_mut(self.who)
        {
            process.progress = Progress::default();
        }
        answer
    }

    /// Makes a call that works.
    pub fn ok(&mut self, call: Call, args: &[u64]) -> u64 {
        self.call(call, args).unwrap_or_else(|stop| panic!("{}: {stop:?}", call.name()))
    }

    /// Makes a call that fails.
    pub fn errno(&mut self, call: Call, args: &[u64]) -> Errno {
        match self.call(call, args) {
            Err(Stop::Errno(errno)) => errno,
            other => panic!("{}: {other:x?}", call.name()),
        }
    }

    /// Makes a call that waits.
    pub fn waits(&mut self, call: Call, args: &[u64]) -> Waiting {
        match self.call(call, args) {
            Err(Stop::Wait(waiting)) => waiting,
            other => panic!("{}: {other:x?}", call.name()),
        }
    }

    /// Puts bytes into the memory of the process, on a border of 16 bytes: where.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.space(bytes.len() as u64);
        self.store(at, bytes);
        at
    }

    /// So many bytes of the memory of the process, whatever is there.
    pub fn space(&mut self, bytes: u64) -> u64 {
        let at = self.next;
        self.next = (at + bytes).next_multiple_of(16);
        if self.next > BUFFER + ROOM {
            self.next = BUFFER;
            return self.space(bytes);
        }
        at
    }

    /// A string with its zero byte.
    pub fn string(&mut self, text: &str) -> u64 {
        self.put(&[text.as_bytes(), b"\0"].concat())
    }

    pub fn store(&mut self, at: u64, bytes: &[u8]) {
        self.kernel.user(self.who).write(at, bytes).expect("memory of the test");
    }

    pub fn load(&mut self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.kernel.user(self.who).read(at, &mut bytes).expect("memory of the test");
        bytes
    }

    pub fn word(&mut self, at: u64) -> u64 {
        self.kernel.user(self.who).read_u64(at).expect("memory of the test")
    }

    /// Opens a file: its descriptor.
    pub fn open(&mut self, path: &str, flags: u64) -> u64 {
        let path = self.string(path);
        self.ok(Call::Openat, &[CWD, path, flags, 0o644])
    }

    pub fn close(&mut self, fd: u64) {
        self.ok(Call::Close, &[fd]);
    }

    /// Makes a file with content.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        let fd = self.open(path, 0o1101);
        assert_eq!(self.write(fd, content), Ok(content.len() as u64));
        self.close(fd);
    }

    /// The content of a file.
    pub fn content(&mut self, path: &str) -> Vec<u8> {
        let fd = self.open(path, 0);
        let mut content = Vec::new();
        loop {
            let some = self.read(fd, 8192).expect("a file that can be read");
            if some.is_empty() {
                break;
            }
            content.extend(some);
        }
        self.close(fd);
        content
    }

    pub fn write(&mut self, fd: u64, bytes: &[u8]) -> Answer {
        let at = self.put(bytes);
        self.call(Call::Write, &[fd, at, bytes.len() as u64])
    }

    pub fn read(&mut self, fd: u64, count: u64) -> Result<Vec<u8>, Stop> {
        let at = self.space(count);
        let done = self.call(Call::Read, &[fd, at, count])?;
        Ok(self.load(at, done as usize))
    }

    /// A pipe: the descriptor that reads, and the one that writes.
    pub fn pipe(&mut self, flags: u64) -> (u64, u64) {
        let at = self.space(8);
        self.ok(Call::Pipe2, &[at, flags]);
        let both = self.word(at);
        (both & 0xffff_ffff, both >> 32)
    }

    /// A child of the process, which does not run either.
    pub fn fork(&mut self) -> Pid {
        let child = self.ok(Call::Clone, &[17]);
        Pid(child as u32)
    }

    /// Does something else while a call of the process waits.
    pub fn meanwhile<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let who = self.who;
        let progress = |world: &mut Self| {
            core::mem::take(&mut world.kernel.processes.get_mut(who).expect("it waits").progress)
        };
        let before = progress(self);
        let result = act(self);
        self.kernel.processes.get_mut(who).expect("it waits").progress = before;
        result
    }

    /// Makes sure that what is put into memory takes no page any more.
    pub fn fill(&mut self) {
        self.store(BUFFER, &vec![0; ROOM as usize]);
    }

    /// Makes calls as another process.
    pub fn become_(&mut self, who: Pid) {
        self.who = who;
    }

    /// Checks all that must hold of memory and files.
    pub fn audit(&self) {
        let kernel = &self.kernel;
        let mut held = Vec::new();
        for process in kernel.processes.iter().filter(|process| !process.has_ended()) {
            held.push(process.working);
            held.extend(process.program);
            let areas = process.space.iter().flat_map(|space| space.areas());
            held.extend(areas.filter_map(|area| match area.source {
                Source::File { file, .. } => Some(crate::fs::Node::Inode(file.into())),
                _ => None,
            }));
        }
        held.extend(kernel.trampoline.map(crate::fs::Node::Inode));
        let mut uses = BTreeMap::new();
        for page in audit_files(&kernel.fs, &held) {
            *uses.entry(page).or_default() += 1;
        }
        let spaces: Vec<_> =
            kernel.processes.iter().filter_map(|process| process.space.as_ref()).collect();
        let outside = Pages { model: &kernel.platform, uses };
        if let Err(what) = audit(&kernel.memory, &spaces, &outside) {
            panic!("{what}");
        }
    }

    /// Ends the process and the kernel, and checks that all memory came back.
    pub fn finish(self) {
        self.audit();
        let (_, memory) = self.kernel.dispose();
        for kind in [Kind::Table, Kind::Anonymous, Kind::File, Kind::Shared] {
            assert_eq!(memory.frames.count(kind), 0, "pages of {kind:?} are left");
        }
        assert_eq!(memory.info().leaves, 0, "leaves are left");
    }
}

/// What the audit of memory cannot know: pages of files, and the machine's tables.
struct Pages<'a, const RISCV: bool> {
    model: &'a Model<RISCV>,
    uses: BTreeMap<Pfn, u32>,
}

impl<const RISCV: bool> Outside<Model<RISCV>> for Pages<'_, RISCV> {
    fn uses(&self, page: Pfn) -> u32 {
        self.uses.get(&page).copied().unwrap_or(0)
    }

    fn entry(&self, space: &ModelSpace, page: VirtAddr) -> Option<(Pfn, Protection)> {
        self.model.entry(space, page)
    }

    fn entries(&self, space: &ModelSpace) -> usize {
        self.model.entries(space)
    }
}
