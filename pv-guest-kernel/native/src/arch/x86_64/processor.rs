//! Entering and leaving processes.
#![allow(unsafe_code, reason = "the way to a process and back")]

use super::Registers;
use crate::arch::Left;
use crate::fatal;
use bare_machine::arch::{self, cause, processor};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use hypercall_abi::registers::X86_64Registers;
use kernel_core::FloatState;

core::arch::global_asm!(include_str!("entry.s"), options(att_syntax));

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
    fn call_entry();
    fn enter_user(registers: *mut X86_64Registers);
}

const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;

/// In `reserved_vector`: the process made a system call. As `entry.s` has it.
const CALL: u64 = 0x100;

/// First address that is not for processes.
const USER_END: u64 = 1 << 47;

/// MXCSR: bits that every processor with long mode has.
const MXCSR_BITS: u32 = 0xffff;
/// Where MXCSR lies in the area of `fxsave`.
const MXCSR: usize = 24;

/// The stack on which traps from processes begin; they leave it before Rust runs. A trap in the
/// kernel stays on the stack that it finds, which can be this one.
#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; 8 * 1024]>);

// SAFETY: only the processor and the entry code use it.
unsafe impl Sync for Stack {}

static TRAP_STACK: Stack = Stack(UnsafeCell::new([0; 8 * 1024]));

static FAST_BASES: AtomicBool = AtomicBool::new(false);

/// The processor.
#[derive(Debug)]
pub struct Processor {
    /// Whether it has `rdfsbase` and its like.
    fast_bases: bool,
}

impl Processor {
    /// Sets the processor up: from here on traps are handled.
    pub fn init() {
        let entry = |fast_bases| {
            FAST_BASES.store(fast_bases, Ordering::Relaxed);
            let entry: unsafe extern "C" fn() = call_entry;
            entry as usize as u64
        };
        // SAFETY: the entries are those of `entry.s`, and the stack is theirs alone.
        unsafe {
            processor::init(entry, (&raw const trap_stubs) as u64);
            processor::set_registers_end(trap_stack_end());
        }
    }

    /// The processor, once it is set up.
    pub fn new() -> Processor {
        Processor { fast_bases: FAST_BASES.load(Ordering::Relaxed) }
    }

    /// Clears what the last process left in registers that nobody saves.
    pub fn other_process(&mut self) {
        // SAFETY: the stack is the entries' alone.
        unsafe { processor::set_registers_end(trap_stack_end()) };
    }

    /// Runs a process, by whose tables the processor translates, until it leaves.
    #[inline]
    pub fn run(&mut self, registers: &mut Registers) -> Left {
        let r = &mut registers.0;
        r.rflags = Registers::sanitised_flags(r.rflags);
        // SAFETY: the entry code needs neither base. `enter_user` comes back when the process is
        // left, with its registers stored there, and changes nothing else of the kernel's; the
        // process's tables map nothing of the kernel's for ring 3.
        unsafe {
            if self.fast_bases {
                asm!(
                    "wrfsbase {}", "wrgsbase {}",
                    in(reg) r.fs_base, in(reg) r.gs_base, options(nostack, preserves_flags)
                );
                enter_user(r);
                asm!(
                    "rdfsbase {}", "rdgsbase {}",
                    out(reg) r.fs_base, out(reg) r.gs_base, options(nostack, preserves_flags)
                );
            } else {
                arch::msr_write(FS_BASE, r.fs_base);
                arch::msr_write(GS_BASE, r.gs_base);
                enter_user(r);
            }
        }
        if r.reserved_vector == CALL {
            return Left::Call;
        }
        match cause::decode_trap(r) {
            Some(trap) => Left::Trap(trap),
            None => {
                arch::take_interrupt();
                Left::Interrupt
            }
        }
    }
}

fn trap_stack_end() -> u64 {
    TRAP_STACK.0.get() as u64 + size_of::<Stack>() as u64
}

/// Whether the process's program counter is one of a process: going to an address that is not
/// canonical faults in ring 0, with `iretq` and on some processors with `sysretq` (CVE-2012-0217).
#[inline(always)]
pub fn can_go_on(registers: &Registers) -> bool {
    registers.0.rip < USER_END
}

/// The floating-point registers without reserved bits of MXCSR, which fault when they are loaded;
/// `None` if none is set.
#[inline]
pub fn sanitised_float(state: &FloatState) -> Option<FloatState> {
    let word = core::array::from_fn(|index| state.0[MXCSR + index]);
    let word = u32::from_le_bytes(word);
    (word & !MXCSR_BITS != 0).then(|| {
        let mut state = state.clone();
        state.0[MXCSR..MXCSR + 4].copy_from_slice(&(word & MXCSR_BITS).to_le_bytes());
        state
    })
}

/// A trap while the kernel runs, called by `entry.s`: the timer while it sleeps, an NMI, a debug
/// exception that `mov ss` delayed; anything else is a fault of the kernel.
#[unsafe(no_mangle)]
extern "C" fn on_kernel_trap(registers: &mut X86_64Registers) {
    match registers.reserved_vector {
        1 => {
            cause::clear_debug_status();
            registers.rflags &= !(1 << 8);
        }
        2 => {}
        vector if vector >= 32 => arch::take_interrupt(),
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
