//! The registers of a vCPU, as they lie in a trap frame.
//!
//! Both structures are what the hypervisor's entry code stores, in that order. Values that
//! the guest supplies are sanitised on return, see the book's page on `trap_return`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// x86-64: 24 words, 192 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the registers of those names")]
pub struct X86_64Registers {
    pub fs_base: u64,
    pub gs_base: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Reserved: 0 in a trap frame, ignored on return.
    pub reserved_vector: u64,
    /// Reserved: 0 in a trap frame, ignored on return.
    pub reserved_error: u64,
    pub rip: u64,
    /// 0 in a trap frame, ignored on return: the guest's segments are fixed.
    pub cs: u64,
    /// On return, only the arithmetic, direction, trap, AC and ID flags count.
    pub rflags: u64,
    pub rsp: u64,
    /// 0 in a trap frame, ignored on return.
    pub ss: u64,
}

const _: () = assert!(size_of::<X86_64Registers>() == 192);

/// riscv64: 32 words, 256 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the registers of those names")]
pub struct Riscv64Registers {
    pub ra: u64,
    pub sp: u64,
    pub gp: u64,
    pub tp: u64,
    pub t0: u64,
    pub t1: u64,
    pub t2: u64,
    pub s0: u64,
    pub s1: u64,
    pub a0: u64,
    pub a1: u64,
    pub a2: u64,
    pub a3: u64,
    pub a4: u64,
    pub a5: u64,
    pub a6: u64,
    pub a7: u64,
    pub s2: u64,
    pub s3: u64,
    pub s4: u64,
    pub s5: u64,
    pub s6: u64,
    pub s7: u64,
    pub s8: u64,
    pub s9: u64,
    pub s10: u64,
    pub s11: u64,
    pub t3: u64,
    pub t4: u64,
    pub t5: u64,
    pub t6: u64,
    pub pc: u64,
}

const _: () = assert!(size_of::<Riscv64Registers>() == 256);

/// The registers of the architecture that this is compiled for.
#[cfg(target_arch = "x86_64")]
pub type Registers = X86_64Registers;
/// The registers of the architecture that this is compiled for.
#[cfg(target_arch = "riscv64")]
pub type Registers = Riscv64Registers;
