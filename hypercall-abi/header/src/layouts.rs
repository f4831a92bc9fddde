//! Sizes and offsets of the structures in the header, as the Rust compiler has them.

use core::mem::offset_of;
use hypercall_abi::{
    AbiVersion,
    balloon_statistics::BalloonStatistics,
    calls::{batch::BatchEntry, pte_update::Update},
    domain_info::DomainInfo,
    note::GuestNote,
    registers::{Riscv64Registers, X86_64Registers},
    start_info::StartInfo,
    trap::{Riscv64TrapFrame, TrapHeader, X86_64TrapFrame},
    vcpu_page::VcpuHeader,
};

/// A structure: name, size, and name and offset of each field.
pub type Layout = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! layouts {
    ($($name:ident: $($field:ident)+;)+) => {
        vec![$((
            stringify!($name),
            size_of::<$name>(),
            vec![$((stringify!($field), offset_of!($name, $field))),+],
        )),+]
    };
}

/// Every structure.
pub fn all() -> Vec<Layout> {
    layouts! {
        AbiVersion: major minor;
        StartInfo: magic version domain vcpus features page_table_format frames max_frames
            guest_end ticks_per_second physmap_base root p2m_pfn image_pfn stack_pfn tables_pfn
            free_pfn command_line_length name_length name reserved command_line;
        VcpuHeader: events_pending events_masked trap_depth target_frames reserved;
        TrapHeader: cause flags code address reserved;
        X86_64TrapFrame: header registers;
        Riscv64TrapFrame: header registers;
        X86_64Registers: fs_base gs_base r15 r14 r13 r12 r11 r10 r9 r8 rbp rdi rsi rdx rcx rbx rax
            reserved_vector reserved_error rip cs rflags rsp ss;
        Riscv64Registers: ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8
            s9 s10 s11 t3 t4 t5 t6 pc;
        DomainInfo: domain reserved frames max_frames table_frames pinned_tables grants handles
            ports calls refusals traps target_frames reported_frames;
        BalloonStatistics: version generation free available cache needed balloon faults refaults
            swapped_in swapped_out shortages some_over_10_s some_over_60_s full_over_10_s
            full_over_60_s reserved;
        GuestNote: version reserved required_features physmap_base;
        BatchEntry: number_or_status args reserved;
        Update: target value;
    }
}
