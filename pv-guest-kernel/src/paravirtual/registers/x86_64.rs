//! x86-64: System V ABI, appendix A.2; `arch/x86/include/uapi/asm/sigcontext.h` of Linux.

use super::Registers;
use alloc::{vec, vec::Vec};
use kernel_core::Machine;

pub const MACHINE: Machine = Machine::X86_64;

/// Every processor with this architecture sets them itself.
pub const USED_BITS_BY_KERNEL: bool = false;

/// Bytes of `syscall`.
const CALL_BYTES: u64 = 2;

/// Flags that a signal frame sets: CF, PF, AF, ZF, SF, TF, DF, OF, AC.
const FLAGS_OF_PROCESS: u64 = 0x4_0dd5;
/// Flags that are clear when a signal handler begins: TF and DF.
const FLAGS_OFF_IN_HANDLER: u64 = 0x500;
/// Flags that are always set: the reserved bit 1, and IF.
const FLAGS_ALWAYS: u64 = 0x202;

/// What a signal frame says of the segments: `cs` and `ss` of a process under Linux.
const SEGMENTS: u64 = 0x33 | 0x2b << 48;

/// Words of `struct sigcontext` up to and with the segments.
const SIGNAL_WORDS: usize = 19;

/// The canonical address with the lower 48 bits of one.
fn canonical(address: u64) -> u64 {
    ((address as i64) << 16 >> 16) as u64
}

impl Registers {
    /// A system call was made: the program counter is behind it already.
    pub fn step_over_call(&mut self) {}
}

impl kernel_core::Registers for Registers {
    fn start(entry: u64, stack: u64) -> Registers {
        let mut registers = Registers::new(entry, stack);
        registers.frame.registers.rflags = FLAGS_ALWAYS;
        registers
    }

    fn call(&self) -> u64 {
        self.frame.registers.rax
    }

    fn args(&self) -> [u64; 6] {
        let r = &self.frame.registers;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    fn answer(&mut self, value: i64) {
        self.frame.registers.rax = value as u64;
    }

    /// The number is still in `rax`: only an answer overwrites it.
    fn again(&mut self) {
        let r = &mut self.frame.registers;
        r.rip = r.rip.wrapping_sub(CALL_BYTES);
    }

    fn pc(&self) -> u64 {
        self.frame.registers.rip
    }

    fn set_pc(&mut self, pc: u64) {
        self.frame.registers.rip = pc;
    }

    fn sp(&self) -> u64 {
        self.frame.registers.rsp
    }

    fn set_sp(&mut self, sp: u64) {
        self.frame.registers.rsp = sp;
    }

    fn set_thread_base(&mut self, base: u64) {
        self.frame.registers.fs_base = canonical(base);
    }

    /// The return address of a handler is the first word of its signal frame, at the stack
    /// pointer: the kernel writes it there.
    fn enter_handler(&mut self, handler: u64, args: [u64; 3], _return_to: u64) {
        let r = &mut self.frame.registers;
        [r.rdi, r.rsi, r.rdx] = args;
        // For a handler that takes any number of arguments: none is a float.
        r.rax = 0;
        r.rflags &= !FLAGS_OFF_IN_HANDLER;
        r.rip = handler;
    }

    fn signal_words(&self) -> Vec<u64> {
        let r = &self.frame.registers;
        vec![
            r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx,
            r.rdx, r.rax, r.rcx, r.rsp, r.rip, r.rflags, SEGMENTS,
        ]
    }

    fn set_signal_words(&mut self, words: &[u64]) {
        let Some(words) = words.first_chunk::<SIGNAL_WORDS>() else { return };
        let r = &mut self.frame.registers;
        let flags;
        [
            r.r8,
            r.r9,
            r.r10,
            r.r11,
            r.r12,
            r.r13,
            r.r14,
            r.r15,
            r.rdi,
            r.rsi,
            r.rbp,
            r.rbx,
            r.rdx,
            r.rax,
            r.rcx,
            r.rsp,
            r.rip,
            flags,
            _,
        ] = *words;
        r.rflags = flags & FLAGS_OF_PROCESS | FLAGS_ALWAYS;
    }
}
