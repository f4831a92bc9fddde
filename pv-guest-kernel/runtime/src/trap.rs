//! Traps: the kernel's handler, and the entry that calls it.
//!
//! The entry works on the trap frame where it lies on the vCPU page: what the handler changes
//! there is what the interrupted context goes on with.
#![allow(unsafe_code, reason = "the trap frame is reached by address; the handler is kept as one")]

use crate::{arch, arch::TrapFrameExt, calls, events, println, user};
use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
};
use hypercall_abi::{
    Error, VirtAddr,
    calls::shutdown::ShutdownReason,
    trap::{Cause, TrapFlags, TrapFrame},
};

/// Handles a trap that is not an event and not of a process run by [`user::run`]. It runs with
/// events masked. When it returns, the context of the frame goes on.
pub type Handler = fn(&mut TrapFrame);

/// Bytes of the stack for traps from virtual user mode.
const STACK_BYTES: usize = 16 * 1024;

#[repr(align(16))]
struct TrapStack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: only traps use it, one at a time: a trap within a trap stays on the stack it is on.
unsafe impl Sync for TrapStack {}

static STACK: TrapStack = TrapStack(UnsafeCell::new([0; STACK_BYTES]));
static HANDLER: AtomicUsize = AtomicUsize::new(0);

/// Registers the trap entry. From now on events are dispatched as they come, traps of processes
/// go back to [`user::run`], and every other trap is `handler`'s.
///
/// # Errors
/// What `trap_register` returns; nothing for an image linked in the guest's range.
pub fn register(handler: Handler) -> Result<(), Error> {
    HANDLER.store(handler as usize, Ordering::Release);
    let (entry, stack) = entry();
    // SAFETY: the entry is one, and the stack is used by nothing else.
    unsafe { calls::trap_register(entry, stack) }
}

/// The entry, and the end of the stack for traps of processes, that [`register`] registers.
pub fn entry() -> (VirtAddr, VirtAddr) {
    let stack = VirtAddr(STACK.0.get() as u64 + STACK_BYTES as u64);
    (VirtAddr(arch::trap_entry as *const () as u64), stack)
}

/// A handler for kernels that expect no trap: prints it and ends the domain as crashed.
pub fn fatal(frame: &mut TrapFrame) {
    println!("guest kernel: {}", Description(frame));
    calls::shutdown(ShutdownReason::Crash)
}

/// Called by the entry.
pub(crate) extern "C" fn trap(frame: *mut TrapFrame) {
    // SAFETY: the entry computes the address of the topmost frame, which the hypervisor has
    // filled and does not touch before `trap_return`. Traps nest on frames of their own.
    let frame = unsafe { &mut *frame };
    if frame.header.flags.contains(TrapFlags::USER) && user::is_running() {
        // SAFETY: `is_running` says that `run` waits on its stack for a trap of the process.
        unsafe { arch::leave_user() }
    }
    if frame.header.cause.decode() == Some(Cause::Event) {
        events::dispatch();
        return;
    }
    match HANDLER.load(Ordering::Acquire) {
        0 => fatal(frame),
        address => {
            // SAFETY: only `register` writes it, and writes a `Handler`.
            let handler = unsafe { core::mem::transmute::<usize, Handler>(address) };
            handler(frame);
        }
    }
}

/// A trap in one line of text.
#[derive(Debug)]
pub struct Description<'a>(pub &'a TrapFrame);

impl core::fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let header = &self.0.header;
        let cause = header.cause.decode().map_or("unknown trap", Cause::description);
        let mode = if header.flags.contains(TrapFlags::USER) { "process" } else { "kernel" };
        write!(
            f,
            "{cause} in the {mode}: address {:#x}, code {:#x}, pc {:#x}, sp {:#x}",
            header.address,
            header.code,
            self.0.program_counter(),
            self.0.stack_pointer(),
        )
    }
}
