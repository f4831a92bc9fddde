//! Entering and leaving processes.
#![allow(unsafe_code, reason = "the way to a process and back")]

use super::Registers;
use crate::arch::Left;
use crate::fatal;
use bare_machine::arch::{self, cause, processor};
use hypercall_abi::registers::Riscv64Registers;
use kernel_core::FloatState;

core::arch::global_asm!(include_str!("entry.s"));

unsafe extern "C" {
    fn trap_entry();
    /// The return value is `scause`.
    fn enter_user(registers: *mut Riscv64Registers) -> u64;
}

/// scause: `ecall` from U-mode.
const CALL: u64 = 8;

/// The hart.
#[derive(Debug)]
pub struct Processor(());

impl Processor {
    /// Sets the hart up: from here on traps are handled.
    pub fn init() {
        let entry: unsafe extern "C" fn() = trap_entry;
        // SAFETY: the entry is that of `entry.s`.
        unsafe { processor::init(entry as usize as u64) };
    }

    /// The hart, once it is set up.
    pub fn new() -> Processor {
        Processor(())
    }

    /// Every register that a process has is saved.
    pub fn other_process(&mut self) {}

    /// Runs a process, by whose tables the hart translates, until it leaves.
    #[inline]
    pub fn run(&mut self, registers: &mut Registers) -> Left {
        // SAFETY: `enter_user` comes back when the process is left, with its registers stored
        // there, and changes nothing else of the kernel's; the process's tables map nothing of the
        // kernel's for U-mode.
        if unsafe { enter_user(&mut registers.0) } == CALL {
            registers.step_over_call();
            return Left::Call;
        }
        match cause::decode_trap(&mut registers.0) {
            Some(trap) => Left::Trap(trap),
            None => {
                arch::take_interrupt();
                Left::Interrupt
            }
        }
    }
}

/// `sret` takes any address: one that is not a process's faults in U-mode.
#[inline(always)]
pub fn can_go_on(_registers: &Registers) -> bool {
    true
}

/// The floating-point registers without what the hart does not take: it takes everything.
#[inline]
pub fn sanitised_float(_state: &FloatState) -> Option<FloatState> {
    None
}

/// A trap while the kernel runs, called by `entry.s`.
#[unsafe(no_mangle)]
extern "C" fn on_kernel_trap(registers: &Riscv64Registers) -> ! {
    let (reason, value) = cause::reason();
    fatal::trap(format_args!("trap {reason:#x}, value {value:#x},"), registers)
}
