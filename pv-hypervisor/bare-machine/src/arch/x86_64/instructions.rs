//! The privileged instructions that images use, one function each.
#![allow(unsafe_code, reason = "each function is one privileged instruction")]

use core::arch::asm;

/// Reads a port of one byte.
pub fn port_read(port: u16) -> u8 {
    let value: u8;
    // SAFETY: reading a port touches no memory; the callers name devices of their own.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
    value
}

/// Writes a port of one byte.
pub fn port_write(port: u16, value: u8) {
    // SAFETY: the ports written here (serial, PIC, PIT, exit) start no access to memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

/// Writes a port of four bytes.
pub fn port_write_long(port: u16, value: u32) {
    // SAFETY: as `port_write`; for what a device's configuration starts `pci` answers.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack)) };
}

/// Reads a port of four bytes.
pub fn port_read_long(port: u16) -> u32 {
    let value: u32;
    // SAFETY: as `port_read`.
    unsafe { asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack)) };
    value
}

/// Reads a model-specific register.
///
/// # Safety
/// The processor has the register.
pub unsafe fn msr_read(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the register exists, as the caller promises.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    (high as u64) << 32 | low as u64
}

/// Writes a model-specific register.
///
/// # Safety
/// The processor has the register, and what the value makes of the processor is sound.
pub unsafe fn msr_write(register: u32, value: u64) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "wrmsr",
            in("ecx") register,
            in("eax") value as u32,
            in("edx") (value >> 32) as u32,
            options(nostack),
        );
    }
}

/// The processor's answer to `cpuid`: eax, ebx, ecx, edx.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    // SAFETY: every processor with long mode has the instruction.
    let answer = unsafe { core::arch::x86_64::__cpuid_count(leaf, subleaf) };
    [answer.eax, answer.ebx, answer.ecx, answer.edx]
}

/// The time-stamp counter.
#[inline(always)]
pub fn counter() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// A random number, from a processor that gives any.
pub fn hardware_random() -> Option<u64> {
    /// Times that the processor may say that it has none just now.
    const TRIES: u32 = 10;
    if cpuid(1, 0)[2] & 1 << 30 == 0 {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let (number, given): (u64, u8);
        // SAFETY: the processor has the instruction, which changes the flags alone.
        unsafe {
            asm!(
                "rdrand {number}",
                "setc {given}",
                number = out(reg) number,
                given = out(reg_byte) given,
                options(nomem, nostack),
            );
        }
        (given != 0).then_some(number)
    })
}
