//! The machine under the kernel core, when it is Paravane: [`Paravirtual`].
//!
//! | file | what |
//! |---|---|
//! | `pages` | the core's pages, through the kernel's map of its memory |
//! | `space`, `tables`, `seal`, `reserve` | page tables of processes |
//! | `balloon` | the core's pages as the balloon takes them |
//! | `sharing` | which pages may share frames |
//! | `spare` | pages in the hypervisor's spare memory |
//! | `clock`, `random` | time, the alarm, random bytes |
//! | `test` | the machine test |
//!
//! # Entries
//!
//! A page fault enters the hypervisor twice: it is delivered, and the return carries the update
//! that serves it, new tables included. The kernel runs with events masked: they come when a
//! process runs, or when there is nothing to do.

mod balloon;
mod clock;
mod pages;
mod random;
mod reserve;
mod seal;
mod sharing;
mod space;
mod spare;
mod tables;
mod test;

pub use balloon::{Lent, Moving};
pub use space::Space;
pub use test::run as machine_test;

use alloc::vec::Vec;
use clock::Clock;
use kernel_core::{
    Access, Change, Exit, FloatState, Machine, NoPage, PAGE, Platform, Registers as _, Used,
    balloon::{BalloonCounts, BalloonStep},
    memory::{Frames, Kind},
    registers,
};
use pages::Pages;
use pv_guest::{
    abi::{
        Features, Pfn, Port, VirtAddr,
        calls::console_write::Stream,
        start_info::StartInfo,
        trap::{FaultAccess, TrapHeader},
    },
    arch, calls, console, events,
    memory::Memory,
    physmap::Page,
    user,
};
use random::Random;
use spare::Spare;
use tables::Tables;

/// The machine.
#[derive(Debug)]
pub struct Paravirtual {
    memory: Memory,
    pages: Pages,
    tables: Tables,
    clock: Clock,
    random: Random,
    /// First address that no process can have.
    end: u64,
    floating_point: bool,
    /// What was typed and has not been read.
    typed: Vec<u8>,
    /// The balloon.
    moving: Moving,
    /// Whether pages share frames.
    sharing: bool,
    /// By what pages go to the hypervisor's spare memory and come back, if it keeps any.
    spare: Option<Spare>,
}

/// Bytes that are taken from the console at once, when the kernel only looks whether any wait.
const TYPED: usize = 256;

/// Hands the guest's memory to the kernel core: the machine, and its pages. The trap entry is
/// registered, and the heap is there. Events stay masked from here on.
pub fn boot(info: &StartInfo, mut memory: Memory) -> (Paravirtual, Frames) {
    events::mask();
    let keeps_pages = info.features.contains(Features::SPARE);
    let spare = keeps_pages.then(|| Spare::new(&mut memory)).flatten();
    let (pages, mut frames) = Pages::lend(&mut memory);
    let sharing = info.features.contains(Features::SHARING) && pages.share(&mut memory);
    let tables = Tables::new(&memory, sharing, &mut || frames.take(Kind::Table).ok());
    let machine = Paravirtual {
        memory,
        pages,
        tables,
        clock: Clock::new(info.ticks_per_second),
        random: Random::new(info.root.0 ^ u64::from(info.domain.0) << 48),
        end: info.guest_end,
        floating_point: info.features.contains(Features::FLOATING_POINT),
        typed: Vec::new(),
        moving: Moving::new(frames.count(Kind::Hole), info.command_line()),
        sharing,
        spare,
    };
    (machine, frames)
}

impl Paravirtual {
    /// Validated trees of tables that are kept for the next address spaces.
    pub fn kept_trees(&self) -> usize {
        self.tables.kept()
    }

    /// Hands one more page to the core.
    pub fn lend(&mut self, page: Page) -> Pfn {
        let page = self.pages.lend_one(page);
        if self.sharing {
            self.memory.let_move([page]);
            sharing::offer(page);
        }
        page
    }

    /// Why a process left the processor.
    fn exit(&mut self, trap: &TrapHeader, registers: &mut Registers) -> Exit {
        let exit = trap.cause.decode().map_or(Exit::Illegal, |cause| {
            let tried = FaultAccess::from_bits_retain(trap.code);
            registers::exit(cause, tried, trap.address)
        });
        match exit {
            Exit::Call => registers.step_over_call(),
            Exit::Interrupt => {
                self.clock.take_alarm();
                events::take(Port::BALLOON);
            }
            _ => {}
        }
        exit
    }

    /// Takes what was typed from the hypervisor; whether anything waits.
    fn poll_console(&mut self) -> bool {
        if self.typed.is_empty() {
            let mut bytes = [0; TYPED];
            let count = calls::console_read(&mut bytes).unwrap_or(0);
            self.typed.extend_from_slice(&bytes[..count]);
        }
        !self.typed.is_empty()
    }
}

/// The registers of a process, and which processor they are of.
#[cfg(target_arch = "riscv64")]
type Registers = registers::RiscvRegisters;
#[cfg(target_arch = "riscv64")]
const MACHINE: Machine = Machine::Riscv64;
#[cfg(target_arch = "x86_64")]
type Registers = registers::X86Registers;
#[cfg(target_arch = "x86_64")]
const MACHINE: Machine = Machine::X86_64;

impl Platform for Paravirtual {
    type Registers = Registers;
    type Space = Space;

    const MACHINE: Machine = MACHINE;

    fn read(&self, page: Pfn, offset: usize, to: &mut [u8]) {
        self.pages.read(page, offset, to);
    }

    fn write(&mut self, page: Pfn, offset: usize, from: &[u8]) {
        self.pages.write(page, offset, from);
    }

    fn copy(&mut self, from: Pfn, to: Pfn) {
        self.pages.copy(from, to);
    }

    fn clear(&mut self, page: Pfn) {
        self.pages.clear(page);
    }

    fn names_content(&self) -> bool {
        self.sharing
    }

    fn name_content(&mut self, page: Pfn, content: u64) {
        sharing::name(page, content);
    }

    fn spare_put(&mut self, number: u64, from: &[u8; PAGE]) -> bool {
        self.spare.as_mut().is_some_and(|spare| spare.put(number, from))
    }

    fn spare_get(&mut self, number: u64, to: &mut [u8; PAGE]) -> bool {
        self.spare.as_mut().is_some_and(|spare| spare.get(number, to))
    }

    fn new_space(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<Space, NoPage> {
        self.tables.new_space(&self.memory, take)
    }

    fn drop_space(&mut self, space: Space, give: &mut dyn FnMut(Pfn)) {
        self.tables.drop_space(&mut self.memory, space, give);
    }

    fn change(
        &mut self,
        space: &mut Space,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize> {
        self.tables.change(&mut self.memory, space, changes, take)
    }

    fn take_used(&mut self, space: &mut Space, page: VirtAddr) -> Used {
        self.tables.take_used(&mut self.memory, space, page)
    }

    /// Translations are flushed by every switch between the kernel's tables and a process's: no
    /// process runs on what it had before.
    fn flush(&mut self) {
        tables::must(self.memory.flush());
    }

    fn run(&mut self, space: &mut Space, registers: &mut Registers) -> Exit {
        let pc = registers.pc();
        if pc >= self.end {
            // The hypervisor returns to no such address.
            return Exit::Fault { address: pc, access: Access::Execute };
        }
        self.tables.seal(&mut self.memory, space);
        self.tables.synchronize_fetches();
        tables::must(self.memory.set_user_root(Some(space.root.frame)));
        loop {
            let trap = match user::run(&mut registers.0, self.memory.updates()) {
                Ok(trap) => trap,
                Err(refused) => panic!("the return to a process was refused: {refused}"),
            };
            let exit = self.exit(&trap, registers);
            match exit {
                Exit::Fault { address, access }
                    if self.tables.set_used(&mut self.memory, space, address, access) => {}
                exit => return exit,
            }
        }
    }

    fn save_float(&mut self, into: &mut FloatState) {
        if self.floating_point {
            arch::save_floating_point(&mut into.0);
        }
    }

    fn load_float(&mut self, from: &FloatState) {
        if self.floating_point {
            arch::load_floating_point(&from.0);
        }
    }

    fn clean_float(&self) -> FloatState {
        FloatState(arch::CLEAN_FLOATING_POINT)
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn set_alarm(&mut self, at: Option<u64>) {
        self.clock.set_alarm(at);
    }

    fn idle(&mut self) {
        tables::must(self.memory.flush());
        if !self.poll_console() {
            events::wait_any(&[Port::TIMER, Port::CONSOLE, Port::BALLOON]);
            self.clock.take_alarm();
            events::take(Port::BALLOON);
        }
    }

    fn console_write(&mut self, bytes: &[u8]) {
        console::write_bytes(Stream::Text, bytes);
    }

    fn console_read(&mut self, to: &mut [u8]) -> usize {
        if to.is_empty() || !self.poll_console() {
            return 0;
        }
        let count = to.len().min(self.typed.len());
        to[..count].copy_from_slice(&self.typed[..count]);
        self.typed.drain(..count);
        count
    }

    fn balloon(&mut self, frames: &mut Frames, counts: &BalloonCounts) -> BalloonStep {
        self.balloon_step(frames, counts)
    }

    fn balloon_refill(&mut self, frames: &mut Frames) -> u64 {
        self.balloon_back(frames)
    }

    fn balloon_shortage(&mut self, frames: &mut Frames) -> u64 {
        self.balloon_all_back(frames)
    }

    fn has_balloon(&mut self) -> bool {
        self.is_ballooned()
    }

    fn random(&mut self, to: &mut [u8]) {
        self.random.fill(to);
    }
}
