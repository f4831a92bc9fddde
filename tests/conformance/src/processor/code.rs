//! The machine code of each architecture, in units of four bytes.

use crate::Test;
use hypercall_abi::trap::Cause;

/// Pieces of code.
pub struct Code {
    /// Returns at once.
    pub nothing: &'static [u32],
    /// Returns the selector that tells the privilege, where there is one.
    pub code_selector: Option<&'static [u32]>,
    /// What only the hypervisor may do.
    pub privileged: &'static [&'static [u32]],
    /// The cause of the trap that it ends in.
    pub privileged_cause: Cause,
    /// A process's system call.
    pub system_call: &'static [u32],
    /// Where the program counter of its trap is, from its beginning.
    pub behind_system_call: u64,
    /// Other instructions that enter the hypervisor, each with the causes that it may have.
    pub other_ways: &'static [(&'static [u32], &'static [Cause])],
    /// Reads what every mode may read, then makes a system call.
    pub readable: &'static [&'static [u32]],
    /// Returns the counter.
    pub counter: &'static [u32],
    /// Returns the flags, where there are any.
    pub flags: Option<&'static [u32]>,
    /// Never ends.
    pub for_ever: &'static [u32],
    /// An instruction for vectors.
    pub vector: &'static [u32],
    /// Stores control and two registers of floating point where the argument leads.
    pub store_floating_point: &'static [u32],
    /// Loads them from there.
    pub load_floating_point: &'static [u32],
    /// For each word there the bits that count, and what they are when a vCPU starts. The first two
    /// words are of control.
    pub clean_floating_point: &'static [(u64, u64)],
}

impl Code {
    /// The code of the machine under test.
    pub fn of(t: &Test<'_>) -> &'static Code {
        if t.entries().is_x86() { &X86_64 } else { &RISCV64 }
    }
}

/// x86-64. What is behind the last byte is `int3`.
static X86_64: Code = Code {
    // ret
    nothing: &[0xcccc_ccc3],
    // mov eax, cs; ret
    code_selector: Some(&[0xccc3_c88c]),
    privileged: &[
        // hlt
        &[0xcccc_ccf4],
        // cli
        &[0xcccc_ccfa],
        // mov rax, cr0
        &[0xccc0_200f],
        // mov rax, cr3
        &[0xccd8_200f],
        // mov cr3, rax
        &[0xccd8_220f],
        // rdmsr
        &[0xcccc_320f],
        // wrmsr
        &[0xcccc_300f],
        // mov rax, dr0
        &[0xccc0_210f],
        // in al, dx
        &[0xcccc_ccec],
        // out dx, al
        &[0xcccc_ccee],
        // invlpg [rax]
        &[0xcc38_010f],
        // rdpmc
        &[0xcccc_330f],
    ],
    privileged_cause: Cause::Protection,
    // syscall
    system_call: &[0xcccc_050f],
    behind_system_call: 2,
    other_ways: &[
        // int3
        (&[0xcccc_cccc], &[Cause::Breakpoint]),
        // int 3, in two bytes
        (&[0xcccc_03cd], &[Cause::Breakpoint]),
        // int 4
        (&[0xcccc_04cd], &[Cause::DivideError]),
        // int 0x80
        (&[0xcccc_80cd], &[Cause::Protection]),
        // int 0x0e
        (&[0xcccc_0ecd], &[Cause::Protection]),
        // int 0x20
        (&[0xcccc_20cd], &[Cause::Protection]),
        // sysenter
        (&[0xcccc_340f], &[Cause::Protection, Cause::IllegalInstruction]),
        // ud2
        (&[0xcccc_0b0f], &[Cause::IllegalInstruction]),
    ],
    readable: &[
        // rdtsc; syscall
        &[0x050f_310f],
        // xor eax, eax; cpuid; syscall
        &[0xa20f_c031, 0xcccc_050f],
    ],
    // rdtsc; shl rdx, 32; or rax, rdx; ret
    counter: &[0xc148_310f, 0x0948_20e2, 0xcccc_c3d0],
    // pushfq; pop rax; push 0x202; popfq; ret
    flags: Some(&[0x0268_589c, 0x9d00_0002, 0xcccc_ccc3]),
    // jmp to itself
    for_ever: &[0xcccc_feeb],
    // vxorps ymm0, ymm0, ymm0
    vector: &[0xc057_fcc5],
    // stmxcsr [rax]; fnstcw [rax+8]; movdqu [rax+16], xmm0; movdqu [rax+32], xmm15; ret
    store_floating_point: &[0xd918_ae0f, 0x0ff3_0878, 0xf310_407f, 0x787f_0f44, 0xcccc_c320],
    // ldmxcsr [rax]; fldcw [rax+8]; movdqu xmm0, [rax+16]; movdqu xmm15, [rax+32]; ret
    load_floating_point: &[0xd910_ae0f, 0x0ff3_0868, 0xf310_406f, 0x786f_0f44, 0xcccc_c320],
    clean_floating_point: &[
        (0xffff_ffff, 0x1f80),
        (0xffff, 0x037f),
        (u64::MAX, 0),
        (u64::MAX, 0),
        (u64::MAX, 0),
        (u64::MAX, 0),
    ],
};

/// riscv64.
static RISCV64: Code = Code {
    // ret
    nothing: &[0x0000_8067],
    code_selector: None,
    privileged: &[
        // csrr a0, sstatus
        &[0x1000_2573],
        // csrw satp, a0
        &[0x1805_1073],
        // csrr a0, sie
        &[0x1040_2573],
        // csrr a0, mstatus
        &[0x3000_2573],
        // sret
        &[0x1020_0073],
        // mret
        &[0x3020_0073],
        // sfence.vma
        &[0x1200_0073],
    ],
    privileged_cause: Cause::IllegalInstruction,
    // ecall
    system_call: &[0x0000_0073],
    behind_system_call: 0,
    other_ways: &[
        // ebreak
        (&[0x0010_0073], &[Cause::Breakpoint]),
        // unimp
        (&[0xc000_1073], &[Cause::IllegalInstruction]),
    ],
    readable: &[
        // rdtime a0; ecall
        &[0xc010_2573, 0x0000_0073],
        // rdcycle a0; ecall
        &[0xc000_2573, 0x0000_0073],
        // rdinstret a0; ecall
        &[0xc020_2573, 0x0000_0073],
    ],
    // rdtime a0; ret
    counter: &[0xc010_2573, 0x0000_8067],
    flags: None,
    // j to itself
    for_ever: &[0x0000_006f],
    // vsetvli t0, zero, e8
    vector: &[0x0000_72d7],
    // frcsr t0; sd t0, 0(a0); sd zero, 8(a0); fsd f0, 16(a0); fsd f31, 24(a0); ret
    store_floating_point: &[
        0x0030_22f3,
        0x0055_3023,
        0x0005_3423,
        0x0005_3827,
        0x01f5_3c27,
        0x0000_8067,
    ],
    // ld t0, 0(a0); fscsr t0; fld f0, 16(a0); fld f31, 24(a0); ret
    load_floating_point: &[0x0005_3283, 0x0032_9073, 0x0105_3007, 0x0185_3f87, 0x0000_8067],
    clean_floating_point: &[(u64::MAX, 0), (u64::MAX, 0), (u64::MAX, 0), (u64::MAX, 0)],
};
