//! The clock: the `time` counter to read, the firmware's timer to be woken by.
#![allow(unsafe_code, reason = "control registers")]

use super::csr::{INTERRUPT_TIMER, STATUS_PREVIOUS_SUPERVISOR, change, read};
use super::sbi;
use crate::hooks;
use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Ticks in a second, from the device tree; 0 until it is read.
static TICKS_PER_SECOND: AtomicU64 = AtomicU64::new(0);
/// How the timer is set.
static METHOD: AtomicU8 = AtomicU8::new(LEGACY);

/// By the first firmware call that there was.
const LEGACY: u8 = 0;
/// By the firmware's timer extension.
const FIRMWARE: u8 = 1;
/// By the comparison register of S-mode (Sstc), without the firmware.
const REGISTER: u8 = 2;

/// Remembers what the device tree says.
pub fn set_ticks_per_second(ticks: u64) {
    TICKS_PER_SECOND.store(ticks, Ordering::Relaxed);
}

/// Starts the clock: ticks of the counter in a second.
pub fn init_timer() -> u64 {
    let method = match () {
        () if has_comparison_register() => REGISTER,
        () if sbi::has(sbi::TIME) => FIRMWARE,
        () => LEGACY,
    };
    METHOD.store(method, Ordering::Relaxed);
    let ticks = TICKS_PER_SECOND.load(Ordering::Relaxed);
    if ticks == 0 {
        hooks::stop(format_args!("the device tree has no timebase-frequency"));
    }
    ticks
}

/// Whether S-mode has `stimecmp` and may use it: tries, and lands at the label either way.
fn has_comparison_register() -> bool {
    let found: u64;
    // SAFETY: a trap only sets registers that are set again here; the trap entry is put back.
    unsafe {
        asm!(
            "csrr {before}, stvec",
            "lla {entry}, 2f",
            "csrw stvec, {entry}",
            "li {found}, 0",
            "csrr {entry}, 0x14d",
            "li {found}, 1",
            ".balign 4",
            "2:",
            "csrw stvec, {before}",
            before = out(reg) _,
            entry = out(reg) _,
            found = out(reg) found,
            options(nostack),
        );
        change!(clear "sstatus", STATUS_PREVIOUS_SUPERVISOR);
    }
    found != 0
}

/// The counter.
#[inline(always)]
pub fn now() -> u64 {
    read!("time")
}

/// Instructions executed so far.
pub fn instructions() -> u64 {
    read!("instret")
}

/// One interrupt when the counter reaches `deadline`; `u64::MAX` for none.
pub fn set_alarm(deadline: u64) {
    if deadline == u64::MAX {
        take_interrupt();
        return;
    }
    match METHOD.load(Ordering::Relaxed) {
        // SAFETY: the register is there, and only says when the interrupt comes.
        REGISTER => unsafe { change!(write "0x14d", deadline) },
        FIRMWARE => _ = sbi::call(sbi::TIME, 0, [deadline, 0]),
        _ => _ = sbi::call(sbi::LEGACY_SET_TIMER, 0, [deadline, 0]),
    }
    // SAFETY: the interrupt is taken in U-mode only, where the trap entry expects it.
    unsafe { change!(set "sie", INTERRUPT_TIMER) };
}

/// Acknowledges the interrupt: the timer stays quiet until the next alarm is set, which costs no
/// call to the firmware.
pub fn take_interrupt() {
    // SAFETY: fewer interrupts are always sound.
    unsafe { change!(clear "sie", INTERRUPT_TIMER) };
}

/// Sleeps until an interrupt has come, which is acknowledged.
pub fn wait_for_interrupt() {
    // SAFETY: with interrupts off in S-mode the instruction only waits.
    unsafe { asm!("wfi", options(nostack)) };
    if read!("sip") & INTERRUPT_TIMER != 0 {
        take_interrupt();
    }
}
