//! riscv64.

use super::{super::touch, Accessed};
use core::arch::naked_asm;
use hypercall_abi::{
    Number,
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
