//! What a trap means.
#![allow(unsafe_code, reason = "control registers")]

use super::Registers;
use super::csr::read;
use crate::arch::Trap;
use hypercall_abi::trap::{Cause, FaultAccess};

/// scause: an interrupt.
const INTERRUPT: u64 = 1 << 63;

/// What the processor says of the last trap: scause and stval.
pub fn reason() -> (u64, u64) {
    (read!("scause"), read!("stval"))
}

/// What a trap from user mode means, other than a call; `None` for an interrupt, which is not the
/// user's.
#[inline(always)]
pub fn decode_trap(_registers: &mut Registers) -> Option<Trap> {
    let (reason, value) = reason();
    let (cause, code, address) = match reason {
        0 | 4 | 6 => (Cause::Misaligned, FaultAccess::empty(), value),
        1 | 5 | 7 => (Cause::AccessFault, FaultAccess::empty(), value),
        3 => (Cause::Breakpoint, FaultAccess::empty(), 0),
        12 => (Cause::PageFault, FaultAccess::EXECUTE, value),
        13 => (Cause::PageFault, FaultAccess::READ, value),
        15 => (Cause::PageFault, FaultAccess::WRITE, value),
        _ if reason & INTERRUPT != 0 => return None,
        _ => (Cause::IllegalInstruction, FaultAccess::empty(), 0),
    };
    Some(Trap { cause, code: code.bits(), address })
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
