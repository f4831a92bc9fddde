//! Gates, and what a trap means.
#![allow(unsafe_code, reason = "the gates, and registers that traps leave")]

use super::{Registers, timer};
use crate::arch::Entered;
use crate::context::Context;
use crate::fatal;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};
use hypercall_abi::trap::{Cause, FaultAccess};
use pv_core::Trap;

core::arch::global_asm!(include_str!("trap.s"), options(att_syntax));

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
    fn call_entry_fast();
    fn call_entry_slow();
}

/// Whether the processor has `rdfsbase` and its like. Read by `trap.s`.
#[unsafe(no_mangle)]
static FAST_BASES: AtomicU8 = AtomicU8::new(0);

/// Present interrupt gate: ring 3 can use it with `int`, or cannot.
const GATE: u64 = 0x8e00;
const GATE_FOR_GUESTS: u64 = 0xee00;

/// Vectors with a stack of their own, in the order of those stacks: #DB, NMI, #DF, #MC.
const OWN_STACK: [usize; super::processor::TRAP_STACKS] = [1, 2, 8, 18];

#[repr(C, align(16))]
struct Gates(UnsafeCell<[[u64; 2]; 256]>);

// SAFETY: written once, before any second processor.
unsafe impl Sync for Gates {}

static GATES: Gates = Gates(UnsafeCell::new([[0; 2]; 256]));

/// Address of the system-call entry, with or without the fast instructions for bases.
pub fn call_entry(fast_bases: bool) -> u64 {
    FAST_BASES.store(fast_bases as u8, Ordering::Relaxed);
    let entry: unsafe extern "C" fn() = if fast_bases { call_entry_fast } else { call_entry_slow };
    entry as usize as u64
}

/// Builds and loads the interrupt descriptor table.
pub fn load_gates() {
    let stubs = (&raw const trap_stubs) as u64;
    let mut gates = [[0; 2]; 256];
    for (vector, gate) in gates.iter_mut().enumerate() {
        let address = stubs + 16 * vector as u64;
        // `int3` and `int 4` are for anyone; any other `int` is a protection fault.
        let kind = if matches!(vector, 3 | 4) { GATE_FOR_GUESTS } else { GATE };
        let own = OWN_STACK.iter().position(|own| *own == vector).map_or(0, |index| index + 1);
        gate[0] = address & 0xffff
            | 0x08 << 16
            | (own as u64) << 32
            | kind << 32
            | (address >> 16 & 0xffff) << 48;
        gate[1] = address >> 32;
    }
    let pointer = [0u16; 5];
    let mut pointer = pointer;
    pointer[0] = size_of::<[[u64; 2]; 256]>() as u16 - 1;
    let base = GATES.0.get() as u64;
    for (index, part) in pointer[1..].iter_mut().enumerate() {
        *part = (base >> (16 * index)) as u16;
    }
    // SAFETY: the gates name the stubs of `trap.s`; nothing else writes them.
    unsafe {
        GATES.0.get().write(gates);
        asm!("lidt [{}]", in(reg) &pointer, options(readonly, nostack));
    }
}

/// Why the guest was left. Consumes what the processor leaves in registers of its own.
pub fn decode_trap(registers: &mut Registers) -> Entered {
    let (vector, error) = (registers.reserved_vector, registers.reserved_error);
    registers.reserved_error = 0;
    let (cause, code, address) = match vector {
        0 | 4 => (Cause::DivideError, 0, 0),
        1 => {
            clear_debug_status();
            (Cause::Debug, 0, 0)
        }
        3 => (Cause::Breakpoint, 0, 0),
        6 | 7 => (Cause::IllegalInstruction, 0, 0),
        5 | 10..=13 => (Cause::Protection, error, 0),
        14 => {
            let address = fault_address();
            (Cause::PageFault, fault_access(error, address).bits(), address)
        }
        16 | 19 => (Cause::FloatingPoint, 0, 0),
        17 => (Cause::Misaligned, 0, 0),
        9 | 15 | 20..=31 => (Cause::Protection, 0, 0),
        _ => return Entered::Interrupt,
    };
    Entered::Trap(Trap { cause, code, address })
}

fn fault_access(error: u64, address: u64) -> FaultAccess {
    let mut access = match error {
        _ if error & 1 << 4 != 0 => FaultAccess::EXECUTE,
        _ if error & 1 << 1 != 0 => FaultAccess::WRITE,
        _ => FaultAccess::READ,
    };
    // What the hypervisor maps in its half is not the guest's to find out.
    if error & 1 != 0 || address >> 63 != 0 {
        access |= FaultAccess::PRESENT;
    }
    access
}

fn fault_address() -> u64 {
    let address;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack)) };
    address
}

fn clear_debug_status() {
    // SAFETY: DR6 only reports.
    unsafe { asm!("mov dr6, {}", in(reg) 0u64, options(nomem, nostack)) };
}

/// A trap while the hypervisor runs, called by `trap.s`: the alarm while it sleeps, an NMI, a
/// debug exception that `mov ss` delayed; anything else is a fault of the hypervisor.
#[unsafe(no_mangle)]
extern "C" fn on_hypervisor_trap(registers: &mut Registers) {
    match registers.reserved_vector {
        1 => {
            clear_debug_status();
            registers.rflags &= !(1 << 8);
        }
        2 => {}
        vector if vector >= 32 => timer::take_interrupt(),
        vector => {
            let error = registers.reserved_error;
            let address = if vector == 14 { fault_address() } else { 0 };
            fatal::trap(
                format_args!("trap {vector}, error code {error:#x}, address {address:#x},"),
                registers,
            );
        }
    }
}

/// Goes to a vCPU, leaving the hypervisor's stack as it is for good.
///
/// # Safety
/// The context has been prepared, and its page tables are loaded.
pub unsafe fn enter_guest(context: *mut Context) -> ! {
    // SAFETY: the registers are those of a guest, as the caller promises.
    unsafe {
        if FAST_BASES.load(Ordering::Relaxed) != 0 {
            asm!("jmp resume_fast", in("rax") context, options(noreturn));
        }
        asm!("jmp resume_slow", in("rax") context, options(noreturn));
    }
}

/// The registers by name, in the order in which they are shown.
pub fn named_registers(r: &Registers) -> [(&'static str, u64); 20] {
    [
        ("rip", r.rip),
        ("rsp", r.rsp),
        ("rflags", r.rflags),
        ("rax", r.rax),
        ("rbx", r.rbx),
        ("rcx", r.rcx),
        ("rdx", r.rdx),
        ("rsi", r.rsi),
        ("rdi", r.rdi),
        ("rbp", r.rbp),
        ("r8", r.r8),
        ("r9", r.r9),
        ("r10", r.r10),
        ("r11", r.r11),
        ("r12", r.r12),
        ("r13", r.r13),
        ("r14", r.r14),
        ("r15", r.r15),
        ("fs base", r.fs_base),
        ("gs base", r.gs_base),
    ]
}
