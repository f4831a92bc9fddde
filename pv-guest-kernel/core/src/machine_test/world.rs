//! What the checks share: processes of one program, and what must hold.

use super::Programs;
use crate::{
    Change, Exit, Pfn, Platform, Protection, Registers, VirtAddr,
    memory::{Frames, Kind},
};
use alloc::{format, string::String, vec::Vec};

/// Where the program lies.
pub const CODE: u64 = 0x1_0000;
/// A page that a process can write. The one behind it is not mapped.
pub const DATA: u64 = 0x2_0000;
/// An address that other tables reach, in every format of page tables.
pub const FAR: u64 = 0x3f_1234_5000;
/// Where nothing is mapped.
pub const NOTHING: u64 = 0x50_0000;

/// Times that a process is taken up again when nothing of its own ended its turn.
const TURNS: u32 = 10_000;

/// What a platform did not keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The check that found it.
    pub check: &'static str,
    /// What it was.
    pub what: String,
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// The machine under test.
pub struct World<'a, P: Platform> {
    pub platform: &'a mut P,
    pub frames: &'a mut Frames,
    pub programs: &'a Programs<'a>,
    check: &'static str,
    free_before: u64,
}

/// A process: an address space with one program and one page of data, and registers.
pub struct Process<P: Platform> {
    pub space: P::Space,
    pub registers: P::Registers,
    /// The page at [`DATA`].
    pub data: Pfn,
    code: Pfn,
}

impl<'a, P: Platform> World<'a, P> {
    pub fn new(
        platform: &'a mut P,
        frames: &'a mut Frames,
        programs: &'a Programs<'a>,
        check: &'static str,
    ) -> World<'a, P> {
        let free_before = frames.count(Kind::Free);
        World { platform, frames, programs, check, free_before }
    }

    /// Fails with that text.
    pub fn broken<T>(&self, what: impl Into<String>) -> Result<T, Broken> {
        Err(Broken { check: self.check, what: what.into() })
    }

    /// Fails unless the two are equal.
    pub fn same<T: PartialEq + core::fmt::Debug>(
        &self,
        what: &str,
        found: T,
        expected: T,
    ) -> Result<(), Broken> {
        if found == expected {
            return Ok(());
        }
        self.broken(format!("{what}: {found:x?}, and not {expected:x?}"))
    }

    pub fn expect_all_pages_free(&self) -> Result<(), Broken> {
        self.same("free pages", self.frames.count(Kind::Free), self.free_before)
    }

    /// A page of zeros.
    pub fn page(&mut self) -> Result<Pfn, Broken> {
        let Ok(page) = self.frames.take(Kind::Kernel) else {
            return self.broken("there are too few pages for the test");
        };
        self.platform.clear(page);
        Ok(page)
    }

    pub fn give(&mut self, page: Pfn) {
        self.frames.give(page);
    }

    /// The word at an offset of a page.
    pub fn word(&self, page: Pfn, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        self.platform.read(page, offset, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub fn set_word(&mut self, page: Pfn, offset: usize, value: u64) {
        self.platform.write(page, offset, &value.to_le_bytes());
    }

    pub fn new_space(&mut self) -> Result<P::Space, Broken> {
        let frames = &mut *self.frames;
        match self.platform.new_space(&mut || frames.take(Kind::Table).ok()) {
            Ok(space) => Ok(space),
            Err(_) => self.broken("no page for an address space"),
        }
    }

    pub fn drop_space(&mut self, space: P::Space) {
        let frames = &mut *self.frames;
        self.platform.drop_space(space, &mut |page| {
            frames.give(page);
        });
    }

    pub fn change(&mut self, space: &mut P::Space, changes: &[Change]) -> Result<(), Broken> {
        let frames = &mut *self.frames;
        let done = self.platform.change(space, changes, &mut || frames.take(Kind::Table).ok());
        match done {
            Ok(()) => Ok(()),
            Err(index) => self.broken(format!("no page for a table at change {index}")),
        }
    }

    pub fn map(
        &mut self,
        space: &mut P::Space,
        address: u64,
        page: Pfn,
        protection: Protection,
    ) -> Result<(), Broken> {
        self.change(space, &[Change { page: VirtAddr(address), to: Some((page, protection)) }])
    }

    pub fn unmap(&mut self, space: &mut P::Space, address: u64) -> Result<(), Broken> {
        self.change(space, &[Change { page: VirtAddr(address), to: None }])
    }

    /// A process that begins with its program, and these arguments.
    pub fn process(&mut self, program: &[u8], args: [u64; 3]) -> Result<Process<P>, Broken> {
        let mut space = self.new_space()?;
        let (code, data) = (self.page()?, self.page()?);
        self.platform.write(code, 0, program);
        let map =
            |page, to, protection| Change { page: VirtAddr(page), to: Some((to, protection)) };
        let changes = [map(CODE, code, Protection::EXECUTE), map(DATA, data, Protection::WRITE)];
        self.change(&mut space, &changes)?;
        Ok(Process { space, registers: starting(args), data, code })
    }

    /// Gives it other arguments, at the start of its program.
    pub fn restart(&mut self, process: &mut Process<P>, args: [u64; 3]) {
        process.registers = starting(args);
    }

    pub fn end(&mut self, process: Process<P>) {
        self.drop_space(process.space);
        self.give(process.code);
        self.give(process.data);
    }

    /// Runs a process until something of its own ends its turn.
    pub fn run(&mut self, process: &mut Process<P>) -> Exit {
        for _ in 0..TURNS {
            let exit = self.platform.run(&mut process.space, &mut process.registers);
            if exit != Exit::Interrupt {
                return exit;
            }
        }
        Exit::Interrupt
    }

    /// Runs a process, which must end its turn so.
    pub fn expect(&mut self, process: &mut Process<P>, expected: Exit) -> Result<(), Broken> {
        let found = self.run(process);
        self.same("the exit", found, expected)
    }

    /// Starts a process that loads or stores, and runs it to the call behind that.
    pub fn expect_load(
        &mut self,
        process: &mut Process<P>,
        address: u64,
        value: u64,
    ) -> Result<(), Broken> {
        self.restart(process, [address, 0, 0]);
        self.expect(process, Exit::Call)?;
        self.same("what was loaded", process.registers.args()[2], value)
    }

    /// All that a page holds.
    pub fn bytes(&self, page: Pfn) -> Vec<u8> {
        let mut bytes = alloc::vec![0; crate::PAGE];
        self.platform.read(page, 0, &mut bytes);
        bytes
    }
}

/// Registers at the start of the program.
pub fn starting<R: Registers>(args: [u64; 3]) -> R {
    let mut registers = R::start(CODE, DATA + 0x1000);
    registers.enter_handler(CODE, args, 0);
    registers
}
