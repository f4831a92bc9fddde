//! Registers of the model's processor: [`ModelRegisters`].

use crate::Registers;
use alloc::vec::Vec;

/// The number of a system call, and its result.
pub const CALL: usize = 0;
/// The first argument of a system call or of a signal handler; the others follow.
pub const ARGUMENT: usize = 1;
/// Base of thread-local storage.
pub const THREAD: usize = 12;
/// Where a function, or a signal handler, returns to.
pub const LINK: usize = 13;
/// The stack pointer.
pub const STACK: usize = 15;

/// Sixteen registers and a program counter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ModelRegisters {
    /// The registers.
    pub r: [u64; 16],
    /// The program counter.
    pub pc: u64,
}

/// Bytes of an instruction.
pub(super) const INSTRUCTION: u64 = 16;

impl Registers for ModelRegisters {
    fn start(entry: u64, stack: u64) -> Self {
        let mut registers = ModelRegisters { pc: entry, ..ModelRegisters::default() };
        registers.r[STACK] = stack;
        registers
    }

    fn call(&self) -> u64 {
        self.r[CALL]
    }

    fn args(&self) -> [u64; 6] {
        core::array::from_fn(|index| self.r[ARGUMENT + index])
    }

    fn answer(&mut self, value: i64) {
        self.r[CALL] = value as u64;
    }

    fn again(&mut self) {
        self.pc = self.pc.wrapping_sub(INSTRUCTION);
    }

    fn pc(&self) -> u64 {
        self.pc
    }

    fn set_pc(&mut self, pc: u64) {
        self.pc = pc;
    }

    fn sp(&self) -> u64 {
        self.r[STACK]
    }

    fn set_sp(&mut self, sp: u64) {
        self.r[STACK] = sp;
    }

    fn set_thread_base(&mut self, base: u64) {
        self.r[THREAD] = base;
    }

    fn enter_handler(&mut self, handler: u64, args: [u64; 3], return_to: u64) {
        self.r[ARGUMENT..ARGUMENT + 3].copy_from_slice(&args);
        self.r[LINK] = return_to;
        self.pc = handler;
    }

    fn signal_words(&self) -> Vec<u64> {
        self.r.iter().copied().chain([self.pc]).collect()
    }

    fn set_signal_words(&mut self, words: &[u64]) {
        if let [r @ .., pc] = words
            && r.len() == self.r.len()
        {
            self.r.copy_from_slice(r);
            self.pc = *pc;
        }
    }
}
