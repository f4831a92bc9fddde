//! riscv64: [`RiscvRegisters`].
//!
//! RISC-V calling convention; Linux's `struct user_regs_struct`, with which its
//! `struct sigcontext` begins.

use crate::Registers;
use alloc::vec::Vec;
use hypercall_abi::registers::Riscv64Registers;
use zerocopy::FromZeros;

/// The registers of a process on riscv64. After a system call the program counter is behind the
/// `ecall`: processor and hypervisor leave it at the instruction, and the platform moves it on.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct RiscvRegisters(pub Riscv64Registers);

/// Bytes of `ecall`.
const CALL_BYTES: u64 = 4;
/// Words of `struct sigcontext` from its beginning that are registers: pc, then x1 to x31.
const SIGNAL_WORDS: usize = 32;

impl RiscvRegisters {
    /// Goes on behind the `ecall`, at which the trap left it.
    pub fn step_over_call(&mut self) {
        self.0.pc = self.0.pc.wrapping_add(CALL_BYTES);
    }
}

impl Registers for RiscvRegisters {
    fn start(entry: u64, stack: u64) -> Self {
        RiscvRegisters(Riscv64Registers { pc: entry, sp: stack, ..Riscv64Registers::new_zeroed() })
    }

    #[inline]
    fn call(&self) -> u64 {
        self.0.a7
    }

    #[inline]
    fn args(&self) -> [u64; 6] {
        let r = &self.0;
        [r.a0, r.a1, r.a2, r.a3, r.a4, r.a5]
    }

    #[inline]
    fn answer(&mut self, value: i64) {
        self.0.a0 = value as u64;
    }

    /// The first argument is still in a0: a call that is made again has not been answered.
    fn again(&mut self) {
        self.0.pc = self.0.pc.wrapping_sub(CALL_BYTES);
    }

    fn pc(&self) -> u64 {
        self.0.pc
    }

    fn set_pc(&mut self, pc: u64) {
        self.0.pc = pc;
    }

    fn sp(&self) -> u64 {
        self.0.sp
    }

    fn set_sp(&mut self, sp: u64) {
        self.0.sp = sp;
    }

    fn set_thread_base(&mut self, base: u64) {
        self.0.tp = base;
    }

    fn enter_handler(&mut self, handler: u64, args: [u64; 3], return_to: u64) {
        let r = &mut self.0;
        [r.a0, r.a1, r.a2] = args;
        r.ra = return_to;
        r.pc = handler;
    }

    /// 32 words: pc, then x1 to x31.
    fn signal_words(&self) -> Vec<u64> {
        let mut words: [u64; SIGNAL_WORDS] = zerocopy::transmute!(self.0);
        words.rotate_right(1);
        words.to_vec()
    }

    /// All of them are the process's own.
    fn set_signal_words(&mut self, words: &[u64]) {
        let Some(words) = words.first_chunk::<SIGNAL_WORDS>() else { return };
        let mut words = *words;
        words.rotate_left(1);
        self.0 = zerocopy::transmute!(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> RiscvRegisters {
        let words: [u64; 32] = core::array::from_fn(|index| 100 + index as u64);
        RiscvRegisters(zerocopy::transmute!(words))
    }

    #[test]
    fn a_call_is_read_answered_and_made_again() {
        let mut registers = RiscvRegisters::start(0x1_0000, 0x3fff_0000);
        registers.0.a7 = 172;
        [registers.0.a0, registers.0.a1, registers.0.a2] = [1, 2, 3];
        [registers.0.a3, registers.0.a4, registers.0.a5] = [4, 5, 6];
        let at_call = registers.clone();
        registers.step_over_call();
        assert_eq!((registers.call(), registers.args()), (172, [1, 2, 3, 4, 5, 6]));
        let mut answered = registers.clone();
        answered.answer(-11);
        assert_eq!((answered.0.a0, answered.pc()), (-11i64 as u64, 0x1_0004));
        registers.again();
        assert_eq!(registers, at_call);
    }

    #[test]
    fn a_signal_frame_brings_everything_back() {
        let before = numbered();
        let mut after = RiscvRegisters::start(0, 0);
        after.set_signal_words(&before.signal_words());
        assert_eq!(after, before);
        after.set_signal_words(&[0; 31]);
        assert_eq!(after, before);
    }

    #[test]
    fn the_order_is_that_of_sigcontext() {
        let mut registers = RiscvRegisters::start(0x1111, 0x2222);
        (registers.0.ra, registers.0.a0, registers.0.t6) = (1, 10, 31);
        let words = registers.signal_words();
        assert_eq!([words[0], words[1], words[2]], [0x1111, 1, 0x2222]);
        assert_eq!((words[10], words[31]), (10, 31));
    }

    #[test]
    fn a_handler_begins_like_a_function() {
        let mut registers = numbered();
        let sp = registers.sp();
        registers.enter_handler(0x3000, [10, 11, 12], 0x4000);
        assert_eq!((registers.pc(), registers.sp(), registers.0.ra), (0x3000, sp, 0x4000));
        assert_eq!([registers.0.a0, registers.0.a1, registers.0.a2], [10, 11, 12]);
    }
}
