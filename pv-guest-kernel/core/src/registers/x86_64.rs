//! x86-64: [`X86Registers`].
//!
//! System V ABI, AMD64 supplement, A.2 (system calls) and 3.2 (functions); Linux's
//! `struct sigcontext`.

use crate::Registers;
use alloc::vec::Vec;
use hypercall_abi::registers::X86_64Registers;
use zerocopy::FromZeros;

/// The registers of a process on x86-64. After a system call the instruction pointer is behind the
/// `syscall`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct X86Registers(pub X86_64Registers);

/// Bytes of `syscall`.
const CALL_BYTES: u64 = 2;
/// Flags that a process may have as it likes: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC, ID.
const OWN_FLAGS: u64 = 0x0025_0dd5;
/// Flags that it always has: the one that is always set, and interrupts.
const FIXED_FLAGS: u64 = 0x202;
/// Trap, direction and resume flag, which a signal handler begins without.
const CLEAR_IN_HANDLER: u64 = 0x0001_0500;
/// Selectors as a process has them: CS, GS, FS, SS, 16 bits each from the lowest on. What they
/// are under the kernel is not the process's to know.
const SELECTORS: u64 = 0x33 | 0x2b << 48;
/// Words of `struct sigcontext` from its beginning that are registers.
const SIGNAL_WORDS: usize = 19;

impl X86Registers {
    /// The trap left it behind the `syscall` already.
    pub fn step_over_call(&mut self) {}

    /// The flags that a process may have, made of those that it wants.
    pub fn sanitised_flags(flags: u64) -> u64 {
        flags & OWN_FLAGS | FIXED_FLAGS
    }
}

impl Registers for X86Registers {
    fn start(entry: u64, stack: u64) -> Self {
        X86Registers(X86_64Registers {
            rip: entry,
            rsp: stack,
            rflags: FIXED_FLAGS,
            ..X86_64Registers::new_zeroed()
        })
    }

    #[inline]
    fn call(&self) -> u64 {
        self.0.rax
    }

    #[inline]
    fn args(&self) -> [u64; 6] {
        let r = &self.0;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    #[inline]
    fn answer(&mut self, value: i64) {
        self.0.rax = value as u64;
    }

    /// The number is still in rax: a call that is made again has not been answered.
    fn again(&mut self) {
        self.0.rip = self.0.rip.wrapping_sub(CALL_BYTES);
    }

    fn pc(&self) -> u64 {
        self.0.rip
    }

    fn set_pc(&mut self, pc: u64) {
        self.0.rip = pc;
    }

    fn sp(&self) -> u64 {
        self.0.rsp
    }

    fn set_sp(&mut self, sp: u64) {
        self.0.rsp = sp;
    }

    /// An address that is not canonical is none: loading it would fault in the kernel.
    fn set_thread_base(&mut self, base: u64) {
        if (base as i64) << 16 >> 16 == base as i64 {
            self.0.fs_base = base;
        }
    }

    /// The handler finds where it returns to at the stack pointer, where the caller has put it.
    fn enter_handler(&mut self, handler: u64, args: [u64; 3], _return_to: u64) {
        let r = &mut self.0;
        [r.rdi, r.rsi, r.rdx] = args;
        // The number of vector registers with arguments, for a function without a prototype.
        r.rax = 0;
        r.rflags &= !CLEAR_IN_HANDLER;
        r.rip = handler;
    }

    /// 19 words: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags, and the selectors
    /// in one.
    fn signal_words(&self) -> Vec<u64> {
        let r = &self.0;
        let words: [u64; SIGNAL_WORDS] = [
            r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx,
            r.rdx, r.rax, r.rcx, r.rsp, r.rip, r.rflags, SELECTORS,
        ];
        words.to_vec()
    }

    /// Flags are sanitised, selectors and bases stay as they are.
    fn set_signal_words(&mut self, words: &[u64]) {
        let Some(words) = words.first_chunk::<SIGNAL_WORDS>() else { return };
        let r = &mut self.0;
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
            r.rflags,
            _,
        ] = *words;
        r.rflags = X86Registers::sanitised_flags(r.rflags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> X86Registers {
        let words: [u64; 24] = core::array::from_fn(|index| 100 + index as u64);
        X86Registers(zerocopy::transmute!(words))
    }

    #[test]
    fn a_call_is_read_answered_and_made_again() {
        let mut registers = X86Registers::start(0x40_1000, 0x7fff_0000);
        registers.0.rax = 39;
        [registers.0.rdi, registers.0.rsi, registers.0.rdx] = [1, 2, 3];
        [registers.0.r10, registers.0.r8, registers.0.r9] = [4, 5, 6];
        let at_call = registers.clone();
        registers.0.rip += 2;
        assert_eq!((registers.call(), registers.args()), (39, [1, 2, 3, 4, 5, 6]));
        let mut answered = registers.clone();
        answered.answer(-11);
        assert_eq!((answered.0.rax, answered.pc()), (-11i64 as u64, 0x40_1002));
        registers.again();
        assert_eq!(registers, at_call);
    }

    #[test]
    fn a_signal_frame_brings_everything_back_but_what_is_the_kernels() {
        let before = numbered();
        let words = before.signal_words();
        let mut after = X86Registers::start(0, 0);
        after.0.fs_base = 7;
        after.set_signal_words(&words);
        assert_eq!(after.signal_words()[..17], words[..17]);
        assert_eq!(after.0.fs_base, 7);
        assert_eq!(after.0.cs, 0);
    }

    #[test]
    fn flags_of_a_signal_frame_are_sanitised() {
        let mut registers = numbered();
        let mut words = registers.signal_words();
        words[17] = u64::MAX;
        registers.set_signal_words(&words);
        // No I/O privilege, no nested task, no virtual-8086 mode, and interrupts stay on.
        assert_eq!(registers.0.rflags, 0x0025_0fd7);
        words[17] = 0;
        registers.set_signal_words(&words);
        assert_eq!(registers.0.rflags, 0x202);
    }

    #[test]
    fn the_order_is_that_of_sigcontext() {
        let mut registers = X86Registers::start(0x1111, 0x2222);
        registers.0.r8 = 8;
        registers.0.rdi = 9;
        let words = registers.signal_words();
        assert_eq!((words[0], words[8], words[15], words[16]), (8, 9, 0x2222, 0x1111));
        assert_eq!((words[17], words[18]), (0x202, 0x002b_0000_0000_0033));
    }

    #[test]
    fn a_short_signal_frame_changes_nothing() {
        let mut registers = numbered();
        let before = registers.clone();
        registers.set_signal_words(&[0; 18]);
        assert_eq!(registers, before);
    }

    #[test]
    fn a_handler_begins_like_a_function() {
        let mut registers = X86Registers::start(0x1000, 0x2000);
        registers.0.rflags = 0x202 | 0x0005_0500;
        registers.enter_handler(0x3000, [10, 11, 12], 0x4000);
        assert_eq!((registers.pc(), registers.sp()), (0x3000, 0x2000));
        assert_eq!([registers.0.rdi, registers.0.rsi, registers.0.rdx], [10, 11, 12]);
        // AC is the process's own.
        assert_eq!(registers.0.rflags, 0x202 | 0x0004_0000);
    }

    #[test]
    fn a_thread_base_that_is_not_canonical_is_not_taken() {
        let mut registers = X86Registers::start(0, 0);
        registers.set_thread_base(0x7fff_ffff_f000);
        registers.set_thread_base(0x8000_0000_0000);
        assert_eq!(registers.0.fs_base, 0x7fff_ffff_f000);
    }
}
