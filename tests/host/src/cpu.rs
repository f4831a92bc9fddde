//! What the runner needs to know of a processor's registers.

use hypercall_abi::{
    Status,
    calls::Args,
    registers::{Riscv64Registers, X86_64Registers},
};
use pv_core::{Platform, Riscv64Sv39, Riscv64Sv48, X86_64};

/// A platform whose registers the runner can fill as a guest does.
pub trait Cpu: Platform<Format: Clone> {
    /// Its name in the names of tests.
    const NAME: &'static str;

    /// The registers of a guest that is about to make a call.
    fn set_call(registers: &mut Self::Registers, number: u64, args: &Args);

    /// What a call came back with.
    fn result(registers: &Self::Registers) -> (Status, u64);

    /// Sets the program counter.
    fn set_pc(registers: &mut Self::Registers, pc: u64);
}

fn x86_call(registers: &mut X86_64Registers, number: u64, args: &Args) {
    registers.rax = number;
    [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9] =
        *args;
}

fn riscv_call(registers: &mut Riscv64Registers, number: u64, args: &Args) {
    registers.a7 = number;
    [registers.a0, registers.a1, registers.a2, registers.a3, registers.a4, registers.a5] = *args;
}

impl Cpu for X86_64 {
    const NAME: &'static str = "x86_64";

    fn set_call(registers: &mut Self::Registers, number: u64, args: &Args) {
        x86_call(registers, number, args);
    }

    fn result(registers: &Self::Registers) -> (Status, u64) {
        (Status(registers.rax), registers.rdx)
    }

    fn set_pc(registers: &mut Self::Registers, pc: u64) {
        registers.rip = pc;
    }
}

impl Cpu for Riscv64Sv39 {
    const NAME: &'static str = "sv39";

    fn set_call(registers: &mut Self::Registers, number: u64, args: &Args) {
        riscv_call(registers, number, args);
    }

    fn result(registers: &Self::Registers) -> (Status, u64) {
        (Status(registers.a0), registers.a1)
    }

    fn set_pc(registers: &mut Self::Registers, pc: u64) {
        registers.pc = pc;
    }
}

impl Cpu for Riscv64Sv48 {
    const NAME: &'static str = "sv48";

    fn set_call(registers: &mut Self::Registers, number: u64, args: &Args) {
        riscv_call(registers, number, args);
    }

    fn result(registers: &Self::Registers) -> (Status, u64) {
        (Status(registers.a0), registers.a1)
    }

    fn set_pc(registers: &mut Self::Registers, pc: u64) {
        registers.pc = pc;
    }
}
