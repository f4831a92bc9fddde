//! Accesses that may fault, and the trap entry that notes the fault.
//!
//! The suite has an entry of its own, not the runtime's: tests want to know what is
//! registered, and to leave a trap with updates that they have laid out themselves.
#![allow(unsafe_code, reason = "wild accesses are what this module is for")]

use super::{arch, run, stack::Stack};
use conformance::{Touch, Trapped};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use hypercall_abi::{
    Status, VirtAddr,
    calls::TrapRegister,
    start_info::{StartInfo, VCPU_PAGE_PFN},
    stubs,
    trap::{Cause, TrapFrame},
};
use pv_guest::events;

/// The stack for traps from processes.
static STACK: Stack = Stack::new();

/// Address of the vCPU page, for the entry.
pub static VCPU_PAGE: AtomicU64 = AtomicU64::new(0);

/// Whether an access is being made, so that a fault is its own.
static TOUCHING: AtomicBool = AtomicBool::new(false);
/// Updates that the handler is to return with, once; then the access is tried again.
static MENDING: AtomicU64 = AtomicU64::new(0);
/// Whether it has.
static MENDED: AtomicBool = AtomicBool::new(false);

/// What the handler found, first and last.
struct Found {
    cause: AtomicU64,
    code: AtomicU64,
    address: AtomicU64,
}

impl Found {
    const fn new() -> Found {
        Found { cause: AtomicU64::new(0), code: AtomicU64::new(0), address: AtomicU64::new(0) }
    }

    fn note(&self, frame: &TrapFrame) {
        self.cause.store(frame.header.cause.0.into(), Relaxed);
        self.code.store(frame.header.code, Relaxed);
        self.address.store(frame.header.address, Relaxed);
    }

    fn get(&self) -> Trapped {
        Trapped {
            cause: hypercall_abi::trap::CauseBits(self.cause.load(Relaxed) as u32).decode(),
            code: self.code.load(Relaxed),
            address: self.address.load(Relaxed),
        }
    }
}

static FIRST: Found = Found::new();
static LAST: Found = Found::new();

/// Notes the trap that ended what was going on.
pub fn note(frame: &TrapFrame) {
    LAST.note(frame);
}

/// The last trap that was noted.
pub fn last() -> Trapped {
    LAST.get()
}

/// What the entry is registered with.
pub fn entry() -> TrapRegister {
    let entry = arch::trap_entry as *const () as u64;
    TrapRegister { entry: VirtAddr(entry), stack: VirtAddr(STACK.end()) }
}

/// Registers the entry.
pub fn register(info: &StartInfo) -> Result<(), &'static str> {
    VCPU_PAGE.store(info.physmap_base + VCPU_PAGE_PFN.0 * 4096, Relaxed);
    // SAFETY: the entry is one, and the stack is used by nothing else.
    let (status, _) = unsafe { stubs::call(&entry()) };
    if status == Status::SUCCESS { Ok(()) } else { Err("trap_register was refused") }
}

/// Called by the entry with the topmost frame; the updates to return with.
pub extern "C" fn trap(frame: *mut TrapFrame) -> u64 {
    // SAFETY: the entry computes the address of the topmost frame, which the hypervisor has
    // filled and does not touch before `trap_return`.
    let frame = unsafe { &mut *frame };
    if frame.header.cause.decode() == Some(Cause::Event) {
        events::dispatch();
        run::ended(frame);
        return 0;
    }
    if run::ended(frame) {
        return 0;
    }
    if !TOUCHING.load(Relaxed) {
        pv_guest::trap::fatal(frame);
    }
    LAST.note(frame);
    let updates = MENDING.load(Relaxed);
    if updates != 0 && !MENDED.swap(true, Relaxed) {
        FIRST.note(frame);
        return updates;
    }
    arch::give_up(frame);
    0
}

/// Called by the entry when `trap_return` came back.
pub extern "C" fn refused(status: u64, value: u64) -> ! {
    panic!("trap_return was refused: status {status}, value {value}");
}

/// Makes an access.
///
/// # Errors
/// The trap that it ended in.
pub fn touch(address: VirtAddr, touch: Touch) -> Result<u64, Trapped> {
    TOUCHING.store(true, Relaxed);
    // SAFETY: what the address leads to is memory that tests own, or nothing: a fault comes
    // back as one. Nothing of Rust's lies in such memory; code is one return instruction.
    let result = unsafe {
        match touch {
            Touch::Read => arch::read(address.0),
            Touch::Write(value) => arch::write(address.0, value),
            Touch::Execute => arch::execute(address.0),
        }
    };
    TOUCHING.store(false, Relaxed);
    if result.failed == 0 { Ok(result.value) } else { Err(LAST.get()) }
}

/// Makes an access; on a fault the handler returns with `updates` updates from the argument
/// frame and the access is made again.
pub fn touch_mending(
    address: VirtAddr,
    access: Touch,
    updates: u64,
) -> (Option<Trapped>, Result<u64, Trapped>) {
    MENDED.store(false, Relaxed);
    MENDING.store(updates, Relaxed);
    let result = touch(address, access);
    MENDING.store(0, Relaxed);
    (MENDED.load(Relaxed).then(|| FIRST.get()), result)
}
