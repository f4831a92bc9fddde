//! x86-64.
#![allow(unsafe_code, reason = "the system call is an instruction")]

use core::arch::{asm, global_asm};

global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    ".globl __restore_signal",
    "__restore_signal:",
    "mov eax, 15",
    "syscall",
    "ud2",
    start = sym crate::start::begin,
);

unsafe extern "C" {
    fn __restore_signal();
}

/// An address of user space that nothing else of a program is near to.
pub const SPARE_ADDRESS: usize = 0x10_0000_0000;

/// Makes a system call: what the kernel returns, errors as negative numbers.
///
/// # Safety
/// What the call does to memory must be what the program allows.
pub unsafe fn call(number: usize, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the kernel changes no registers but these; the caller answers for memory.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    result
}

/// A counter that any process may read. On QEMU with `-icount shift=0` it counts instructions.
pub fn counter() -> u64 {
    // SAFETY: it only reads.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// What `rt_sigaction` takes: here the program brings the code that returns from a handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Action {
    /// The handler's address, 0 for the default, 1 to ignore.
    pub handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

impl Action {
    /// An action.
    pub fn new(handler: usize, flags: usize, mask: u64) -> Action {
        const RESTORER: usize = 0x0400_0000;
        let restorer = __restore_signal as *const () as usize;
        Action { handler, flags: flags | RESTORER, restorer, mask }
    }
}

super::numbers! {
    READ = 0,
    WRITE = 1,
    CLOSE = 3,
    LSEEK = 8,
    MMAP = 9,
    MPROTECT = 10,
    MUNMAP = 11,
    BRK = 12,
    RT_SIGACTION = 13,
    RT_SIGPROCMASK = 14,
    SCHED_YIELD = 24,
    NANOSLEEP = 35,
    SETITIMER = 38,
    GETPID = 39,
    CLONE = 56,
    EXECVE = 59,
    WAIT4 = 61,
    KILL = 62,
    FCNTL = 72,
    GETUID = 102,
    SETPGID = 109,
    GETPPID = 110,
    SETGROUPS = 116,
    SETRESUID = 117,
    SETRESGID = 119,
    RT_SIGPENDING = 127,
    RT_SIGSUSPEND = 130,
    PRCTL = 157,
    EXIT_GROUP = 231,
    OPENAT = 257,
    UNLINKAT = 263,
    DUP3 = 292,
    PIPE2 = 293,
    PRLIMIT64 = 302,
}
