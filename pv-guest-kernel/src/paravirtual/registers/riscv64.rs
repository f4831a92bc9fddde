//! riscv64: RISC-V Linux user ABI; `arch/riscv/include/uapi/asm/ptrace.h` of Linux.

use super::Registers;
use alloc::{vec, vec::Vec};
use kernel_core::Machine;

pub const MACHINE: Machine = Machine::Riscv64;

/// A processor may fault instead: RISC-V Privileged Architecture, 12.3.1.
pub const USED_BITS_BY_KERNEL: bool = true;

/// Bytes of `ecall`.
const CALL_BYTES: u64 = 4;

/// Words of `struct user_regs_struct`, with which `struct sigcontext` begins.
const SIGNAL_WORDS: usize = 32;

impl Registers {
    /// A system call was made: the program counter is that of the `ecall`.
    pub fn step_over_call(&mut self) {
        self.frame.registers.pc = self.frame.registers.pc.wrapping_add(CALL_BYTES);
    }
}

impl kernel_core::Registers for Registers {
    fn start(entry: u64, stack: u64) -> Registers {
        Registers::new(entry, stack)
    }

    fn call(&self) -> u64 {
        self.frame.registers.a7
    }

    fn args(&self) -> [u64; 6] {
        let r = &self.frame.registers;
        [r.a0, r.a1, r.a2, r.a3, r.a4, r.a5]
    }

    fn answer(&mut self, value: i64) {
        self.frame.registers.a0 = value as u64;
    }

    /// The first argument is still in `a0`: only an answer overwrites it.
    fn again(&mut self) {
        let r = &mut self.frame.registers;
        r.pc = r.pc.wrapping_sub(CALL_BYTES);
    }

    fn pc(&self) -> u64 {
        self.frame.registers.pc
    }

    fn set_pc(&mut self, pc: u64) {
        self.frame.registers.pc = pc;
    }

    fn sp(&self) -> u64 {
        self.frame.registers.sp
    }

    fn set_sp(&mut self, sp: u64) {
        self.frame.registers.sp = sp;
    }

    fn set_thread_base(&mut self, base: u64) {
        self.frame.registers.tp = base;
    }

    fn enter_handler(&mut self, handler: u64, args: [u64; 3], return_to: u64) {
        let r = &mut self.frame.registers;
        [r.a0, r.a1, r.a2] = args;
        r.ra = return_to;
        r.pc = handler;
    }

    fn signal_words(&self) -> Vec<u64> {
        let r = &self.frame.registers;
        vec![
            r.pc, r.ra, r.sp, r.gp, r.tp, r.t0, r.t1, r.t2, r.s0, r.s1, r.a0, r.a1, r.a2, r.a3,
            r.a4, r.a5, r.a6, r.a7, r.s2, r.s3, r.s4, r.s5, r.s6, r.s7, r.s8, r.s9, r.s10, r.s11,
            r.t3, r.t4, r.t5, r.t6,
        ]
    }

    fn set_signal_words(&mut self, words: &[u64]) {
        let Some(words) = words.first_chunk::<SIGNAL_WORDS>() else { return };
        let r = &mut self.frame.registers;
        [
            r.pc, r.ra, r.sp, r.gp, r.tp, r.t0, r.t1, r.t2, r.s0, r.s1, r.a0, r.a1, r.a2, r.a3,
            r.a4, r.a5, r.a6, r.a7, r.s2, r.s3, r.s4, r.s5, r.s6, r.s7, r.s8, r.s9, r.s10, r.s11,
            r.t3, r.t4, r.t5, r.t6,
        ] = *words;
    }
}
