//! x86-64: entries, process context, counter.

use super::{FLOATING_POINT_BYTES, FloatingPoint, TrapFrameExt, trap_return_refused};
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
/// `top` is a multiple of 16, below which there is stack that nothing else uses, and `argument` is one
/// that the function may have.
#[unsafe(naked)]
pub unsafe extern "C" fn call_on_stack(
    top: u64,
    function: extern "C" fn(*mut ()) -> !,
    argument: *mut (),
) -> ! {
    naked_asm!("mov rsp, rdi", "xor ebp, ebp", "mov rdi, rdx", "call rsi", "ud2")
}

/// The time-stamp counter.
pub fn counter() -> u64 {
    // SAFETY: reading the counter changes nothing, and the hypervisor permits it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Fills a page with zeros.
///
/// # Safety
/// The page is mapped writable and nothing of Rust's lies in it.
pub(crate) unsafe fn zero_page(page: *mut u64) {
    // SAFETY: the compiler makes the string instruction of it; the caller answers for the page.
    unsafe { page.write_bytes(0, 512) };
}

/// Copies a page.
///
/// # Safety
/// Both are mapped, the second writable, and nothing of Rust's lies in it.
pub(crate) unsafe fn copy_page(from: *const u64, to: *mut u64) {
    // SAFETY: as for `zero_page`. `copy` permits that they are the same page.
    unsafe { core::ptr::copy(from, to, 512) };
}

/// Copies the registers of a process.
///
/// # Safety
/// Both are that, and they do not overlap.
#[inline(always)]
pub(crate) unsafe fn copy_registers(from: *const X86_64Registers, to: *mut X86_64Registers) {
    const WORDS: usize = size_of::<X86_64Registers>() / 8;
    // SAFETY: the caller answers for them. The direction flag is clear in compiled code. Each
    // process that runs comes through here twice: for so few words a call of `memcpy` costs more
    // than they do.
    unsafe {
        core::arch::asm!(
            "rep movsq",
            inout("rcx") WORDS => _, inout("rsi") from => _, inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// As after a reset, with every exception masked: FCW 0x037f at byte 0, MXCSR 0x1f80 at byte 24.
pub const CLEAN_FLOATING_POINT: FloatingPoint = {
    let mut area = [0; FLOATING_POINT_BYTES];
    area[0] = 0x7f;
    area[1] = 0x03;
    area[24] = 0x80;
    area[25] = 0x1f;
    area
};

/// Where `MXCSR` lies, and the bits of it that every processor with SSE2 has.
const MXCSR: core::ops::Range<usize> = 24..28;
const MXCSR_BITS: u32 = 0xffff;

/// Saves x87 and SSE registers. The kernel is compiled to use none of them.
///
/// # Panics
/// If the area is not aligned to 16.
pub fn save_floating_point(area: &mut FloatingPoint) {
    let area = area.as_mut_ptr();
    assert!((area as usize).is_multiple_of(16), "`fxsave` wants 16 bytes of alignment");
    // SAFETY: the area is 512 bytes that nothing else uses, and aligned.
    unsafe { core::arch::asm!("fxsave64 [{}]", in(reg) area, options(nostack)) };
}

/// Loads x87 and SSE registers. What stands in the area may be a process's own.
///
/// # Panics
/// If the area is not aligned to 16.
pub fn load_floating_point(area: &FloatingPoint) {
    #[repr(align(16))]
    struct Aligned(FloatingPoint);
    let mxcsr = u32::from_le_bytes([area[24], area[25], area[26], area[27]]);
    if mxcsr & !MXCSR_BITS != 0 {
        // A reserved bit of MXCSR is a protection fault of whoever loads it: of the kernel.
        let mut harmless = Aligned(*area);
        harmless.0[MXCSR].copy_from_slice(&(mxcsr & MXCSR_BITS).to_le_bytes());
        return load_floating_point(&harmless.0);
    }
    let area = area.as_ptr();
    assert!((area as usize).is_multiple_of(16), "`fxrstor` wants 16 bytes of alignment");
    // SAFETY: the area is 512 bytes, aligned, and no reserved bit of MXCSR is set. The kernel is
    // compiled to use none of the registers.
    unsafe { core::arch::asm!("fxrstor64 [{}]", in(reg) area, options(nostack)) };
}

/// Nothing to do: fetches see what was written.
pub fn synchronize_instructions() {}

/// `rdrand`, where the processor has it.
pub fn hardware_random() -> Option<u64> {
    use core::sync::atomic::{AtomicU8, Ordering};
    static PRESENT: AtomicU8 = AtomicU8::new(2);
    let mut present = PRESENT.load(Ordering::Relaxed);
    if present == 2 {
        present = u8::from(core::arch::x86_64::__cpuid(1).ecx & 1 << 30 != 0);
        PRESENT.store(present, Ordering::Relaxed);
    }
    if present == 0 {
        return None;
    }
    // It can fail for a moment; ten times in a row means that it is broken.
    (0..10).find_map(|_| {
        let (value, valid): (u64, u8);
        // SAFETY: the processor has the instruction, which changes the register and flags alone.
        unsafe {
            core::arch::asm!(
                "rdrand {}", "setc {}", out(reg) value, out(reg_byte) valid,
                options(nomem, nostack)
            );
        };
        (valid == 1).then_some(value)
    })
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
