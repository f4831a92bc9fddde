//! The programs, as bytes of machine code. Each begins at its first byte and runs wherever it
//! lies. *First* to *third* are the arguments of a system call or of a signal handler.

use crate::{Exit, Machine};

/// The programs of one processor.
#[derive(Clone, Copy, Debug)]
pub struct Programs<'a> {
    /// Makes a system call; stores its result at the address that is the second argument; and
    /// again.
    pub call: &'a [u8],
    /// Loads the word at the first argument into the third; makes a system call.
    pub load: &'a [u8],
    /// Stores the third argument at the first; makes a system call.
    pub store: &'a [u8],
    /// Goes to the first argument.
    pub jump: &'a [u8],
    /// Goes round for ever.
    pub spin: &'a [u8],
    /// What is no instruction.
    pub illegal: &'a [u8],
    /// An instruction that is the kernel's alone.
    pub privileged: &'a [u8],
    /// What comes of that one: the processors differ.
    pub privileged_exit: Exit,
    /// A breakpoint.
    pub breakpoint: &'a [u8],
    /// Divides by zero, where the processor minds.
    pub divide: Option<&'a [u8]>,
    /// Loads the word at the first argument into a floating-point register; makes a system
    /// call; stores the register at the second argument; makes another.
    pub float: Option<&'a [u8]>,
    /// Loads the word at the base of thread-local storage into the third argument; makes a
    /// system call.
    pub thread: &'a [u8],
}

/// A protection fault without an address is one at an address where nothing is.
const PROTECTION: Exit = Exit::Fault { address: u64::MAX, access: crate::Access::Read };

const X86_64: Programs<'static> = Programs {
    // syscall; mov [rsi], rax; jmp to the first
    call: &[0x0f, 0x05, 0x48, 0x89, 0x06, 0xeb, 0xf9],
    // mov rdx, [rdi]; syscall
    load: &[0x48, 0x8b, 0x17, 0x0f, 0x05],
    // mov [rdi], rdx; syscall
    store: &[0x48, 0x89, 0x17, 0x0f, 0x05],
    // jmp rdi
    jump: &[0xff, 0xe7],
    // jmp to itself
    spin: &[0xeb, 0xfe],
    // ud2
    illegal: &[0x0f, 0x0b],
    // hlt
    privileged: &[0xf4],
    privileged_exit: PROTECTION,
    // int3
    breakpoint: &[0xcc],
    // xor ecx, ecx; div ecx
    divide: Some(&[0x31, 0xc9, 0xf7, 0xf1]),
    // movsd xmm0, [rdi]; syscall; movsd [rsi], xmm0; syscall
    float: Some(&[0xf2, 0x0f, 0x10, 0x07, 0x0f, 0x05, 0xf2, 0x0f, 0x11, 0x06, 0x0f, 0x05]),
    // mov rdx, fs:[0]; syscall
    thread: &[0x64, 0x48, 0x8b, 0x14, 0x25, 0, 0, 0, 0, 0x0f, 0x05],
};

const RISCV64: Programs<'static> = Programs {
    // ecall; sd a0, 0(a1); j to the first
    call: &[0x73, 0, 0, 0, 0x23, 0xb0, 0xa5, 0x00, 0x6f, 0xf0, 0x9f, 0xff],
    // ld a2, 0(a0); ecall
    load: &[0x03, 0x36, 0x05, 0x00, 0x73, 0, 0, 0],
    // sd a2, 0(a0); ecall
    store: &[0x23, 0x30, 0xc5, 0x00, 0x73, 0, 0, 0],
    // jr a0
    jump: &[0x67, 0x00, 0x05, 0x00],
    // j to itself
    spin: &[0x6f, 0x00, 0x00, 0x00],
    // all zero: defined as no instruction
    illegal: &[0x00, 0x00, 0x00, 0x00],
    // csrr a0, sstatus
    privileged: &[0x73, 0x25, 0x00, 0x10],
    privileged_exit: Exit::Illegal,
    // ebreak
    breakpoint: &[0x73, 0x00, 0x10, 0x00],
    // A division by zero has a result.
    divide: None,
    // fld fa0, 0(a0); ecall; fsd fa0, 0(a1); ecall
    float: Some(&[0x07, 0x35, 0x05, 0x00, 0x73, 0, 0, 0, 0x27, 0xb0, 0xa5, 0x00, 0x73, 0, 0, 0]),
    // ld a2, 0(tp); ecall
    thread: &[0x03, 0x36, 0x02, 0x00, 0x73, 0, 0, 0],
};

impl Programs<'static> {
    /// The programs of a real processor.
    pub const fn of(machine: Machine) -> Programs<'static> {
        match machine {
            Machine::X86_64 => X86_64,
            Machine::Riscv64 => RISCV64,
        }
    }
}
