//! x86-64.

use super::{
    super::{run, stack::Stack, touch},
    Accessed,
};
use conformance::FourRegisters;
use core::arch::naked_asm;
use hypercall_abi::{
    Number,
    registers::X86_64Registers,
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

/// The stack pointer of code that can return: where it returns to is on the stack.
pub fn returning_stack(stack: &Stack) -> u64 {
    stack.push(returned as *const () as u64)
}

/// The registers that machine code of a test starts with.
pub fn start(pc: u64, [value, second, stack, flags]: FourRegisters) -> X86_64Registers {
    X86_64Registers {
        rip: pc,
        rsp: stack,
        rax: value,
        rdi: value,
        rdx: second,
        rflags: flags,
        ..X86_64Registers::default()
    }
}

/// Returns to the topmost trap frame; comes back when that code has ended.
#[unsafe(naked)]
pub unsafe extern "C" fn go() -> Accessed {
    naked_asm!(
        pv_guest::push_preserved!(),
        "mov [rip + {stack}], rsp",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "mov rdi, rax",
        "mov rsi, rdx",
        "call {refused}",
        "ud2",
        stack = sym run::RETURN_STACK,
        trap_return = const Number::TrapReturn as u64,
        refused = sym touch::refused,
    )
}

/// Where code of the kernel returns to.
#[unsafe(naked)]
pub unsafe extern "C" fn returned() -> Accessed {
    naked_asm!(
        "xor edx, edx",
        "jmp {back}",
        back = sym back,
    )
}

/// Where code that trapped goes on.
#[unsafe(naked)]
unsafe extern "C" fn trapped() -> Accessed {
    naked_asm!(
        "mov edx, 1",
        "jmp {back}",
        back = sym back,
    )
}

/// Back to who called [`go`].
#[unsafe(naked)]
unsafe extern "C" fn back() -> Accessed {
    naked_asm!(
        "mov rsp, [rip + {stack}]",
        pv_guest::pop_preserved!(),
        "ret",
        stack = sym run::RETURN_STACK,
    )
}

/// Makes the frame of code that trapped go on in [`go`]; its registers and its place.
pub fn leave(frame: &mut TrapFrame) -> (FourRegisters, u64) {
    let registers = &mut frame.registers;
    let ended = [registers.rax, registers.rdx, registers.rsp, registers.rflags];
    let pc = registers.rip;
    registers.rip = trapped as *const () as u64;
    registers.rflags = 0;
    // Code may have set bases that no return takes, where the processor let it.
    (registers.fs_base, registers.gs_base) = (0, 0);
    (ended, pc)
}
