//! riscv64. Every handler finds the address of the vCPU page in `t0`; all registers are in the
//! trap frame.

use super::super::traps;
use core::arch::{asm, naked_asm};
use core::mem::offset_of;
use hypercall_abi::{
    Number,
    registers::Riscv64Registers,
    trap::{Riscv64TrapFrame, TrapHeader},
    vcpu_page::{EVENTS_PENDING_OFFSET, PENDING_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

/// Offset of the program counter of the first trap frame in the vCPU page.
const PC: usize = TRAP_FRAMES_OFFSET + size_of::<TrapHeader>() + offset_of!(Riscv64Registers, pc);
/// Offset of the address of its fault.
const FAULT: usize = TRAP_FRAMES_OFFSET + offset_of!(TrapHeader, address);

/// The counter of instructions.
#[inline(always)]
pub fn instructions() -> u64 {
    let count: u64;
    // SAFETY: reading the counter changes nothing, and the hypervisor permits it.
    unsafe { asm!("rdinstret {}", out(reg) count, options(nomem, nostack)) };
    count
}

/// Where the hypervisor enters for traps.
#[unsafe(naked)]
pub unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "la t0, {page}",
        "ld t0, 0(t0)",
        "la t1, {handler}",
        "ld t1, 0(t1)",
        "jr t1",
        page = sym traps::PAGE,
        handler = sym traps::HANDLER,
    )
}

/// Goes on behind an instruction of four bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn skip() {
    naked_asm!(
        "ld t1, {pc}(t0)",
        "addi t1, t1, 4",
        "sd t1, {pc}(t0)",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "unimp",
        pc = const PC,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// As [`skip`], so many times.
#[unsafe(naked)]
pub unsafe extern "C" fn count_skip() {
    naked_asm!(
        "la t1, {left}",
        "ld t2, 0(t1)",
        "addi t2, t2, -1",
        "sd t2, 0(t1)",
        "beqz t2, 1f",
        "ld t1, {pc}(t0)",
        "addi t1, t1, 4",
        "sd t1, {pc}(t0)",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "unimp",
        "1: tail {leave}",
        left = sym traps::LEFT,
        leave = sym leave_process,
        pc = const PC,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Returns from a system call, so many times: behind the instruction, whose address the frame
/// holds.
#[unsafe(naked)]
pub unsafe extern "C" fn count_system_call() {
    naked_asm!("tail {skip}", skip = sym count_skip)
}

/// Returns from a fault with an update that maps the page, so many times.
#[unsafe(naked)]
pub unsafe extern "C" fn count_map() {
    naked_asm!(
        "la t1, {left}",
        "ld t2, 0(t1)",
        "addi t2, t2, -1",
        "sd t2, 0(t1)",
        "beqz t2, 1f",
        "ld t1, {fault}(t0)",
        "srli t1, t1, 12",
        "slli t1, t1, 12",
        "ori t1, t1, 2",
        "la t2, {arguments}",
        "ld t2, 0(t2)",
        "sd t1, 0(t2)",
        "la t1, {leaf}",
        "ld t1, 0(t1)",
        "sd t1, 8(t2)",
        "li a0, 1",
        "li a7, {trap_return}",
        "ecall",
        "unimp",
        "1: tail {leave}",
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
        "addi t1, t0, {events}",
        // Naked functions are assembled without the target's extensions.
        ".option push",
        ".option arch, +a",
        // An exchange: what was pending when the summary was set is seen behind it.
        "amoswap.d.aqrl t2, zero, (t1)",
        "addi t1, t0, {pending}",
        "amoswap.d.aqrl t2, zero, (t1)",
        ".option pop",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "unimp",
        events = const EVENTS_PENDING_OFFSET,
        pending = const PENDING_OFFSET,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// A load whose fault [`skip`] handles.
#[inline(always)]
pub fn load_faulting(address: u64) {
    // SAFETY: nothing is mapped there; the load changes `t2` alone, or nothing. It must have
    // four bytes.
    unsafe {
        asm!(
            ".option push",
            ".option norvc",
            "ld t2, 0({0})",
            ".option pop",
            in(reg) address,
            out("t2") _,
            options(nostack, readonly),
        );
    }
}

#[unsafe(naked)]
unsafe extern "C" fn enter() {
    naked_asm!(
        pv_guest::push_preserved!(),
        "la t0, {stack}",
        "sd sp, 0(t0)",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "unimp",
        stack = sym traps::STACK,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Goes back to where the process was entered.
#[unsafe(naked)]
unsafe extern "C" fn leave_process() {
    naked_asm!(
        "sd zero, {depth}(t0)",
        "la t0, {stack}",
        "ld sp, 0(t0)",
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
pub fn process(code: u64, data: u64) -> (usize, [(usize, u64); 3]) {
    let offset = |register| size_of::<TrapHeader>() + register;
    let registers = [
        (offset(offset_of!(Riscv64Registers, pc)), code),
        (offset(offset_of!(Riscv64Registers, a1)), data),
        (offset(offset_of!(Riscv64Registers, a2)), 4096),
    ];
    (size_of::<Riscv64TrapFrame>(), registers)
}

/// `ecall; j` back.
pub const SYSTEM_CALLS: &[u32] = &[0x0000_0073, 0xffdf_f06f];

/// `ld a0, 0(a1); add a1, a1, a2; j` back.
pub const FAULTS: &[u32] = &[0x0005_b503, 0x00c5_85b3, 0xff9f_f06f];
