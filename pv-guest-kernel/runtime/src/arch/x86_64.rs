//! x86-64: entries, process context, counter.

use super::{TrapFrameExt, trap_return_refused};
use crate::{start, trap, user, vcpu};
use core::arch::naked_asm;
use hypercall_abi::{
    Number,
    registers::X86_64Registers,
    start_info::StartInfo,
    trap::{Cause, TrapFlags, TrapFrame, TrapHeader},
    vcpu_page::{TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

/// Assembly that saves the registers which a function leaves to its caller as they were, on the
/// stack.
#[macro_export]
macro_rules! push_preserved {
    () => {
        "push rbp; push rbx; push r12; push r13; push r14; push r15"
    };
}

/// Assembly that takes back what [`push_preserved`](crate::push_preserved) saved.
#[macro_export]
macro_rules! pop_preserved {
    () => {
        "pop r15; pop r14; pop r13; pop r12; pop rbx; pop rbp"
    };
}

/// Where the hypervisor enters: `rdi` holds the address of the start information, `rsp` the
/// top of the boot stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.start")]
unsafe extern "C" fn _start(info: *const StartInfo) -> ! {
    naked_asm!("xor ebp, ebp", "call {start}", "ud2", start = sym start::start)
}

/// Where the hypervisor enters for traps. Every register is in the topmost trap frame already,
/// so that there is nothing to save; `rsp` is a multiple of 16.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "cld",
        "xor ebp, ebp",
        "mov rax, [rip + {page}]",
        "mov rcx, [rax + {depth}]",
        "imul rcx, rcx, {size}",
        "lea rdi, [rax + rcx + {frames} - {size}]",
        "call {trap}",
        "xor edi, edi",
        "mov eax, {trap_return}",
        "syscall",
        "mov rdi, rax",
        "mov rsi, rdx",
        "call {refused}",
        "ud2",
        page = sym vcpu::VCPU_PAGE,
        depth = const TRAP_DEPTH_OFFSET,
        size = const size_of::<TrapFrame>(),
        frames = const TRAP_FRAMES_OFFSET,
        trap = sym trap::trap,
        trap_return = const Number::TrapReturn as u64,
        refused = sym trap_return_refused,
    )
}

/// Goes to the context of the topmost trap frame, a process, after `updates` updates from the
/// argument frame. Returns status 0 when [`leave_user`] is called in a trap of the process, or
/// the status and value with which the hypervisor refused.
///
/// # Safety
/// The topmost trap frame is a context in virtual user mode.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter_user(updates: u64) -> user::Refusal {
    naked_asm!(
        crate::push_preserved!(),
        "mov [rip + {saved}], rsp",
        "mov eax, {trap_return}",
        "syscall",
        crate::pop_preserved!(),
        "ret",
        saved = sym user::KERNEL_STACK,
        trap_return = const Number::TrapReturn as u64,
    )
}

/// Returns from the call of [`enter_user`] that the process was entered by; the stack in use is
/// given up.
///
/// # Safety
/// A process was entered by [`enter_user`], whose caller's stack is as it was.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave_user() -> ! {
    naked_asm!(
        "mov rsp, [rip + {saved}]",
        crate::pop_preserved!(),
        "xor eax, eax",
        "xor edx, edx",
        "ret",
        saved = sym user::KERNEL_STACK,
    )
}

/// Calls `function`, which does not return, on another stack.
///
/// # Safety
/// `top` is a multiple of 16, below which there is stack that nothing else uses.
#[unsafe(naked)]
pub unsafe extern "C" fn call_on_stack(top: u64, function: extern "C" fn() -> !) -> ! {
    naked_asm!("mov rsp, rdi", "xor ebp, ebp", "call rsi", "ud2")
}

/// The time-stamp counter.
pub fn counter() -> u64 {
    // SAFETY: reading the counter changes nothing, and the hypervisor permits it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

impl TrapFrameExt for TrapFrame {
    fn new_user(entry: u64, stack: u64, arguments: [u64; 2]) -> TrapFrame {
        TrapFrame {
            header: TrapHeader {
                cause: Cause::Event.into(),
                flags: TrapFlags::USER,
                code: 0,
                address: 0,
                reserved: 0,
            },
            registers: X86_64Registers {
                rip: entry,
                rsp: stack,
                rdi: arguments[0],
                rsi: arguments[1],
                ..X86_64Registers::default()
            },
        }
    }

    fn program_counter(&self) -> u64 {
        self.registers.rip
    }

    fn set_program_counter(&mut self, address: u64) {
        self.registers.rip = address;
    }

    fn stack_pointer(&self) -> u64 {
        self.registers.rsp
    }

    fn set_stack_pointer(&mut self, address: u64) {
        self.registers.rsp = address;
    }

    fn system_call(&self) -> (u64, [u64; 3]) {
        let registers = &self.registers;
        (registers.rax, [registers.rdi, registers.rsi, registers.rdx])
    }

    fn finish_system_call(&mut self, result: u64) {
        // The program counter is that of the next instruction already.
        self.registers.rax = result;
    }
}
