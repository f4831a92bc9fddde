//! 64-bit RISC-V.
#![allow(unsafe_code, reason = "the system call is an instruction")]

use core::arch::{asm, global_asm};

global_asm!(
    ".globl _start",
    "_start:",
    "mv a0, sp",
    "andi sp, sp, -16",
    "mv s0, zero",
    "call {start}",
    "unimp",
    start = sym crate::start::begin,
);

/// An address of user space that nothing else of a program is near to.
pub const SPARE_ADDRESS: usize = 0x10_0000_0000;

/// Makes a system call: what the kernel returns, errors as negative numbers.
///
/// # Safety
/// What the call does to memory must be what the program allows.
pub unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the kernel changes no registers but this one; the caller answers for memory.
    unsafe {
        asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") a as isize => result,
            in("a1") b, in("a2") c, in("a3") d, in("a4") e, in("a5") f,
        );
    }
    result
}

/// The counter of instructions, which any process may read.
pub fn counter() -> u64 {
    let count;
    // SAFETY: it only reads.
    unsafe { asm!("rdinstret {}", out(reg) count, options(nomem, nostack)) };
    count
}

/// What `rt_sigaction` takes: here the kernel brings the code that returns from a handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Action {
    /// The handler's address, 0 for the default, 1 to ignore.
    pub handler: usize,
    flags: usize,
    mask: u64,
}

impl Action {
    /// An action.
    pub fn new(handler: usize, flags: usize, mask: u64) -> Action {
        Action { handler, flags, mask }
    }
}

super::numbers! {
    DUP3 = 24,
    FCNTL = 25,
    UNLINKAT = 35,
    OPENAT = 56,
    CLOSE = 57,
    PIPE2 = 59,
    LSEEK = 62,
    READ = 63,
    WRITE = 64,
    EXIT_GROUP = 94,
    NANOSLEEP = 101,
    SETITIMER = 103,
    SCHED_YIELD = 124,
    KILL = 129,
    RT_SIGSUSPEND = 133,
    RT_SIGACTION = 134,
    RT_SIGPROCMASK = 135,
    RT_SIGPENDING = 136,
    SETRESUID = 147,
    SETRESGID = 149,
    SETPGID = 154,
    SETGROUPS = 159,
    PRCTL = 167,
    GETPID = 172,
    GETPPID = 173,
    GETUID = 174,
    BRK = 214,
    MUNMAP = 215,
    CLONE = 220,
    EXECVE = 221,
    MMAP = 222,
    MPROTECT = 226,
    WAIT4 = 260,
    PRLIMIT64 = 261,
}
