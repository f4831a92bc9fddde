//! x86-64. Every handler finds the address of the vCPU page in `rax`; all registers are in the
//! trap frame.

use super::super::traps;
use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use hypercall_abi::{
    Number,
    registers::X86_64Registers,
    trap::{TrapHeader, X86_64TrapFrame},
    vcpu_page::{EVENTS_PENDING_OFFSET, PENDING_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

/// Offset of the program counter of the first trap frame in the vCPU page.
const PC: usize = TRAP_FRAMES_OFFSET + size_of::<TrapHeader>() + offset_of!(X86_64Registers, rip);
/// Offset of the address of its fault.
const FAULT: usize = TRAP_FRAMES_OFFSET + offset_of!(TrapHeader, address);

/// The time-stamp counter, which counts instructions under `-icount`.
#[inline(always)]
pub fn instructions() -> u64 {
    // SAFETY: reading the counter changes nothing, and the hypervisor permits it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Where the hypervisor enters for traps.
#[unsafe(naked)]
pub unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "mov rax, [rip + {page}]",
        "jmp [rip + {handler}]",
        page = sym traps::PAGE,
        handler = sym traps::HANDLER,
    )
}

/// Goes on behind a load of three bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn skip() {
    naked_asm!(
        "add qword ptr [rax + {pc}], 3",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        pc = const PC,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// As [`skip`], so many times.
#[unsafe(naked)]
pub unsafe extern "C" fn count_skip() {
    naked_asm!(
        "dec qword ptr [rip + {left}]",
        "jz {leave}",
        "add qword ptr [rax + {pc}], 3",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        left = sym traps::LEFT,
        leave = sym leave_process,
        pc = const PC,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Returns from a system call, so many times.
#[unsafe(naked)]
pub unsafe extern "C" fn count_system_call() {
    naked_asm!(
        "dec qword ptr [rip + {left}]",
        "jz {leave}",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        left = sym traps::LEFT,
        leave = sym leave_process,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Returns from a fault with an update that maps the page, so many times.
#[unsafe(naked)]
pub unsafe extern "C" fn count_map() {
    naked_asm!(
        "dec qword ptr [rip + {left}]",
        "jz {leave}",
        "mov rcx, [rax + {fault}]",
        "and rcx, -4096",
        "or rcx, 2",
        "mov rdx, [rip + {arguments}]",
        "mov [rdx], rcx",
        "mov rcx, [rip + {leaf}]",
        "mov [rdx + 8], rcx",
        "mov edi, 1",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        left = sym traps::LEFT,
        leave = sym leave_process,
        fault = const FAULT,
        arguments = sym traps::ARGUMENTS,
        leaf = sym traps::LEAF,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Takes events of the lowest ports.
#[unsafe(naked)]
pub unsafe extern "C" fn take_event() {
    naked_asm!(
        "xor ecx, ecx",
        // An exchange: what was pending when the summary was set is seen behind it.
        "xchg [rax + {events}], rcx",
        "xor ecx, ecx",
        "xchg [rax + {pending}], rcx",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        events = const EVENTS_PENDING_OFFSET,
        pending = const PENDING_OFFSET,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// A load whose fault [`skip`] handles.
#[inline(always)]
pub fn load_faulting(address: u64) {
    // SAFETY: nothing is mapped there; the load changes `rax` alone, or nothing.
    unsafe { asm!("mov rax, [rdi]", in("rdi") address, out("rax") _, options(nostack, readonly)) }
}

#[unsafe(naked)]
unsafe extern "C" fn enter() {
    naked_asm!(
        pv_guest::push_preserved!(),
        "mov [rip + {stack}], rsp",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "ud2",
        stack = sym traps::STACK,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Goes back to where the process was entered.
#[unsafe(naked)]
unsafe extern "C" fn leave_process() {
    naked_asm!(
        "mov qword ptr [rax + {depth}], 0",
        "mov rsp, [rip + {stack}]",
        pv_guest::pop_preserved!(),
        "ret",
        stack = sym traps::STACK,
        depth = const TRAP_DEPTH_OFFSET,
    )
}

/// Goes to the process in the trap frame, until it has trapped often enough.
pub fn enter_process() {
    // SAFETY: the topmost trap frame is a process; it is left with the kernel's registers as
    // a function's caller expects them.
    unsafe { enter() }
}

/// Bytes of a trap frame, and the registers of the process by their offsets in it.
pub fn process(code: u64, data: u64) -> (usize, [(usize, u64); 2]) {
    let offset = |register| size_of::<TrapHeader>() + register;
    let registers = [
        (offset(offset_of!(X86_64Registers, rip)), code),
        (offset(offset_of!(X86_64Registers, rdi)), data),
    ];
    (size_of::<X86_64TrapFrame>(), registers)
}

/// `syscall; jmp` back.
pub const SYSTEM_CALLS: &[u32] = &[0xfceb_050f];

/// `mov rax, [rdi]; add rdi, 4096; jmp` back.
pub const FAULTS: &[u32] = &[0x4807_8b48, 0x1000_c781, 0xf4eb_0000];
