//! The kernel's view of this machine: [`Native`].
#![allow(unsafe_code, reason = "floating-point registers are loaded from bytes")]

use crate::arch::{self, Left, Processor};
use crate::clock::Clock;
use crate::console::Typed;
use crate::pages::Pages;
use crate::random::Random;
use crate::space::{Space, Spaces};
use bare_machine::arch::FloatingPoint;
use hypercall_abi::trap::{Cause, FaultAccess};
use kernel_core::{
    Access, Change, Exit, FLOAT_BYTES, FloatState, Machine, NoPage, Pfn, Platform, Registers, Used,
    VirtAddr, registers,
};

/// The bare machine.
#[derive(Debug)]
pub struct Native {
    pages: Pages,
    spaces: Spaces,
    processor: Processor,
    clock: Clock,
    typed: Typed,
    random: Random,
}

impl Native {
    /// The machine, with these pages and a clock that ticks so often.
    pub fn new(pages: Pages, ticks_per_second: u64) -> Native {
        Native {
            pages,
            spaces: Spaces::new(pages),
            processor: Processor::new(),
            clock: Clock::new(ticks_per_second),
            typed: Typed::default(),
            random: Random::new(),
        }
    }

    /// Where pages lie.
    pub fn pages(&self) -> Pages {
        self.pages
    }
}

/// The processor's area lies in the kernel's, at its beginning.
const _: () = assert!(
    size_of::<FloatingPoint>() <= FLOAT_BYTES
        && align_of::<FloatingPoint>() <= align_of::<FloatState>()
);

impl Platform for Native {
    type Registers = arch::Registers;
    type Space = Space;

    const MACHINE: Machine = arch::MACHINE;

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

    fn new_space(&mut self, take: &mut dyn FnMut() -> Option<Pfn>) -> Result<Space, NoPage> {
        self.spaces.create(take)
    }

    fn drop_space(&mut self, space: Space, give: &mut dyn FnMut(Pfn)) {
        self.spaces.destroy(space, give);
    }

    fn change(
        &mut self,
        space: &mut Space,
        changes: &[Change],
        take: &mut dyn FnMut() -> Option<Pfn>,
    ) -> Result<(), usize> {
        self.spaces.change(space, changes, take)
    }

    fn take_used(&mut self, space: &mut Space, page: VirtAddr) -> Used {
        self.spaces.take_used(space, page)
    }

    fn flush(&mut self) {
        self.spaces.flush();
    }

    fn run(&mut self, space: &mut Space, registers: &mut arch::Registers) -> Exit {
        if self.spaces.enter(space) {
            self.processor.other_process();
        }
        loop {
            if !arch::can_go_on(registers) {
                return Exit::Fault { address: registers.pc(), access: Access::Execute };
            }
            self.clock.arm();
            match self.processor.run(registers) {
                Left::Call => return Exit::Call,
                Left::Trap(trap) => {
                    let tried = FaultAccess::from_bits_retain(trap.code);
                    let exit = registers::exit(trap.cause, tried, trap.address);
                    if let (Cause::PageFault, Exit::Fault { address, access }) = (trap.cause, exit)
                        && self.spaces.resolve(space, address, access)
                    {
                        continue;
                    }
                    return exit;
                }
                Left::Interrupt => {
                    self.clock.interrupted();
                    if self.clock.take_alarm() || self.typed.is_some() {
                        return Exit::Interrupt;
                    }
                }
            }
        }
    }

    fn save_float(&mut self, into: &mut FloatState) {
        // SAFETY: large and aligned enough, and any bytes are a value of either.
        unsafe { (*into.0.as_mut_ptr().cast::<FloatingPoint>()).save() };
    }

    fn load_float(&mut self, from: &FloatState) {
        // A process can have written it, in a signal frame.
        if let Some(sanitised) = arch::sanitised_float(from) {
            return self.load_float(&sanitised);
        }
        // SAFETY: as `save_float`; and the processor takes it.
        unsafe { (*from.0.as_ptr().cast::<FloatingPoint>()).load() };
    }

    fn clean_float(&self) -> FloatState {
        let mut state = FloatState([0; FLOAT_BYTES]);
        // SAFETY: as `save_float`.
        unsafe { state.0.as_mut_ptr().cast::<FloatingPoint>().write(FloatingPoint::clean()) };
        state
    }

    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn set_alarm(&mut self, at: Option<u64>) {
        self.clock.set_alarm(at);
    }

    fn idle(&mut self) {
        while !self.typed.is_some() && !self.clock.take_alarm() {
            self.clock.arm();
            bare_machine::arch::wait_for_interrupt();
            self.clock.interrupted();
        }
    }

    fn console_write(&mut self, bytes: &[u8]) {
        bare_machine::arch::serial_write(bytes);
    }

    fn console_read(&mut self, to: &mut [u8]) -> usize {
        self.typed.read(to)
    }

    fn random(&mut self, to: &mut [u8]) {
        self.random.fill(to);
    }
}
