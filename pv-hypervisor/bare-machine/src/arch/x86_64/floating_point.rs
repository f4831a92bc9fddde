//! The x87 and SSE registers, kept apart between vCPUs. Always loaded eagerly: lazy switching
//! leaks them to speculation (XSA-267), and AVX stays off.
#![allow(unsafe_code, reason = "saving and loading are instructions")]

use core::arch::asm;

/// The registers in the layout of `fxsave`.
#[repr(C, align(16))]
pub struct FloatingPoint([u8; 512]);

impl FloatingPoint {
    /// Whether guests have the registers. Every processor with long mode has them.
    pub const fn is_present() -> bool {
        true
    }

    /// The registers as a processor has them after reset.
    pub const fn clean() -> FloatingPoint {
        let mut area = [0; 512];
        // FCW 0x037f at byte 0, MXCSR 0x1f80 at byte 24: every exception masked.
        area[0] = 0x7f;
        area[1] = 0x03;
        area[24] = 0x80;
        area[25] = 0x1f;
        FloatingPoint(area)
    }

    /// Stores the processor's registers here.
    pub fn save(&mut self) {
        // SAFETY: the area is 512 bytes, aligned to 16.
        unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut self.0, options(nostack)) };
    }

    /// Loads the processor's registers from here.
    pub fn load(&self) {
        let zero = 0u32;
        // SAFETY: the area is 512 bytes, aligned to 16, and holds what `save` stored or `clean`
        // made, so that no reserved bit of MXCSR is set. Some processors do not load the x87
        // instruction and data pointers when no exception is pending; the load of a constant
        // overwrites those of the vCPU before (XSA-52).
        unsafe {
            asm!(
                "fnclex", "ffree st(7)", "fild dword ptr [{zero}]", "fxrstor64 [{area}]",
                zero = in(reg) &zero, area = in(reg) &raw const self.0, options(nostack),
            );
        }
    }
}
