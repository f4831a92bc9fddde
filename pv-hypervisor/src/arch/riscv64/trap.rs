//! What a trap means.
#![allow(unsafe_code, reason = "control registers, and the way to a guest")]

use super::Registers;
use super::csr::read;
use crate::arch::Entered;
use crate::context::Context;
use crate::fatal;
use core::arch::asm;
use hypercall_abi::trap::{Cause, FaultAccess};
use pv_core::Trap;

core::arch::global_asm!(include_str!("trap.s"));

unsafe extern "C" {
    fn trap_entry();
}

/// scause: an interrupt.
const INTERRUPT: u64 = 1 << 63;

/// Address of the entry, for stvec: one entry for everything.
pub fn entry() -> u64 {
    let entry: unsafe extern "C" fn() = trap_entry;
    entry as usize as u64
}

/// Why the guest was left.
pub fn decode_trap(_registers: &mut Registers) -> Entered {
    let (reason, value) = (read!("scause"), read!("stval"));
    let (cause, code, address) = match reason {
        0 | 4 | 6 => (Cause::Misaligned, FaultAccess::empty(), value),
        1 | 5 | 7 => (Cause::AccessFault, FaultAccess::empty(), value),
        3 => (Cause::Breakpoint, FaultAccess::empty(), 0),
        12 => (Cause::PageFault, FaultAccess::EXECUTE, value),
        13 => (Cause::PageFault, FaultAccess::READ, value),
        15 => (Cause::PageFault, FaultAccess::WRITE, value),
        _ if reason & INTERRUPT != 0 => return Entered::Interrupt,
        _ => (Cause::IllegalInstruction, FaultAccess::empty(), 0),
    };
    Entered::Trap(Trap { cause, code: code.bits(), address })
}

/// A trap while the hypervisor runs, called by `trap.s`.
#[unsafe(no_mangle)]
extern "C" fn on_hypervisor_trap(registers: &Registers) -> ! {
    fatal::trap(
        format_args!("trap {:#x}, value {:#x},", read!("scause"), read!("stval")),
        registers,
    )
}

/// Goes to a vCPU, leaving the hypervisor's stack as it is for good.
///
/// # Safety
/// The context has been prepared, and its page tables are loaded.
pub unsafe fn enter_guest(context: *mut Context) -> ! {
    // SAFETY: the registers are those of a guest, as the caller promises.
    unsafe { asm!("j resume", in("a0") context, options(noreturn)) }
}

/// The registers by name, in the order in which they are shown.
pub fn named_registers(r: &Registers) -> [(&'static str, u64); 32] {
    [
        ("pc", r.pc),
        ("ra", r.ra),
        ("sp", r.sp),
        ("gp", r.gp),
        ("tp", r.tp),
        ("t0", r.t0),
        ("t1", r.t1),
        ("t2", r.t2),
        ("s0", r.s0),
        ("s1", r.s1),
        ("a0", r.a0),
        ("a1", r.a1),
        ("a2", r.a2),
        ("a3", r.a3),
        ("a4", r.a4),
        ("a5", r.a5),
        ("a6", r.a6),
        ("a7", r.a7),
        ("s2", r.s2),
        ("s3", r.s3),
        ("s4", r.s4),
        ("s5", r.s5),
        ("s6", r.s6),
        ("s7", r.s7),
        ("s8", r.s8),
        ("s9", r.s9),
        ("s10", r.s10),
        ("s11", r.s11),
        ("t3", r.t3),
        ("t4", r.t4),
        ("t5", r.t5),
        ("t6", r.t6),
    ]
}
