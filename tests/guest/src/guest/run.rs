//! Machine code that tests have written: it is returned to from a trap that never was, and left by
//! the next trap or by its own return.
#![allow(unsafe_code, reason = "code of tests is run, from a trap frame at an address")]

use super::{arch, stack::Stack, touch};
use conformance::{FourRegisters, Half, Ran, Run};
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use hypercall_abi::{
    trap::{Cause, TrapFlags, TrapFrame, TrapHeader},
    vcpu_page::{TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};
use pv_guest::events;

/// Where the code of the kernel has its stack.
static STACK: Stack = Stack::new();

/// The stack pointer of [`arch::go`], with what it has to restore there.
pub static RETURN_STACK: AtomicU64 = AtomicU64::new(0);

/// Whether such code runs.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// What the trap found that ended it.
static REGISTERS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static PC: AtomicU64 = AtomicU64::new(0);

/// Runs the code.
pub fn run(run: Run) -> Ran {
    let user = run.half == Half::User;
    let were_masked = events::mask();
    let page = touch::VCPU_PAGE.load(Relaxed);
    let mut flags = TrapFlags::empty();
    flags.set(TrapFlags::USER, user);
    flags.set(TrapFlags::EVENTS_MASKED, were_masked);
    let header = TrapHeader { cause: Cause::Event.into(), flags, code: 0, address: 0, reserved: 0 };
    // A process has no stack but one that its test has made.
    let [value, second, mut stack, more] = run.registers;
    if stack == 0 && !user {
        stack = arch::returning_stack(&STACK);
    }
    let registers = arch::start(run.code.0, [value, second, stack, more]);
    // SAFETY: the vCPU page is mapped there. Events are masked, so that nothing traps before the
    // frame is returned to.
    unsafe {
        let depth = (page + TRAP_DEPTH_OFFSET as u64) as *mut u64;
        let held = depth.read_volatile();
        let frame = page + TRAP_FRAMES_OFFSET as u64 + held * size_of::<TrapFrame>() as u64;
        (frame as *mut TrapFrame).write_volatile(TrapFrame { header, registers });
        depth.write_volatile(held + 1);
    }
    RUNNING.store(true, SeqCst);
    // SAFETY: the frame is on top; what it leads to is a test's to answer for, and comes back
    // here.
    let accessed = unsafe { arch::go() };
    RUNNING.store(false, SeqCst);
    if accessed.failed == 0 {
        let registers = [accessed.value, 0, 0, 0];
        return Ran { registers, trapped: None, pc: 0 };
    }
    let registers: FourRegisters = core::array::from_fn(|index| REGISTERS[index].load(Relaxed));
    Ran { registers, trapped: Some(touch::last()), pc: PC.load(Relaxed) }
}

/// Ends the code that a trap has interrupted, if it is such code: the frame goes on in the kernel
/// where [`run`] is told of it.
pub fn ended(frame: &mut TrapFrame) -> bool {
    if !RUNNING.swap(false, SeqCst) {
        return false;
    }
    touch::note(frame);
    let (registers, pc) = arch::leave(frame);
    for (to, from) in REGISTERS.iter().zip(registers) {
        to.store(from, Relaxed);
    }
    PC.store(pc, Relaxed);
    frame.header.flags.remove(TrapFlags::USER);
    true
}
