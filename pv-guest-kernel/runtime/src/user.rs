//! Processes: runs one until it traps.
//!
//! ```ignore
//! loop {
//!     let trap = user::run(&mut registers, &mut updates)?;
//!     match trap.cause.decode() { /* a fault, a system call, an event */ }
//! }
//! ```
//!
//! Entry and exit cost one call of the hypervisor each, page-table updates included: those that
//! a fault made necessary travel with the `trap_return` that goes on behind it.
#![allow(
    unsafe_code,
    reason = "trap frames are reached by address; a process is entered by assembly"
)]

use crate::{arch, calls::Partial, events, sync, updates::Updates, vcpu};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use hypercall_abi::{
    Error, Status,
    registers::Registers,
    trap::{Cause, TRAP_FRAMES, TrapFlags, TrapHeader},
};

/// Stack pointer of the kernel while a process runs; for the architecture's code.
pub(crate) static KERNEL_STACK: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Status and value of a `trap_return` that was refused, as the registers hold them.
#[repr(C)]
pub(crate) struct Refusal {
    status: u64,
    value: u64,
}

/// Whether [`run`] waits for a trap of a process.
pub(crate) fn is_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// Applies the updates and runs a process on the current user root, with these registers, until it
/// traps: why. Events are handled before this returns.
///
/// # Errors
/// What `trap_return` returns, and how many updates took effect, since it was tried last:
/// [`Error::NotRegistered`] without a user root, an update that was refused, [`Error::BadTrapFrame`] for a
/// program counter out of range or when all frames of the vCPU page are in use.
pub fn run(registers: &mut Registers, updates: &mut Updates) -> Result<TrapHeader, Partial> {
    sync::masked(|| {
        let depth = vcpu::trap_depth().load(Ordering::Relaxed);
        if depth >= TRAP_FRAMES as u64 {
            return Err(Partial { done: 0, error: Error::BadTrapFrame });
        }
        let frame = vcpu::trap_frame(depth);
        while let Err(refusal) = enter(registers, updates, depth) {
            // A page that an update names may be mapped in another way.
            updates.refused(refusal).map_err(|_| refusal)?;
        }
        updates.made();
        // SAFETY: the trap of the process filled this slot, and nothing else uses it.
        let trap = unsafe {
            arch::copy_registers(&raw const (*frame).registers, registers);
            (*frame).header
        };
        if trap.cause.decode() == Some(Cause::Event) {
            events::dispatch();
        }
        Ok(trap)
    })
}

/// Enters the process by a new topmost trap frame: comes back when it has trapped, or when that was refused.
#[inline(always)]
fn enter(registers: &Registers, updates: &Updates, depth: u64) -> Result<(), Partial> {
    let frame = vcpu::trap_frame(depth);
    // SAFETY: the slot is above the topmost frame, and events are masked: nothing else
    // uses it.
    unsafe {
        (*frame).header.flags = TrapFlags::USER;
        arch::copy_registers(registers, &raw mut (*frame).registers);
    }
    vcpu::trap_depth().store(depth + 1, Ordering::SeqCst);
    let count = updates.store();
    RUNNING.store(true, Ordering::Relaxed);
    // SAFETY: the topmost frame is in virtual user mode.
    let refusal = unsafe { arch::enter_user(count) };
    RUNNING.store(false, Ordering::Relaxed);
    // A refused frame is taken off as well as one that a trap left.
    vcpu::trap_depth().store(depth, Ordering::SeqCst);
    match Status(refusal.status).decode() {
        Some(Err(error)) => Err(Partial { done: refusal.value, error }),
        _ => Ok(()),
    }
}
