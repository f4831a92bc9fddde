//! x86-64.

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
        "cld",
        "xor ebp, ebp",
        "mov rax, [rip + {page}]",
        "mov rcx, [rax + {depth}]",
        "imul rcx, rcx, {size}",
        "lea rdi, [rax + rcx + {frames} - {size}]",
        "call {trap}",
        "mov rdi, rax",
        "mov eax, {trap_return}",
        "syscall",
        "mov rdi, rax",
        "mov rsi, rdx",
        "call {refused}",
        "ud2",
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
    naked_asm!("mov rax, [rdi]", "xor edx, edx", "ret")
}

/// Stores a word.
#[unsafe(naked)]
pub unsafe extern "C" fn write(address: u64, value: u64) -> Accessed {
    naked_asm!("mov [rdi], rsi", "xor eax, eax", "xor edx, edx", "ret")
}

/// Calls code.
#[unsafe(naked)]
pub unsafe extern "C" fn execute(address: u64) -> Accessed {
    naked_asm!("call rdi", "xor eax, eax", "xor edx, edx", "ret")
}

/// Returns from an access as failed.
#[unsafe(naked)]
unsafe extern "C" fn failed() -> Accessed {
    naked_asm!("xor eax, eax", "mov edx, 1", "ret")
}

/// Makes a faulting access go on where it reports failure.
pub fn give_up(frame: &mut TrapFrame) {
    if frame.registers.rip == frame.header.address {
        // The call has pushed where it would have returned to.
        frame.registers.rsp += 8;
    }
    frame.registers.rip = failed as *const () as u64;
}
