//! The instruction that makes a call. Feature `stubs`.
//!
//! The typed wrappers of `pv-guest` stand on this; a kernel that wants nothing else can use
//! it as it is.
#![allow(unsafe_code, reason = "a call is one instruction, which only assembly can say")]

use crate::{
    Status,
    calls::{Args, Call},
};

/// Makes a call: status and value.
///
/// # Safety
/// The hypervisor changes what the call says it changes: page tables, hence what the
/// caller's addresses mean; frames that go away; registers, in the case of `trap_return`.
/// The caller answers for its own references into such memory.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn hypercall(number: u64, args: &Args) -> (Status, u64) {
    let status: u64;
    let value: u64;
    // SAFETY: `syscall` enters the hypervisor, which returns here with the registers as
    // listed; what the call itself does to memory is the caller's to answer for.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => status,
            in("rdi") args[0],
            in("rsi") args[1],
            inlateout("rdx") args[2] => value,
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    (Status(status), value)
}

/// Makes a call: status and value.
///
/// # Safety
/// The hypervisor changes what the call says it changes: page tables, hence what the
/// caller's addresses mean; frames that go away; registers, in the case of `trap_return`.
/// The caller answers for its own references into such memory.
#[cfg(target_arch = "riscv64")]
#[inline(always)]
pub unsafe fn hypercall(number: u64, args: &Args) -> (Status, u64) {
    let status: u64;
    let value: u64;
    // SAFETY: `ecall` enters the hypervisor, which returns here with the registers as
    // listed; what the call itself does to memory is the caller's to answer for.
    unsafe {
        core::arch::asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") args[0] => status,
            inlateout("a1") args[1] => value,
            in("a2") args[2],
            in("a3") args[3],
            in("a4") args[4],
            in("a5") args[5],
            options(nostack),
        );
    }
    (Status(status), value)
}

/// Makes a typed call.
///
/// # Safety
/// As [`hypercall`].
#[inline(always)]
pub unsafe fn call<C: Call>(call: &C) -> (Status, u64) {
    // SAFETY: the same contract.
    unsafe { hypercall(C::NUMBER as u64, &call.encode()) }
}
