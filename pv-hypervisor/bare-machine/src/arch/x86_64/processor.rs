//! One processor: its control registers, segments, gates, and the block that entries find.
#![allow(unsafe_code, reason = "control registers and descriptor tables")]

use super::gates;
use super::instructions::{cpuid, msr_read, msr_write};
use crate::hooks;
use core::arch::asm;
use core::cell::UnsafeCell;

/// Selector of the image's code.
const KERNEL_CODE: u16 = 0x08;
/// Selector of user mode's data, loaded into every data segment.
pub const USER_DATA: u16 = 0x1b;
/// Selector of the task state.
const TASK: u16 = 0x28;

/// CR4: global pages; set when the image's own tables are loaded.
pub const CR4_GLOBAL: u64 = 1 << 7;
const CR4_DEBUG_EXTENSIONS: u64 = 1 << 3;
const CR4_PAE: u64 = 1 << 5;
const CR4_MACHINE_CHECK: u64 = 1 << 6;
const CR4_FXSAVE: u64 = 1 << 9;
const CR4_SIMD_EXCEPTIONS: u64 = 1 << 10;
const CR4_NO_USER_DESCRIPTOR_READS: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_NO_USER_EXECUTION: u64 = 1 << 20;
/// CR0: paging, alignment checks in ring 3, write protection in ring 0, native FPU errors.
const CR0: u64 = 1 << 31 | 1 << 18 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;

const EFER: u32 = 0xc000_0080;
const EFER_SYSCALL: u64 = 1 << 0;
const EFER_NO_EXECUTE: u64 = 1 << 11;
const STAR: u32 = 0xc000_0081;
const LSTAR: u32 = 0xc000_0082;
const CSTAR: u32 = 0xc000_0083;
const FMASK: u32 = 0xc000_0084;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;
const KERNEL_GS_BASE: u32 = 0xc000_0102;
const TSC_AUX: u32 = 0xc000_0103;
const SYSENTER_CS: u32 = 0x174;

/// Flags that `syscall` clears: TF, IF, DF, IOPL, NT, RF, AC.
const CALL_CLEARS: u64 = 0x0005_7700;

/// Bytes of each of the stacks for NMI, #DB, #DF and machine check.
const TRAP_STACK: usize = 8 * 1024;
/// Number of those stacks.
pub const TRAP_STACKS: usize = 4;

/// The task state: where the processor finds stacks. No I/O bitmap: user mode has no ports.
#[repr(C, packed(4))]
struct TaskState {
    reserved: u32,
    /// Stack of ring 0: behind the current user's registers, so that a trap fills them.
    stack: u64,
    unused: [u64; 2],
    reserved2: u64,
    /// Stacks for vectors that must not use the ordinary one.
    trap_stacks: [u64; 7],
    reserved3: [u16; 5],
    io_bitmap: u16,
}

/// What belongs to one processor. `swapgs` makes GS point to it.
#[repr(C, align(64))]
struct Block {
    /// At gs:0: behind the current user's registers.
    registers_end: u64,
    /// At gs:8: the user's stack pointer, for two instructions.
    scratch: u64,
    task: TaskState,
    segments: [u64; 7],
}

struct Shared<T>(UnsafeCell<T>);

// SAFETY: the block of a processor is only touched by that processor, with interrupts off.
unsafe impl<T> Sync for Shared<T> {}

static BOOT_PROCESSOR: Shared<Block> = Shared(UnsafeCell::new(Block {
    registers_end: 0,
    scratch: 0,
    task: TaskState {
        reserved: 0,
        stack: 0,
        unused: [0; 2],
        reserved2: 0,
        trap_stacks: [0; 7],
        reserved3: [0; 5],
        io_bitmap: size_of::<TaskState>() as u16,
    },
    segments: [
        0,
        0x0020_9b00_0000_0000, // 0x08: ring 0, 64-bit code
        0x0000_9300_0000_0000, // 0x10: ring 0, data
        0x0000_f300_0000_0000, // 0x18: ring 3, data
        0x0020_fb00_0000_0000, // 0x20: ring 3, 64-bit code; there is no 32-bit code
        0,
        0,
    ],
}));

/// The boot processor's stacks for NMI, #DB, #DF and machine check.
static TRAP_STACK_MEMORY: Shared<Stacks> =
    Shared(UnsafeCell::new(Stacks([[0; TRAP_STACK]; TRAP_STACKS])));

#[repr(C, align(16))]
struct Stacks([[u8; TRAP_STACK]; TRAP_STACKS]);

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

/// Sets the processor up: from here on traps are handled. `call_entry` gives the address of the
/// entry for `syscall`, with or without the fast instructions for bases; `stubs` are the entries
/// of the vectors, 16 bytes each.
///
/// # Safety
/// They are entries, and whoever returns to user mode from them says before where registers go:
/// [`set_registers_end`].
pub unsafe fn init(call_entry: impl FnOnce(bool) -> u64, stubs: u64) {
    let block = BOOT_PROCESSOR.0.get();
    let [_, _, _, features] = cpuid(1, 0);
    let extended =
        if cpuid(0x8000_0000, 0)[0] >= 0x8000_0001 { cpuid(0x8000_0001, 0)[3] } else { 0 };
    for (present, name) in [
        (features & 1 << 13 != 0, "global pages"),
        (features & 1 << 9 != 0, "a local APIC"),
        (features & 1 << 25 != 0, "SSE"),
        (extended & 1 << 11 != 0, "syscall"),
        (extended & 1 << 20 != 0, "no-execute pages"),
    ] {
        if !present {
            hooks::stop(format_args!("the processor has not {name}, which the image needs"));
        }
    }
    // SAFETY: the block is ours alone and stays where it is; the descriptors are built here.
    unsafe { load_segments(block) };
    // SAFETY: as the caller promises.
    unsafe { gates::load(stubs) };

    let [_, leaf7, leaf7_ecx, _] = if cpuid(0, 0)[0] >= 7 { cpuid(7, 0) } else { [0; 4] };
    let fast_bases = leaf7 & 1 != 0;
    let mut control = CR4_PAE | CR4_DEBUG_EXTENSIONS | CR4_FXSAVE | CR4_SIMD_EXCEPTIONS;
    for (present, bit) in [
        (features & 1 << 7 != 0, CR4_MACHINE_CHECK),
        (fast_bases, CR4_FSGSBASE),
        (leaf7 & 1 << 7 != 0, CR4_NO_USER_EXECUTION),
        (leaf7_ecx & 1 << 2 != 0, CR4_NO_USER_DESCRIPTOR_READS),
    ] {
        control |= if present { bit } else { 0 };
    }
    // SAFETY: each bit is one that the processor has, or one that long mode needs. TSD is off
    // (guests read the counter), PCE is off (they do not read performance counters). Debug
    // registers trigger nothing and are ring 0's alone.
    unsafe {
        asm!(
            "mov cr0, {cr0}", "mov cr4, {cr4}",
            "mov dr0, {zero}", "mov dr1, {zero}", "mov dr2, {zero}", "mov dr3, {zero}",
            "mov dr6, {zero}", "mov dr7, {dr7}",
            cr0 = in(reg) CR0, cr4 = in(reg) control, zero = in(reg) 0u64, dr7 = in(reg) 0x400u64,
        );
        msr_write(EFER, msr_read(EFER) | EFER_SYSCALL | EFER_NO_EXECUTE);
        msr_write(STAR, 0x0013_0008 << 32);
        msr_write(LSTAR, call_entry(fast_bases));
        msr_write(CSTAR, 0);
        msr_write(FMASK, CALL_CLEARS);
        msr_write(FS_BASE, 0);
        msr_write(GS_BASE, 0);
        msr_write(KERNEL_GS_BASE, block as u64);
        msr_write(SYSENTER_CS, 0);
        if extended & 1 << 27 != 0 {
            msr_write(TSC_AUX, 0);
        }
    }
}

/// # Safety
/// `block` is this processor's, valid for ever, and in use by nobody else.
unsafe fn load_segments(block: *mut Block) {
    // SAFETY: as the caller promises. The selectors are those of the table just loaded.
    unsafe {
        let task = &raw mut (*block).task;
        let mut stacks = [0; 7];
        for (index, top) in stacks.iter_mut().enumerate().take(TRAP_STACKS) {
            *top = TRAP_STACK_MEMORY.0.get() as u64 + (TRAP_STACK * (index + 1)) as u64;
        }
        (&raw mut (*task).trap_stacks).write_unaligned(stacks);
        let base = task as u64;
        let limit = size_of::<TaskState>() as u64 - 1;
        (*block).segments[5] =
            limit | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
        (*block).segments[6] = base >> 32;
        let table = TablePointer {
            limit: size_of::<[u64; 7]>() as u16 - 1,
            base: (&raw const (*block).segments) as u64,
        };
        asm!(
            "lgdt [{table}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {null:x}",
            "mov ds, {data:x}", "mov es, {data:x}", "mov fs, {data:x}", "mov gs, {data:x}",
            "lldt {null:x}",
            "ltr {task:x}",
            table = in(reg) &table,
            code = in(reg) KERNEL_CODE as u64,
            scratch = out(reg) _,
            null = in(reg) 0u64,
            data = in(reg) USER_DATA as u64,
            task = in(reg) TASK as u64,
        );
    }
}

/// Says where entries from user mode store registers: downwards from `end`, behind which lies the
/// stack pointer to go on with. Clears what the last user left in the segment registers, which user
/// mode can load but which nobody saves.
///
/// # Safety
/// What lies below `end` and the word there are the entries' own, and lie still, until this is
/// called again.
pub unsafe fn set_registers_end(end: u64) {
    let block = BOOT_PROCESSOR.0.get();
    // SAFETY: the block is this processor's; the memory is for the entries, as the caller
    // promises.
    unsafe {
        (*block).registers_end = end;
        (&raw mut (*block).task.stack).write_unaligned(end);
        asm!(
            "mov ds, {0:x}", "mov es, {0:x}", "mov fs, {0:x}", "mov gs, {0:x}",
            in(reg) USER_DATA as u64, options(nostack, preserves_flags),
        );
    }
}
