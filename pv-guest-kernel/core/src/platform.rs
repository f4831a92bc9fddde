//! The machine under the kernel, real or not: [`Platform`].

use crate::balloon::{BalloonCounts, BalloonStep};
use crate::memory::Frames;
use bitflags::bitflags;
use hypercall_abi::{Pfn, VirtAddr};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Bytes of a process's floating-point state at most: x86-64's `fxsave` area; riscv64 needs
/// 264 of them.
pub const FLOAT_BYTES: usize = 512;

/// Floating-point registers of a process that does not run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(align(16))]
pub struct FloatState(pub [u8; FLOAT_BYTES]);

/// The processor that programs are for: what differs between them in the system-call interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// riscv64 with compressed instructions and double precision.
    Riscv64,
}

bitflags! {
    /// What a process may do with a page. All pages can be read.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Protection: u8 {
        /// Store.
        const WRITE = 1 << 0;
        /// Fetch instructions.
        const EXECUTE = 1 << 1;
    }
}

/// What a process did to memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// It loaded.
    Read,
    /// It stored.
    Write,
    /// It fetched an instruction.
    Execute,
}

/// Why a process left the processor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exit {
    /// It made a system call.
    Call,
    /// It touched memory that is not there, or not for that.
    Fault {
        /// The address.
        address: u64,
        /// What it tried.
        access: Access,
    },
    /// It executed what is no instruction, or one that is not for it.
    Illegal,
    /// It came to a breakpoint, or was single-stepped.
    Breakpoint,
    /// It divided by zero, or its floating-point unit complained.
    Arithmetic,
    /// It reached for an address in a way that the processor does not support.
    Misaligned,
    /// Nothing of its own: the alarm, the console.
    Interrupt,
}

/// One page of an address space, as it is to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// The first address of the page.
    pub page: VirtAddr,
    /// What it maps to; `None` for nothing.
    pub to: Option<(Pfn, Protection)>,
}

/// What the processor did with a page since it was last asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Used {
    /// It read or wrote it.
    pub accessed: bool,
    /// It wrote it.
    pub dirty: bool,
}

/// No page is free.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NoPage;

/// The registers of a process, in the terms of the system-call interface.
pub trait Registers: Clone + core::fmt::Debug {
    /// A program's start: everything else is zero.
    fn start(entry: u64, stack: u64) -> Self;
    /// The number of the system call that it makes.
    fn call(&self) -> u64;
    /// The arguments of the call.
    fn args(&self) -> [u64; 6];
    /// Answers the call; the program goes on behind it.
    fn answer(&mut self, value: i64);
    /// The program goes on at the call: it will be made again. The call has not been answered.
    fn again(&mut self);
    /// The program counter.
    fn pc(&self) -> u64;
    /// Sets the program counter.
    fn set_pc(&mut self, pc: u64);
    /// The stack pointer.
    fn sp(&self) -> u64;
    /// Sets the stack pointer.
    fn set_sp(&mut self, sp: u64);
    /// Sets the base of thread-local storage.
    fn set_thread_base(&mut self, base: u64);
    /// Goes to a signal handler: its address, its three arguments, and where it returns to.
    fn enter_handler(&mut self, handler: u64, args: [u64; 3], return_to: u64);
    /// All of them as words, in the order of the machine's signal frame (`struct sigcontext`).
    fn signal_words(&self) -> alloc::vec::Vec<u64>;
    /// Takes them back from a signal frame that the process could have written: what only the
    /// kernel may set stays as it is.
    fn set_signal_words(&mut self, words: &[u64]);
}

/// What the kernel knows of the machine.
///
/// Pages are named by their place in the kernel's own contiguous memory. The kernel passes only
/// pages that exist; an offset and a length lie within one page.
pub trait Platform {
    /// Registers of a process.
    type Registers: Registers;
    /// The page tables of one address space. Its tables are pages too.
    type Space: core::fmt::Debug;

    /// Which processor it is.
    const MACHINE: Machine;

    /// Code that makes the call by which a signal handler returns, where programs do not bring
    /// their own: on riscv64 `li a7, 139` and `ecall`.
    const SIGNAL_RETURN: &'static [u8] = match Self::MACHINE {
        Machine::X86_64 => &[],
        Machine::Riscv64 => &[0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0],
    };

    /// Reads bytes of a page.
    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]);
    /// Writes bytes of a page.
    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]);
    /// Copies a page.
    fn copy(&mut self, from: Pfn, to: Pfn);
    /// Fills a page with zeros.
    fn clear(&mut self, page: Pfn);

    /// An empty address space; `take` gives pages for its tables.
    ///
    /// # Errors
    /// [`NoPage`], when `take` gave none.
    fn new_space(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<Self::Space, NoPage>;
    /// Takes an address space apart; `give` gets the pages of its tables back. What it mapped is
    /// the caller's business.
    fn drop_space(&mut self, space: Self::Space, give: &mut dyn FnMut(Pfn));
    /// Changes pages of an address space, in order, by the next [`run`](Self::run) or
    /// [`flush`](Self::flush) at the latest. No stale translation of what was taken away is left
    /// by then. To take a mapping away, or to change one that there is, needs no table.
    ///
    /// A page that a change took away may come back through `take` before that change was made:
    /// who must, makes it first.
    ///
    /// # Errors
    /// [`NoPage`], when `take` gave none for a table; changes before that took effect, and how
    /// many is returned.
    fn change(
        &mut self,
        space: &mut Self::Space,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize>;
    /// What the processor did with a page of an address space since the last time; asks anew.
    fn take_used(&mut self, space: &mut Self::Space, page: VirtAddr) -> Used;
    /// Makes every change that waits.
    fn flush(&mut self);

    /// Runs a process until it leaves the processor.
    fn run(&mut self, space: &mut Self::Space, registers: &mut Self::Registers) -> Exit;
    /// Takes the processor's floating-point registers.
    fn save_float(&mut self, into: &mut FloatState);
    /// Loads the processor's floating-point registers.
    fn load_float(&mut self, from: &FloatState);
    /// What they hold when a program starts.
    fn clean_float(&self) -> FloatState;

    /// Nanoseconds since the machine started.
    fn now(&self) -> u64;
    /// Asks for one [`Exit::Interrupt`] at that time; `None` for none.
    fn set_alarm(&mut self, at: Option<u64>);
    /// Waits for the alarm or for input.
    fn idle(&mut self);
    /// Writes to the console.
    fn console_write(&mut self, bytes: &[u8]);
    /// Reads what has been typed: how many bytes.
    fn console_read(&mut self, to: &mut [u8]) -> usize;
    /// Lets the machine's balloon go one bounded step, if it has one.
    fn balloon(&mut self, frames: &mut Frames, counts: &BalloonCounts) -> BalloonStep {
        let _ = (frames, counts);
        BalloonStep::Idle
    }
    /// Few pages are free: how many came back of those that were offered to the machine.
    fn balloon_refill(&mut self, frames: &mut Frames) -> u64 {
        let _ = frames;
        0
    }
    /// Memory is out: how many pages came back from the balloon, which gives all it can.
    fn balloon_shortage(&mut self, frames: &mut Frames) -> u64 {
        let _ = frames;
        0
    }
    /// Whether the balloon wants to be asked at least once a second.
    fn has_balloon(&mut self) -> bool {
        false
    }

    /// Whether pages of files that are alike can share memory with those of other machines.
    fn names_content(&self) -> bool {
        false
    }

    /// A page of a file holds what that number stands for: another page of the same number, be it
    /// another machine's, most probably holds the same.
    fn name_content(&mut self, _page: Pfn, _content: u64) {}

    /// Keeps a page's bytes under a number, in place of those before, as long as the machine has memory to
    /// spare. False: none are kept under it.
    fn spare_put(&mut self, _number: u64, _from: &[u8; PAGE]) -> bool {
        false
    }

    /// Gets them back. False: they are not there, and `to` is as it was.
    fn spare_get(&mut self, _number: u64, _to: &mut [u8; PAGE]) -> bool {
        false
    }

    /// Fills with bytes that nobody can guess, as far as the machine has any.
    fn random(&mut self, to: &mut [u8]);
}
