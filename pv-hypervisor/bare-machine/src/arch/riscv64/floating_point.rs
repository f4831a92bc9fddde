//! The floating-point registers, kept apart between vCPUs, always loaded eagerly. The hypervisor
//! is built without them, so that they are the guest's while it runs.
#![allow(unsafe_code, reason = "saving and loading are instructions")]

use super::csr::{STATUS_FLOATING_POINT, read};
use core::sync::atomic::{AtomicBool, Ordering};

static PRESENT: AtomicBool = AtomicBool::new(false);

core::arch::global_asm!(
    ".option push",
    ".option arch, +d",
    ".section .text.floating_point, \"ax\"",
    "save_floating_point:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "fsd f\\n, 8*\\n(a0)",
    ".endr",
    "frcsr a1",
    "sd a1, 256(a0)",
    "ret",
    "load_floating_point:",
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "fld f\\n, 8*\\n(a0)",
    ".endr",
    "ld a1, 256(a0)",
    "fscsr a1",
    "ret",
    ".option pop",
);

unsafe extern "C" {
    fn save_floating_point(area: *mut FloatingPoint);
    fn load_floating_point(area: *const FloatingPoint);
}

/// f0 to f31 and fcsr.
#[repr(C, align(16))]
pub struct FloatingPoint([u64; 33]);

/// Finds out whether the hart has the registers: sstatus.FS stays 0 where it has not.
pub fn detect() {
    PRESENT.store(read!("sstatus") & STATUS_FLOATING_POINT != 0, Ordering::Relaxed);
}

impl FloatingPoint {
    /// Whether guests have the registers.
    pub fn is_present() -> bool {
        PRESENT.load(Ordering::Relaxed)
    }

    /// All zero.
    pub const fn clean() -> FloatingPoint {
        FloatingPoint([0; 33])
    }

    /// Stores the processor's registers here.
    pub fn save(&mut self) {
        if FloatingPoint::is_present() {
            // SAFETY: the routine writes the 264 bytes of the area and changes a1.
            unsafe { save_floating_point(self) };
        }
    }

    /// Loads the processor's registers from here.
    pub fn load(&self) {
        if FloatingPoint::is_present() {
            // SAFETY: the routine reads the 264 bytes of the area and changes a1.
            unsafe { load_floating_point(self) };
        }
    }
}
