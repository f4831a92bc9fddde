//! riscv64: entries, process context, counter.

use super::{FLOATING_POINT_BYTES, FloatingPoint, TrapFrameExt, trap_return_refused};
use crate::{start, trap, user, vcpu};
use core::arch::naked_asm;
use hypercall_abi::{
    Number,
    registers::Riscv64Registers,
    start_info::StartInfo,
    trap::{Cause, TrapFlags, TrapFrame, TrapHeader},
    vcpu_page::{TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET},
};

/// Assembly that saves the registers which a function leaves to its caller as they were, on the
/// stack.
#[macro_export]
macro_rules! push_preserved {
    () => {
        "addi sp, sp, -112; sd ra, 0(sp); sd s0, 8(sp); sd s1, 16(sp); \
         sd s2, 24(sp); sd s3, 32(sp); sd s4, 40(sp); sd s5, 48(sp); \
         sd s6, 56(sp); sd s7, 64(sp); sd s8, 72(sp); sd s9, 80(sp); \
         sd s10, 88(sp); sd s11, 96(sp)"
    };
}

/// Assembly that takes back what [`push_preserved`](crate::push_preserved) saved.
#[macro_export]
macro_rules! pop_preserved {
    () => {
        "ld ra, 0(sp); ld s0, 8(sp); ld s1, 16(sp); ld s2, 24(sp); \
         ld s3, 32(sp); ld s4, 40(sp); ld s5, 48(sp); ld s6, 56(sp); \
         ld s7, 64(sp); ld s8, 72(sp); ld s9, 80(sp); ld s10, 88(sp); \
         ld s11, 96(sp); addi sp, sp, 112"
    };
}

/// Where the hypervisor enters: `a0` holds the address of the start information, `sp` the top of
/// the boot stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.start")]
unsafe extern "C" fn _start(info: *const StartInfo) -> ! {
    naked_asm!("mv s0, zero", "call {start}", "unimp", start = sym start::start)
}

/// Where the hypervisor enters for traps. Every register is in the topmost trap frame already,
/// so that there is nothing to save; `sp` is a multiple of 16. The kernel does not use `gp` and
/// `tp`, which are the process's then.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn trap_entry() {
    naked_asm!(
        "mv s0, zero",
        "la t0, {page}",
        "ld t0, 0(t0)",
        "ld t1, {depth}(t0)",
        "addi t1, t1, -1",
        "li t2, {size}",
        // Naked functions are assembled without the target's extensions.
        ".option push",
        ".option arch, +m",
        "mul t1, t1, t2",
        ".option pop",
        "add a0, t0, t1",
        "addi a0, a0, {frames}",
        "call {trap}",
        "li a0, 0",
        "li a7, {trap_return}",
        "ecall",
        "call {refused}",
        "unimp",
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
        "la t0, {saved}",
        "sd sp, 0(t0)",
        "li a7, {trap_return}",
        "ecall",
        // Refused: everything but the stack pointer is as it was.
        "addi sp, sp, 112",
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
        "la t0, {saved}",
        "ld sp, 0(t0)",
        crate::pop_preserved!(),
        "li a0, 0",
        "li a1, 0",
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
    naked_asm!("mv sp, a0", "mv s0, zero", "mv a0, a2", "jalr a1", "unimp")
}

/// The `time` counter.
pub fn counter() -> u64 {
    let time: u64;
    // SAFETY: reading the counter changes nothing, and the hypervisor permits it.
    unsafe { core::arch::asm!("rdtime {}", out(reg) time, options(nomem, nostack)) };
    time
}

/// Fills a page with zeros: sixteen stores a round, where a loop of words takes three
/// instructions each.
///
/// # Safety
/// The page is mapped writable and nothing of Rust's lies in it.
pub(crate) unsafe fn zero_page(page: *mut u64) {
    // SAFETY: the stores are those of the page, for which the caller answers.
    unsafe {
        core::arch::asm!(
            "2:",
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "sd zero, 8*\\n({page})",
            ".endr",
            "addi {page}, {page}, 128",
            "bne {page}, {end}, 2b",
            page = inout(reg) page => _,
            end = in(reg) page.wrapping_add(512),
            options(nostack),
        );
    }
}

/// Copies a page.
///
/// # Safety
/// Both are mapped, the second writable, and nothing of Rust's lies in it.
pub(crate) unsafe fn copy_page(from: *const u64, to: *mut u64) {
    for block in (0..512).step_by(8) {
        // SAFETY: within the two pages, for which the caller answers.
        unsafe { copy_words::<8>(from.add(block), to.add(block)) };
    }
}

/// Copies the registers of a process.
///
/// # Safety
/// Both are that, and they do not overlap.
pub(crate) unsafe fn copy_registers(from: *const Riscv64Registers, to: *mut Riscv64Registers) {
    const WORDS: usize = size_of::<Riscv64Registers>() / 8;
    // SAFETY: they are words without a gap; the caller answers for them.
    unsafe { copy_words::<WORDS>(from.cast(), to.cast()) };
}

/// Copies words one by one: the compiler would call a loop that takes twice as many
/// instructions.
///
/// # Safety
/// As many words can be read and written there.
#[inline(always)]
unsafe fn copy_words<const WORDS: usize>(from: *const u64, to: *mut u64) {
    for index in 0..WORDS {
        // SAFETY: the caller answers for the words. Volatile, or it becomes that call.
        unsafe { to.add(index).write_volatile(from.add(index).read()) };
    }
}

/// All zero: rounds to nearest, no exception is flagged.
pub const CLEAN_FLOATING_POINT: FloatingPoint = [0; FLOATING_POINT_BYTES];

core::arch::global_asm!(
    // The kernel is built without these registers, so that they are the process's all the time.
    ".option push",
    ".option arch, +d",
    ".section .text.floating_point, \"ax\"",
    "guest_save_floating_point:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "fsd f\\n, 8*\\n(a0)",
    ".endr",
    "frcsr a1",
    "sd a1, 256(a0)",
    "ret",
    "guest_load_floating_point:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "fld f\\n, 8*\\n(a0)",
    ".endr",
    "ld a1, 256(a0)",
    "fscsr a1",
    "ret",
    ".option pop",
);

unsafe extern "C" {
    fn guest_save_floating_point(area: *mut u64);
    fn guest_load_floating_point(area: *const u64);
}

/// Saves `f0` to `f31` and `fcsr`, on a machine that has them: where the hypervisor does not
/// offer `FLOATING_POINT` this is an illegal instruction.
///
/// # Panics
/// If the area is not aligned to 8.
pub fn save_floating_point(area: &mut FloatingPoint) {
    let area = area.as_mut_ptr().cast::<u64>();
    assert!(area.is_aligned(), "the registers are stored as words");
    // SAFETY: the routine writes 264 bytes of the area and changes a1.
    unsafe { guest_save_floating_point(area) };
}

/// Loads `f0` to `f31` and `fcsr`, as [`save_floating_point`]. What stands in the area may be a
/// process's own: no pattern of bits is refused.
///
/// # Panics
/// If the area is not aligned to 8.
pub fn load_floating_point(area: &FloatingPoint) {
    let area = area.as_ptr().cast::<u64>();
    assert!(area.is_aligned(), "the registers are loaded as words");
    // SAFETY: the routine reads 264 bytes of the area and changes a1.
    unsafe { guest_load_floating_point(area) };
}

/// Makes what was written visible to fetches.
pub fn synchronize_instructions() {
    // SAFETY: it orders stores before fetches, and changes nothing.
    unsafe { core::arch::asm!("fence.i", options(nostack)) };
}

/// The processor's source of entropy is for machine mode.
pub fn hardware_random() -> Option<u64> {
    None
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
            registers: Riscv64Registers {
                pc: entry,
                sp: stack,
                a0: arguments[0],
                a1: arguments[1],
                ..Riscv64Registers::default()
            },
        }
    }

    fn program_counter(&self) -> u64 {
        self.registers.pc
    }

    fn set_program_counter(&mut self, address: u64) {
        self.registers.pc = address;
    }

    fn stack_pointer(&self) -> u64 {
        self.registers.sp
    }

    fn set_stack_pointer(&mut self, address: u64) {
        self.registers.sp = address;
    }

    fn system_call(&self) -> (u64, [u64; 3]) {
        let registers = &self.registers;
        (registers.a7, [registers.a0, registers.a1, registers.a2])
    }

    fn finish_system_call(&mut self, result: u64) {
        // The program counter is that of the `ecall`, four bytes long, itself.
        self.registers.a0 = result;
        self.registers.pc += 4;
    }
}
