//! riscv64.

use super::{super::hostile, Returned, SAVED, STACK, STACK_BYTES};
use crate::guest::random;
use core::arch::{asm, naked_asm};
use hypercall_abi::calls::Args;

pub const WORDS: usize = 32;
pub const PC: usize = 31;

#[unsafe(naked)]
pub unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "la sp, {stack}",
        "li t0, {bytes}",
        "add sp, sp, t0",
        "mv s0, zero",
        "call {trapped}",
        "unimp",
        stack = sym STACK,
        bytes = const STACK_BYTES,
        trapped = sym hostile::trapped,
    )
}

#[unsafe(naked)]
pub unsafe extern "C" fn landing() {
    naked_asm!(
        "la sp, {stack}",
        "li t0, {bytes}",
        "add sp, sp, t0",
        "mv s0, zero",
        "call {go_on}",
        "unimp",
        stack = sym STACK,
        bytes = const STACK_BYTES,
        go_on = sym hostile::go_on,
    )
}

pub fn set_call(words: &mut [u64; WORDS], number: u64, args: &Args) {
    words[16] = number;
    for (place, value) in (9..15).zip(args) {
        words[place] = *value;
    }
}

/// Makes a call with all registers as given.
///
/// # Safety
/// As the call demands.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(words: &[u64; WORDS]) -> Returned {
    naked_asm!(
        pv_guest::push_preserved!(),
        "la t0, {saved}",
        "sd sp, 0(t0)",
        "ld ra, 0(a0)",
        "ld sp, 8(a0)",
        "ld gp, 16(a0)",
        "ld tp, 24(a0)",
        "ld t0, 32(a0)",
        "ld t1, 40(a0)",
        "ld t2, 48(a0)",
        "ld s0, 56(a0)",
        "ld s1, 64(a0)",
        "ld a1, 80(a0)",
        "ld a2, 88(a0)",
        "ld a3, 96(a0)",
        "ld a4, 104(a0)",
        "ld a5, 112(a0)",
        "ld a6, 120(a0)",
        "ld a7, 128(a0)",
        "ld s2, 136(a0)",
        "ld s3, 144(a0)",
        "ld s4, 152(a0)",
        "ld s5, 160(a0)",
        "ld s6, 168(a0)",
        "ld s7, 176(a0)",
        "ld s8, 184(a0)",
        "ld s9, 192(a0)",
        "ld s10, 200(a0)",
        "ld s11, 208(a0)",
        "ld t3, 216(a0)",
        "ld t4, 224(a0)",
        "ld t5, 232(a0)",
        "ld t6, 240(a0)",
        "ld a0, 72(a0)",
        "ecall",
        "la t0, {saved}",
        "ld sp, 0(t0)",
        pv_guest::pop_preserved!(),
        "ret",
        saved = sym SAVED,
    )
}

/// Opcodes of the base instructions, of floating point, atomics and the system.
const OPCODES: [u64; 20] = [
    0x03, 0x07, 0x0f, 0x13, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x33, 0x37, 0x3b, 0x43, 0x53,
    0x63, 0x67, 0x6f, 0x73,
];

/// Two instructions: as a rule with an opcode that there is, as most numbers are no
/// instruction.
pub fn code_word() -> u64 {
    let instruction = || {
        let random = random::next() & 0xffff_ffff;
        if random::one_in(8) { random } else { random & !0x7f | random::one_of(&OPCODES) }
    };
    instruction() << 32 | instruction()
}

/// Has the processor fetch what was written.
pub fn code_written() {
    // SAFETY: it changes nothing.
    unsafe { asm!("fence.i", options(nostack)) }
}
