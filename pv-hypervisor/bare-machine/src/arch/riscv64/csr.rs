//! Control and status registers.
#![allow(unsafe_code, reason = "control registers are reached by instructions")]

/// Reads a register by name. Reading those that images use has no effect.
macro_rules! read {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading the registers named in this folder has no effect.
        unsafe {
            core::arch::asm!(concat!("csrr {}, ", $name), out(reg) value, options(nostack));
        }
        value
    }};
}

/// Changes a register by name: `write` its value, `set` or `clear` bits.
macro_rules! change {
    (write $name:literal, $value:expr) => {
        core::arch::asm!(concat!("csrw ", $name, ", {}"), in(reg) $value, options(nostack))
    };
    (set $name:literal, $value:expr) => {
        core::arch::asm!(concat!("csrs ", $name, ", {}"), in(reg) $value, options(nostack))
    };
    (clear $name:literal, $value:expr) => {
        core::arch::asm!(concat!("csrc ", $name, ", {}"), in(reg) $value, options(nostack))
    };
}

pub(super) use {change, read};

/// sstatus: interrupts in S-mode.
pub const STATUS_INTERRUPTS: u64 = 1 << 1;
/// sstatus: the mode before the trap was S-mode.
pub const STATUS_PREVIOUS_SUPERVISOR: u64 = 1 << 8;
/// sstatus: vector unit, both bits.
pub const STATUS_VECTOR: u64 = 3 << 9;
/// sstatus: floating-point unit, both bits: on, and to be taken as changed.
pub const STATUS_FLOATING_POINT: u64 = 3 << 13;
/// sstatus: S-mode may use pages of U-mode.
pub const STATUS_USER_MEMORY: u64 = 1 << 18;
/// sstatus: executable pages can be read.
pub const STATUS_EXECUTE_READ: u64 = 1 << 19;
/// sie: the timer.
pub const INTERRUPT_TIMER: u64 = 1 << 5;
