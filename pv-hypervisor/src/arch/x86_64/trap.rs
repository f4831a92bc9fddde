//! Entries from a vCPU and the way to one.
#![allow(unsafe_code, reason = "the entries, and the way to a guest")]

use super::Registers;
use crate::arch::Entered;
use crate::context::Context;
use crate::fatal;
use bare_machine::arch::{Trap, cause, processor, take_interrupt};
use bare_machine::image;
use core::arch::asm;
use core::sync::atomic::{AtomicU8, Ordering};

core::arch::global_asm!(include_str!("trap.s"), options(att_syntax));

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
    fn call_entry_fast();
    fn call_entry_slow();
}

/// Whether the processor has `rdfsbase` and its like. Read by `trap.s`.
#[unsafe(no_mangle)]
static FAST_BASES: AtomicU8 = AtomicU8::new(0);

/// Address of the system-call entry, with or without the fast instructions for bases.
fn call_entry(fast_bases: bool) -> u64 {
    FAST_BASES.store(fast_bases as u8, Ordering::Relaxed);
    let entry: unsafe extern "C" fn() = if fast_bases { call_entry_fast } else { call_entry_slow };
    entry as usize as u64
}

/// Sets the processor up: from here on traps are handled.
pub fn init_processor() {
    // SAFETY: the entries are those of `trap.s`; `prepare_context` comes before every vCPU.
    unsafe { processor::init(call_entry, (&raw const trap_stubs) as u64) };
}

/// Why the guest was left.
pub fn decode_trap(registers: &mut Registers) -> Entered {
    match cause::decode_trap(registers) {
        Some(Trap { cause, code, address }) => {
            Entered::Trap(pv_core::Trap { cause, code, address })
        }
        None => Entered::Interrupt,
    }
}

/// Makes `context` the vCPU that the next entries are from, and clears what the last one left in
/// the segment registers.
///
/// # Safety
/// `context` is valid, and lies still, until another one is prepared.
pub unsafe fn prepare_context(context: *mut Context) {
    // SAFETY: `context` is valid as the caller promises; the entry code finds the stack behind
    // the registers.
    unsafe {
        (*context).host_stack = image::image().stack_top;
        processor::set_registers_end((&raw const (*context).host_stack) as u64);
    }
}

/// A trap while the hypervisor runs, called by `trap.s`: the alarm while it sleeps, an NMI, a
/// debug exception that `mov ss` delayed; anything else is a fault of the hypervisor.
#[unsafe(no_mangle)]
extern "C" fn on_hypervisor_trap(registers: &mut Registers) {
    match registers.reserved_vector {
        1 => {
            cause::clear_debug_status();
            registers.rflags &= !(1 << 8);
        }
        2 => {}
        vector if vector >= 32 => take_interrupt(),
        vector => {
            let error = registers.reserved_error;
            let address = if vector == 14 { cause::fault_address() } else { 0 };
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
