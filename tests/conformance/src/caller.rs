//! What a test can do to the machine under test: [`Caller`].

use core::ops::Range;
use hypercall_abi::{
    Error, Mfn, Pfn, Status, VirtAddr,
    calls::{Args, Call, PtUnpin, console_write::Stream},
    start_info::PageTableFormat,
    trap::Cause,
};

use crate::outcome::Message;

/// One of the domains that a test speaks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The domain under test.
    Own,
    /// Its peer, with which it shares memory and events.
    Peer,
    /// Another peer, for what takes two.
    Third,
}

/// Short for [`Side::Own`].
pub const OWN: Side = Side::Own;
/// Short for [`Side::Peer`].
pub const PEER: Side = Side::Peer;
/// Short for [`Side::Third`].
pub const THIRD: Side = Side::Third;

impl Side {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// 0 to 2, to index a list by.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// An access to memory through the current translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touch {
    /// Loads the eight bytes there.
    Read,
    /// Stores eight bytes there.
    Write(u64),
    /// Calls the code there, which must be the architecture's return instruction.
    Execute,
}

/// A trap that an access ended in, as the hypervisor delivered it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trapped {
    /// The cause; `None` for a number that the ABI does not name.
    pub cause: Option<Cause>,
    /// `code` of the trap frame.
    pub code: u64,
    /// `address` of the trap frame.
    pub address: u64,
}

/// Which half of a guest runs machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// The kernel, where the code may return.
    Kernel,
    /// A process, in virtual user mode on the user root.
    User,
}

/// Registers that machine code starts with, and what they hold when it has ended: that of the
/// status, a second one, the stack pointer, and one more.
///
/// On x86-64 `rax`, which `rdi` starts with too, `rdx`, `rsp` and the flags; on riscv64 `a0`, `a1`,
/// `sp` and `a2`.
pub type FourRegisters = [u64; 4];

/// Machine code to be run by a return from a trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Who runs it.
    pub half: Half,
    /// Where the code begins.
    pub code: VirtAddr,
    /// What it starts with. A stack pointer of 0 stands for a stack, in the kernel, which a trap is
    /// handled on; only on that one can the code return.
    pub registers: FourRegisters,
}

/// How machine code ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ran {
    /// What the registers held; of code that returned, the first one alone.
    pub registers: FourRegisters,
    /// The trap that it ended in; `None`: it returned.
    pub trapped: Option<Trapped>,
    /// The program counter of that trap.
    pub pc: u64,
}

impl Ran {
    /// What the register of the status held.
    pub const fn value(&self) -> u64 {
        self.registers[0]
    }
}

/// A state of a frame that the calls of a small domain with one vCPU do not bring about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pretence {
    /// So many references are held that only this many more may be.
    Room(u32),
    /// It is a pinned table, and a call of another vCPU is in the middle of validating it.
    UnderWay,
}

/// Whoever executes a test's calls: pv-core on a model of a machine, or a real guest.
///
/// Every side has a trap entry registered. It records faults for [`touch`](Self::touch);
/// on an event it clears `events_pending`, takes every pending bit of an unmasked port (see
/// [`take_event`](Self::take_event)) and returns. A test starts with `events_masked` 1 on
/// [`OWN`] and [`PEER`].
pub trait Caller {
    /// A test begins: a peer that was lost is replaced if there is another.
    fn begin(&mut self) {}

    /// Whether there is a domain to speak for. Tests that need a peer are skipped without one.
    fn has(&mut self, side: Side) -> bool {
        side == Side::Own
    }

    /// The peer has ended itself: nothing more is asked of it in this test. Gives the number of
    /// turns of others in which it is taken apart.
    fn lose_peer(&mut self) -> u32 {
        2000
    }

    /// Makes a call; one that does not return gives [`GONE`].
    fn call(&mut self, side: Side, number: u64, args: &Args) -> (Status, u64);

    /// Reads a word (0 to 511) of a page of that side, through the side's P2M.
    fn read(&mut self, side: Side, page: Pfn, word: usize) -> u64;

    /// Writes a word (0 to 511) of a page of that side. The page must be mapped writable at
    /// its place in the physmap.
    fn write(&mut self, side: Side, page: Pfn, word: usize, value: u64);

    /// Accesses virtual memory of the kernel's address space and reports a fault. The
    /// result is what was read, 0 for other accesses.
    ///
    /// # Errors
    /// The trap that was delivered instead.
    fn touch(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Result<u64, Trapped>;

    /// As [`touch`](Self::touch), but the trap handler returns with `updates` updates, which
    /// lie in the argument frame, and the access is then tried once more. The first trap
    /// comes back beside the result of the second try.
    ///
    /// # Errors
    /// As [`touch`](Self::touch), for the second try.
    fn touch_mending(
        &mut self,
        side: Side,
        address: VirtAddr,
        touch: Touch,
        updates: u64,
    ) -> (Option<Trapped>, Result<u64, Trapped>);

    /// Runs machine code up to its first trap, of which an event is one, or its return. `None`: no
    /// instructions are executed here.
    fn run(&mut self, _side: Side, _run: Run) -> Option<Ran> {
        None
    }

    /// Whether the trap entry took an event on this port (0 to 1023); forgets it.
    fn take_event(&mut self, side: Side, port: u32) -> bool;

    /// Forgets every event that the trap entry has taken.
    fn forget_events(&mut self, side: Side);

    /// The trap entry and the stack that the side has registered.
    fn trap_entry(&self, side: Side) -> (VirtAddr, VirtAddr);

    /// Pages that tests may use as they like, mapped writable in the physmap. At least 48.
    fn pages(&self, side: Side) -> Range<u64>;

    /// A frame that is the hypervisor's own.
    fn hypervisor_frame(&self) -> Mfn;

    /// Makes the hypervisor believe something of a frame that a domain owns; `None`: no longer.
    /// `false`: cannot be done here.
    fn pretend(&mut self, _frame: Mfn, _pretence: Option<Pretence>) -> bool {
        false
    }

    /// The counter that deadlines are measured by.
    fn now(&mut self) -> u64;

    /// Types bytes, at least one, into the console of [`OWN`], and waits until some are there to be
    /// read: how many at least. `None`: cannot be done here.
    fn type_in(&mut self, _bytes: &[u8]) -> Option<usize> {
        None
    }

    /// Whether the last write to this stream was exactly `bytes`. `None`: cannot be seen here.
    fn wrote(&self, _side: Side, _stream: Stream, _bytes: &[u8]) -> Option<bool> {
        None
    }

    /// What went wrong outside the test's own checks since the last time this was asked: an
    /// audit of the model that failed, a trap that nobody expected.
    fn complaint(&mut self) -> Option<Message> {
        None
    }
}

/// A frame of the hypervisor's, for [`Caller::hypervisor_frame`] of a guest: it lies where the
/// hypervisor's image is loaded. `call` makes a call.
pub fn find_hypervisor_frame(
    format: u64,
    mut call: impl FnMut(u64, &Args) -> (Status, u64),
) -> Mfn {
    let image = match PageTableFormat::new(format) {
        Some(PageTableFormat::X86_64) => 0x100,
        _ => 0x8_0200,
    };
    // The image is some hundred kilobytes long, and it lies in memory that the hypervisor
    // keeps an account of, or before it: any frame that is memory and not the domain's will
    // do then.
    let mut is_foreign = |frame: u64| {
        let (status, _) = call(PtUnpin::NUMBER as u64, &PtUnpin { frame: Mfn(frame) }.encode());
        status == Status::from(Err(Error::NotOwner))
    };
    let found = (image..image + 0x1_0000).find(|frame| is_foreign(*frame));
    Mfn(found.unwrap_or(image))
}

/// Status of a call that did not return: the domain has ended.
pub const GONE: Status = Status(u64::MAX);
