//! The clock: the time-stamp counter to read, the local APIC's timer to be woken by, both
//! measured against the PIT, whose speed is known.
#![allow(unsafe_code, reason = "device registers in memory, and the sleeping instruction")]

use super::instructions::{counter, msr_read, port_read, port_write};
use super::memory::{LOCAL_APIC, LOCAL_APIC_MACHINE};
use crate::hooks;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// Vector of the timer.
const TIMER_VECTOR: u32 = 0x40;
/// Vector of interrupts that went away before they were taken.
const SPURIOUS_VECTOR: u32 = 0xff;

const APIC_BASE: u32 = 0x1b;
const APIC_ENABLED: u64 = 1 << 11;
const X2APIC: u64 = 1 << 10;

// Registers of the local APIC, Intel SDM volume 3, 11.4.
const TASK_PRIORITY: u64 = 0x80;
const END_OF_INTERRUPT: u64 = 0xb0;
const SPURIOUS: u64 = 0xf0;
const LVT_TIMER: u64 = 0x320;
const LVT_LINT0: u64 = 0x350;
const LVT_LINT1: u64 = 0x360;
const LVT_ERROR: u64 = 0x370;
const INITIAL_COUNT: u64 = 0x380;
const CURRENT_COUNT: u64 = 0x390;
const DIVIDE: u64 = 0x3e0;
const MASKED: u32 = 1 << 16;
const SOFTWARE_ENABLED: u32 = 1 << 8;
const DIVIDE_BY_ONE: u32 = 0b1011;

/// Ticks of the PIT in a second.
const PIT_HZ: u64 = 1_193_182;
/// Ticks of the PIT that the measurement lasts: about a millisecond.
const PIT_COUNT: u16 = 1193;

/// Timer ticks for each counter tick, times 2^32.
static SCALE: AtomicU64 = AtomicU64::new(0);

fn read(register: u64) -> u32 {
    // SAFETY: the page is mapped as a device, and the offset is a register of it.
    unsafe { ((LOCAL_APIC + register) as *const u32).read_volatile() }
}

fn write(register: u64, value: u32) {
    // SAFETY: as `read`; none of the registers makes the APIC touch memory.
    unsafe { ((LOCAL_APIC + register) as *mut u32).write_volatile(value) };
}

/// Starts the clock: ticks of the counter in a second.
pub fn init_timer() -> u64 {
    // SAFETY: `init_processor` has seen that there is a local APIC.
    let base = unsafe { msr_read(APIC_BASE) };
    if base & 0x000f_ffff_ffff_f000 != LOCAL_APIC_MACHINE
        || base & (APIC_ENABLED | X2APIC) != APIC_ENABLED
    {
        hooks::stop(format_args!("the local APIC is not where it should be: {base:#x}"));
    }
    silence_pic();
    write(SPURIOUS, SOFTWARE_ENABLED | SPURIOUS_VECTOR);
    write(TASK_PRIORITY, 0);
    write(LVT_LINT0, MASKED);
    write(LVT_LINT1, MASKED);
    write(LVT_ERROR, MASKED);
    write(DIVIDE, DIVIDE_BY_ONE);
    write(LVT_TIMER, MASKED);

    let (ticks, timer_ticks) = measure();
    SCALE.store((timer_ticks << 32) / ticks, Ordering::Relaxed);
    write(INITIAL_COUNT, 0);
    write(LVT_TIMER, TIMER_VECTOR);
    ticks * PIT_HZ / PIT_COUNT as u64
}

/// Counter and timer ticks in [`PIT_COUNT`] ticks of the PIT.
fn measure() -> (u64, u64) {
    // Channel 2, which nothing else uses: gate on, speaker off, one-shot.
    port_write(0x61, port_read(0x61) & !0b10 | 0b01);
    port_write(0x43, 0b1011_0000);
    port_write(0x42, PIT_COUNT as u8);
    write(INITIAL_COUNT, u32::MAX);
    port_write(0x42, (PIT_COUNT >> 8) as u8);
    let (from, timer_from) = (counter(), read(CURRENT_COUNT));
    let limit = from.saturating_add(10_000_000_000);
    while port_read(0x61) & 0x20 == 0 {
        if counter() > limit {
            hooks::stop(format_args!("the PIT does not count: no clock to measure the timer by"));
        }
    }
    let (to, timer_to) = (counter(), read(CURRENT_COUNT));
    (to.saturating_sub(from).max(1), (timer_from - timer_to) as u64)
}

/// Moves the old interrupt controllers' vectors out of the exceptions' way and masks every line.
fn silence_pic() {
    for (command, data, first) in [(0x20, 0x21, 0x20), (0xa0, 0xa1, 0x28)] {
        port_write(command, 0x11);
        port_write(data, first);
        port_write(data, if command == 0x20 { 4 } else { 2 });
        port_write(data, 1);
        port_write(data, 0xff);
    }
}

/// One interrupt when the counter reaches `deadline`, or earlier when that is far away;
/// `u64::MAX` for none.
pub fn set_alarm(deadline: u64) {
    if deadline == u64::MAX {
        write(INITIAL_COUNT, 0);
        return;
    }
    let ticks = deadline.saturating_sub(counter()).min(1 << 30);
    let scaled = ticks * SCALE.load(Ordering::Relaxed).min(1 << 33);
    let count = (scaled >> 32) + 1;
    write(INITIAL_COUNT, count.min(u32::MAX as u64) as u32);
}

/// Acknowledges the interrupt.
pub fn take_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// Sleeps until an interrupt has come, which is acknowledged on the way.
pub fn wait_for_interrupt() {
    // SAFETY: interrupts are on for the sleeping instruction alone; the handler for the
    // hypervisor's own traps takes them and touches nothing of ours.
    unsafe { asm!("sti", "hlt", "cli") };
}
