//! What a trap means.
#![allow(unsafe_code, reason = "registers that traps leave")]

use super::Registers;
use crate::arch::Trap;
use core::arch::asm;
use hypercall_abi::trap::{Cause, FaultAccess};

/// What a trap from user mode means; `None` for an interrupt, which is not the user's. Consumes what
/// the processor leaves in registers of its own.
#[inline(always)]
pub fn decode_trap(registers: &mut Registers) -> Option<Trap> {
    let (vector, error) = (registers.reserved_vector, registers.reserved_error);
    registers.reserved_error = 0;
    let (cause, code, address) = match vector {
        0 | 4 => (Cause::DivideError, 0, 0),
        1 => {
            clear_debug_status();
            (Cause::Debug, 0, 0)
        }
        3 => (Cause::Breakpoint, 0, 0),
        6 | 7 => (Cause::IllegalInstruction, 0, 0),
        5 | 10..=13 => (Cause::Protection, error, 0),
        14 => {
            let address = fault_address();
            (Cause::PageFault, fault_access(error, address).bits(), address)
        }
        16 | 19 => (Cause::FloatingPoint, 0, 0),
        17 => (Cause::Misaligned, 0, 0),
        9 | 15 | 20..=31 => (Cause::Protection, 0, 0),
        _ => return None,
    };
    Some(Trap { cause, code, address })
}

fn fault_access(error: u64, address: u64) -> FaultAccess {
    let mut access = match error {
        _ if error & 1 << 4 != 0 => FaultAccess::EXECUTE,
        _ if error & 1 << 1 != 0 => FaultAccess::WRITE,
        _ => FaultAccess::READ,
    };
    // What the image maps in its half is not user mode's to find out.
    if error & 1 != 0 || address >> 63 != 0 {
        access |= FaultAccess::PRESENT;
    }
    access
}

/// The address that the last page fault was at.
pub fn fault_address() -> u64 {
    let address;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    address
}

/// Forgets what the last debug exception was.
pub fn clear_debug_status() {
    // SAFETY: DR6 only reports.
    unsafe { asm!("mov dr6, {}", in(reg) 0u64, options(nomem, nostack)) };
}

/// The registers by name, in the order in which they are shown.
pub fn named_registers(r: &Registers) -> [(&'static str, u64); 20] {
    [
        ("rip", r.rip),
        ("rsp", r.rsp),
        ("rflags", r.rflags),
        ("rax", r.rax),
        ("rbx", r.rbx),
        ("rcx", r.rcx),
        ("rdx", r.rdx),
        ("rsi", r.rsi),
        ("rdi", r.rdi),
        ("rbp", r.rbp),
        ("r8", r.r8),
        ("r9", r.r9),
        ("r10", r.r10),
        ("r11", r.r11),
        ("r12", r.r12),
        ("r13", r.r13),
        ("r14", r.r14),
        ("r15", r.r15),
        ("fs base", r.fs_base),
        ("gs base", r.gs_base),
    ]
}
