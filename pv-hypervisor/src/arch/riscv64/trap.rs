//! Entries from a vCPU and the way to one.
#![allow(unsafe_code, reason = "control registers, and the way to a guest")]

use super::Registers;
use crate::arch::Entered;
use crate::context::Context;
use crate::fatal;
use bare_machine::arch::{Trap, cause, processor};
use bare_machine::image;
use core::arch::asm;

core::arch::global_asm!(include_str!("trap.s"));

unsafe extern "C" {
    fn trap_entry();
}

/// Address of the entry, for stvec: one entry for everything.
fn entry() -> u64 {
    let entry: unsafe extern "C" fn() = trap_entry;
    entry as usize as u64
}

/// Sets the processor up: from here on traps are handled.
pub fn init_processor() {
    // SAFETY: the entry is that of `trap.s`.
    unsafe { processor::init(entry()) };
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

/// Makes `context` the vCPU that the next entries are from.
///
/// # Safety
/// `context` is valid, and lies still, until another one is prepared.
pub unsafe fn prepare_context(context: *mut Context) {
    // SAFETY: valid, as the caller promises. Returning to the guest leaves the address in
    // sscratch.
    unsafe { (*context).host_stack = image::image().stack_top };
}

/// A trap while the hypervisor runs, called by `trap.s`.
#[unsafe(no_mangle)]
extern "C" fn on_hypervisor_trap(registers: &Registers) -> ! {
    let (reason, value) = cause::reason();
    fatal::trap(format_args!("trap {reason:#x}, value {value:#x},"), registers)
}

/// Goes to a vCPU, leaving the hypervisor's stack as it is for good.
///
/// # Safety
/// The context has been prepared, and its page tables are loaded.
pub unsafe fn enter_guest(context: *mut Context) -> ! {
    // SAFETY: the registers are those of a guest, as the caller promises.
    unsafe { asm!("j resume", in("a0") context, options(noreturn)) }
}
