//! riscv64.

use super::{
    super::{run, stack::Stack, touch},
    Accessed,
};
use conformance::FourRegisters;
use core::arch::naked_asm;
use hypercall_abi::{
    Number,
    registers::Riscv64Registers,
    trap::TrapFrame,
    vcpu_page::{TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

/// Where the hypervisor enters for traps; every register is in the topmost trap frame.
#[unsafe(naked)]
pub unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "mv s0, zero",
        "la t0, {page}",
        "ld t0, 0(t0)",
        "ld t1, {depth}(t0)",
        "addi t1, t1, -1",
        "li t2, {size}",
        // Naked functions are assembled without the target's extensions.
        ".option push",
        ".option arch, +m",
        "mul t1, t1, t2",
        ".option pop",
        "add a0, t0, t1",
        "addi a0, a0, {frames}",
        "call {trap}",
        "li a7, {trap_return}",
        "ecall",
        "call {refused}",
        "unimp",
        page = sym touch::VCPU_PAGE,
        depth = const TRAP_DEPTH_OFFSET,
        size = const size_of::<TrapFrame>(),
        frames = const TRAP_FRAMES_OFFSET,
        trap = sym touch::trap,
        trap_return = const Number::TrapReturn as u64,
        refused = sym touch::refused,
    )
}

/// Loads a word.
#[unsafe(naked)]
pub unsafe extern "C" fn read(address: u64) -> Accessed {
    naked_asm!("ld a0, 0(a0)", "li a1, 0", "ret")
}

/// Stores a word.
#[unsafe(naked)]
pub unsafe extern "C" fn write(address: u64, value: u64) -> Accessed {
    naked_asm!("sd a1, 0(a0)", "li a0, 0", "li a1, 0", "ret")
}

/// Calls code.
#[unsafe(naked)]
pub unsafe extern "C" fn execute(address: u64) -> Accessed {
    naked_asm!(
        // What a test wrote just before must be fetched.
        "fence.i",
        "addi sp, sp, -16",
        "sd ra, 0(sp)",
        "jalr a0",
        "ld ra, 0(sp)",
        "addi sp, sp, 16",
        "li a0, 0",
        "li a1, 0",
        "ret",
    )
}

/// Returns from a load or a store as failed.
#[unsafe(naked)]
unsafe extern "C" fn failed() -> Accessed {
    naked_asm!("li a0, 0", "li a1, 1", "ret")
}

/// Returns from [`execute`] as failed.
#[unsafe(naked)]
unsafe extern "C" fn execute_failed() -> Accessed {
    naked_asm!("ld ra, 0(sp)", "addi sp, sp, 16", "li a0, 0", "li a1, 1", "ret")
}

/// Makes a faulting access go on where it reports failure.
pub fn give_up(frame: &mut TrapFrame) {
    let go_on = if frame.registers.pc == frame.header.address {
        execute_failed as *const ()
    } else {
        failed as *const ()
    };
    frame.registers.pc = go_on as u64;
}

/// The stack pointer of code that can return: a multiple of 16. Where it returns to is in its link
/// register, too.
pub fn returning_stack(stack: &Stack) -> u64 {
    stack.push(returned as *const () as u64) & !15
}

/// The registers that machine code of a test starts with.
pub fn start(pc: u64, [value, second, stack, third]: FourRegisters) -> Riscv64Registers {
    Riscv64Registers {
        pc,
        sp: stack,
        ra: returned as *const () as u64,
        a0: value,
        a1: second,
        a2: third,
        ..Riscv64Registers::default()
    }
}

/// Returns to the topmost trap frame; comes back when that code has ended.
#[unsafe(naked)]
pub unsafe extern "C" fn go() -> Accessed {
    naked_asm!(
        pv_guest::push_preserved!(),
        "la t0, {stack}",
        "sd sp, 0(t0)",
        // What a test wrote just before must be fetched.
        "fence.i",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "call {refused}",
        "unimp",
        stack = sym run::RETURN_STACK,
        trap_return = const Number::TrapReturn as u64,
        refused = sym touch::refused,
    )
}

/// Where code of the kernel returns to.
#[unsafe(naked)]
pub unsafe extern "C" fn returned() -> Accessed {
    naked_asm!("li a1, 0", "j {back}", back = sym back)
}

/// Where code that trapped goes on.
#[unsafe(naked)]
unsafe extern "C" fn trapped() -> Accessed {
    naked_asm!("li a1, 1", "j {back}", back = sym back)
}

/// Back to who called [`go`].
#[unsafe(naked)]
unsafe extern "C" fn back() -> Accessed {
    naked_asm!(
        "la t0, {stack}",
        "ld sp, 0(t0)",
        pv_guest::pop_preserved!(),
        "ret",
        stack = sym run::RETURN_STACK,
    )
}

/// Makes the frame of code that trapped go on in [`go`]; its registers and its place.
pub fn leave(frame: &mut TrapFrame) -> (FourRegisters, u64) {
    let registers = &mut frame.registers;
    let ended = [registers.a0, registers.a1, registers.sp, registers.a2];
    let pc = registers.pc;
    registers.pc = trapped as *const () as u64;
    (ended, pc)
}
