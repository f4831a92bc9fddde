//! x86-64.

use super::{super::hostile, Returned, SAVED, STACK, STACK_BYTES};
use crate::guest::random;
use core::arch::naked_asm;
use hypercall_abi::calls::Args;

pub const WORDS: usize = 24;
pub const PC: usize = 19;

const FLAGS: usize = 21;
/// TF: a step would be taken before the call, and the call never made.
const SINGLE_STEP: u64 = 1 << 8;

#[unsafe(naked)]
pub unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "lea rsp, [rip + {stack} + {bytes}]",
        "cld",
        "xor ebp, ebp",
        "call {trapped}",
        "ud2",
        stack = sym STACK,
        bytes = const STACK_BYTES,
        trapped = sym hostile::trapped,
    )
}

#[unsafe(naked)]
pub unsafe extern "C" fn landing() {
    naked_asm!(
        "lea rsp, [rip + {stack} + {bytes}]",
        "push 2",
        "popfq",
        "xor ebp, ebp",
        "call {go_on}",
        "ud2",
        stack = sym STACK,
        bytes = const STACK_BYTES,
        go_on = sym hostile::go_on,
    )
}

pub fn set_call(words: &mut [u64; WORDS], number: u64, args: &Args) {
    words[16] = number;
    for (place, value) in [11, 12, 13, 7, 8, 9].into_iter().zip(args) {
        words[place] = *value;
    }
    words[FLAGS] &= !SINGLE_STEP;
}

/// Makes a call with all registers, and the flags, as given.
///
/// # Safety
/// As the call demands.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(words: &[u64; WORDS]) -> Returned {
    naked_asm!(
        pv_guest::push_preserved!(),
        "mov [rip + {saved}], rsp",
        "mov r15, [rdi + 16]",
        "mov r14, [rdi + 24]",
        "mov r13, [rdi + 32]",
        "mov r12, [rdi + 40]",
        "mov r10, [rdi + 56]",
        "mov r9, [rdi + 64]",
        "mov r8, [rdi + 72]",
        "mov rbp, [rdi + 80]",
        "mov rsi, [rdi + 96]",
        "mov rdx, [rdi + 104]",
        "mov rbx, [rdi + 120]",
        "mov rax, [rdi + 128]",
        "mov rcx, [rdi + 88]",
        "mov r11, [rdi + 176]",
        "push qword ptr [rdi + 168]",
        "popfq",
        "mov rsp, r11",
        "mov rdi, rcx",
        "syscall",
        "mov rsp, [rip + {saved}]",
        "push 2",
        "popfq",
        pv_guest::pop_preserved!(),
        "ret",
        saved = sym SAVED,
    )
}

/// Any bytes are instructions, most of them good ones.
pub fn code_word() -> u64 {
    random::next()
}

/// The processor sees by itself what was written.
pub fn code_written() {}
