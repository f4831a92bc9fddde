//! What differs between processors, as data: the page-table format and the registers.

use crate::format::{Format, Sv39, Sv48, Toy};
use hypercall_abi::calls::Args;
use hypercall_abi::registers::{Riscv64Registers, X86_64Registers};
use hypercall_abi::{Error, Status};
use zerocopy::FromZeros;

/// A processor: its page-table format and its registers.
pub trait Platform: Clone + PartialEq + Eq + core::hash::Hash + core::fmt::Debug {
    /// Its page-table format.
    type Format: Format;
    /// Its registers.
    type Registers: Registers;
}

/// The registers of a vCPU, as words that a trap frame holds.
pub trait Registers:
    Clone + PartialEq + Eq + core::hash::Hash + core::fmt::Debug + Default
{
    /// Words of eight bytes.
    const WORDS: usize;

    /// The words, as they lie in a trap frame.
    fn words(&self) -> &[u64];

    /// The words, to be filled from a trap frame.
    fn words_mut(&mut self) -> &mut [u64];

    /// Clears what the entry code left in the fields that the interface reserves.
    fn hide_reserved(&mut self);

    /// The call number.
    fn number(&self) -> u64;

    /// The arguments of a call.
    fn args(&self) -> Args;

    /// Returns from a call.
    fn set_result(&mut self, status: Status, value: u64);

    /// What a call came back with.
    fn result(&self) -> (Status, u64);

    /// Number and arguments, as a guest fills them in.
    #[cfg(any(test, feature = "model"))]
    fn set_call(&mut self, number: u64, args: &Args);

    /// The program counter, as a test wants it.
    #[cfg(any(test, feature = "model"))]
    fn set_pc(&mut self, pc: u64);

    /// The program counter.
    fn pc(&self) -> u64;

    /// The stack pointer.
    fn sp(&self) -> u64;

    /// Puts the program counter behind the instruction that made a call.
    fn step_over_call(&mut self);

    /// Goes to the guest kernel's trap entry: as a trap of the processor would, without the
    /// flags that change how instructions behave.
    fn enter_handler(&mut self, pc: u64, sp: u64);

    /// Makes values that came from the guest safe to load: privileged flags are forced.
    ///
    /// # Errors
    /// [`Error::BadTrapFrame`] when some register cannot be loaded at all.
    fn sanitise(&mut self) -> Result<(), Error>;

    /// The registers of a guest that starts: program counter, stack, one argument.
    fn start(pc: u64, sp: u64, argument: u64) -> Self;
}

/// x86-64.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct X86_64;

/// riscv64 with three levels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Riscv64Sv39;

/// riscv64 with four levels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Riscv64Sv48;

/// Toy page tables, for model checking.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ToyPlatform;

impl Platform for X86_64 {
    type Format = crate::format::X86_64;
    type Registers = X86_64Registers;
}

impl Platform for Riscv64Sv39 {
    type Format = Sv39;
    type Registers = Riscv64Registers;
}

impl Platform for Riscv64Sv48 {
    type Format = Sv48;
    type Registers = Riscv64Registers;
}

impl Platform for ToyPlatform {
    type Format = Toy;
    type Registers = Riscv64Registers;
}

/// Flags that a guest may set: CF, PF, AF, ZF, SF, TF, DF, OF, AC, ID.
const RFLAGS_GUEST: u64 = 0x0024_0dd5;
/// Flags that are always set for a guest: the reserved bit 1, and IF, so that interrupts
/// reach the hypervisor.
const RFLAGS_FORCED: u64 = 0x202;

/// Flags that are clear in a trap entry: TF, or the entry would be single-stepped into itself;
/// DF and AC, which compiled code expects to be clear.
const RFLAGS_OFF_IN_HANDLER: u64 = 0x0004_0500;

impl Registers for X86_64Registers {
    const WORDS: usize = 24;

    #[inline(always)]
    fn words(&self) -> &[u64] {
        let words: &[u64; 24] = zerocopy::transmute_ref!(self);
        words
    }

    #[inline(always)]
    fn words_mut(&mut self) -> &mut [u64] {
        let words: &mut [u64; 24] = zerocopy::transmute_mut!(self);
        words
    }

    #[inline(always)]
    fn hide_reserved(&mut self) {
        self.reserved_vector = 0;
        self.reserved_error = 0;
        self.cs = 0;
        self.ss = 0;
    }

    #[inline(always)]
    fn enter_handler(&mut self, pc: u64, sp: u64) {
        self.rip = pc;
        self.rsp = sp;
        self.rflags &= !RFLAGS_OFF_IN_HANDLER;
    }

    #[inline(always)]
    fn number(&self) -> u64 {
        self.rax
    }

    #[inline(always)]
    fn args(&self) -> Args {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    #[inline(always)]
    fn set_result(&mut self, status: Status, value: u64) {
        self.rax = status.0;
        self.rdx = value;
    }

    fn result(&self) -> (Status, u64) {
        (Status(self.rax), self.rdx)
    }

    #[cfg(any(test, feature = "model"))]
    fn set_call(&mut self, number: u64, args: &Args) {
        self.rax = number;
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9] = *args;
    }

    #[cfg(any(test, feature = "model"))]
    fn set_pc(&mut self, pc: u64) {
        self.rip = pc;
    }

    #[inline(always)]
    fn pc(&self) -> u64 {
        self.rip
    }

    #[inline(always)]
    fn sp(&self) -> u64 {
        self.rsp
    }

    #[inline(always)]
    fn step_over_call(&mut self) {}

    #[inline(always)]
    fn sanitise(&mut self) -> Result<(), Error> {
        // Loading a base that is not canonical faults in the hypervisor.
        let canonical = |base: u64| (base as i64) << 16 >> 16 == base as i64;
        if !canonical(self.fs_base) || !canonical(self.gs_base) {
            return Err(Error::BadTrapFrame);
        }
        self.rflags = self.rflags & RFLAGS_GUEST | RFLAGS_FORCED;
        self.hide_reserved();
        Ok(())
    }

    fn start(pc: u64, sp: u64, argument: u64) -> Self {
        X86_64Registers {
            rip: pc,
            rsp: sp,
            rdi: argument,
            rflags: RFLAGS_FORCED,
            ..X86_64Registers::new_zeroed()
        }
    }
}

impl Registers for Riscv64Registers {
    const WORDS: usize = 32;

    #[inline(always)]
    fn words(&self) -> &[u64] {
        let words: &[u64; 32] = zerocopy::transmute_ref!(self);
        words
    }

    #[inline(always)]
    fn words_mut(&mut self) -> &mut [u64] {
        let words: &mut [u64; 32] = zerocopy::transmute_mut!(self);
        words
    }

    #[inline(always)]
    fn hide_reserved(&mut self) {}

    #[inline(always)]
    fn enter_handler(&mut self, pc: u64, sp: u64) {
        self.pc = pc;
        self.sp = sp;
    }

    #[inline(always)]
    fn number(&self) -> u64 {
        self.a7
    }

    #[inline(always)]
    fn args(&self) -> Args {
        [self.a0, self.a1, self.a2, self.a3, self.a4, self.a5]
    }

    #[inline(always)]
    fn set_result(&mut self, status: Status, value: u64) {
        self.a0 = status.0;
        self.a1 = value;
    }

    fn result(&self) -> (Status, u64) {
        (Status(self.a0), self.a1)
    }

    #[cfg(any(test, feature = "model"))]
    fn set_call(&mut self, number: u64, args: &Args) {
        self.a7 = number;
        [self.a0, self.a1, self.a2, self.a3, self.a4, self.a5] = *args;
    }

    #[cfg(any(test, feature = "model"))]
    fn set_pc(&mut self, pc: u64) {
        self.pc = pc;
    }

    #[inline(always)]
    fn pc(&self) -> u64 {
        self.pc
    }

    #[inline(always)]
    fn sp(&self) -> u64 {
        self.sp
    }

    #[inline(always)]
    fn step_over_call(&mut self) {
        // `ecall` has no compressed form.
        self.pc = self.pc.wrapping_add(4);
    }

    #[inline(always)]
    fn sanitise(&mut self) -> Result<(), Error> {
        // The processor ignores bit 0 of sepc on return; what is recorded must agree.
        self.pc &= !1;
        Ok(())
    }

    fn start(pc: u64, sp: u64, argument: u64) -> Self {
        Riscv64Registers { pc, sp, a0: argument, ..Riscv64Registers::new_zeroed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clauses: X86.7
    /// Advisories: XSA-44 XSA-202
    #[test]
    fn a_guest_cannot_raise_its_privilege_through_flags() {
        let mut registers = X86_64Registers { rflags: u64::MAX, ..Default::default() };
        registers.sanitise().unwrap();
        // IOPL (12, 13), NT (14), RF (16), VM (17), VIF (19), VIP (20) are gone.
        assert_eq!(registers.rflags & 0x001b_7000, 0);
        assert_eq!(registers.rflags & 0x200, 0x200);
        registers.rflags = 0;
        registers.sanitise().unwrap();
        assert_eq!(registers.rflags, RFLAGS_FORCED);
    }

    /// Clauses: TRAP.5
    /// Advisories: XSA-204
    #[test]
    fn a_trap_entry_is_not_single_stepped() {
        let mut registers = X86_64Registers { rflags: 0x4_0702, ..Default::default() };
        registers.enter_handler(1, 2);
        assert_eq!((registers.rip, registers.rsp, registers.rflags), (1, 2, 0x202));
    }

    /// Advisories: XSA-193
    #[test]
    fn a_base_that_is_not_canonical_is_refused() {
        for base in [0x8000_0000_0000, 0xffff_7fff_ffff_ffff] {
            let mut registers = X86_64Registers { gs_base: base, ..Default::default() };
            assert_eq!(registers.sanitise(), Err(Error::BadTrapFrame));
        }
    }

    #[test]
    fn reserved_fields_neither_reach_the_guest_nor_come_from_it() {
        let foul = X86_64Registers {
            reserved_vector: 1,
            reserved_error: 2,
            cs: 3,
            ss: 4,
            ..Default::default()
        };
        let mut registers = foul;
        registers.hide_reserved();
        assert!(registers.words().iter().all(|word| *word == 0));
        let mut registers = foul;
        registers.sanitise().unwrap();
        assert_eq!(registers.words().iter().filter(|word| **word != 0).count(), 1);
    }

    #[test]
    fn words_lie_as_the_interface_says() {
        let mut registers = Riscv64Registers { ra: 1, t6: 31, pc: 0x1000, ..Default::default() };
        assert_eq!((registers.words()[0], registers.words()[31]), (1, 0x1000));
        registers.words_mut()[1] = 7;
        assert_eq!(registers.sp, 7);
    }
}
