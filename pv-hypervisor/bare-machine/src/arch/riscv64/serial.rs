//! The serial line: the 16550 that the device tree names, else the firmware's console.
#![allow(unsafe_code, reason = "device registers in memory")]

use super::memory::DEVICES;
use super::sbi;
use crate::direct_map;
use crate::uart::{self, Port};
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

/// Machine address of the registers; 0 while or where there is none.
static MACHINE: AtomicU64 = AtomicU64::new(0);
/// Virtual address of the registers; 0 while or where there is none.
static ADDRESS: AtomicU64 = AtomicU64::new(0);

struct Memory(u64);

impl Port for Memory {
    fn read(&self, register: u8) -> u8 {
        // SAFETY: the device is mapped, by the boot tables or by our own.
        unsafe { ((self.0 + register as u64) as *const u8).read_volatile() }
    }

    fn write(&self, register: u8, value: u8) {
        // SAFETY: as `read`; a serial port starts no access to memory.
        unsafe { ((self.0 + register as u64) as *mut u8).write_volatile(value) };
    }
}

/// Opens the port at a machine address.
pub fn open(machine: u64) {
    MACHINE.store(machine, Ordering::Relaxed);
    ADDRESS.store(direct_map::pointer(machine) as u64, Ordering::Relaxed);
    uart::init(&Memory(ADDRESS.load(Ordering::Relaxed)));
}

/// The frame of the registers, for the image's own tables.
pub fn frame() -> Option<Range<u64>> {
    let frame = MACHINE.load(Ordering::Relaxed) & !4095;
    (frame != 0).then_some(frame..frame + 4096)
}

/// From now on the registers are where the image's own tables map them.
pub fn move_to_own_tables() {
    let machine = MACHINE.load(Ordering::Relaxed);
    if machine != 0 {
        ADDRESS.store(DEVICES + machine % 4096, Ordering::Relaxed);
    }
}

/// Sends bytes.
pub fn serial_write(bytes: &[u8]) {
    match ADDRESS.load(Ordering::Relaxed) {
        0 => bytes.iter().for_each(|byte| {
            sbi::call(sbi::LEGACY_PUT, 0, [*byte as u64, 0]);
        }),
        address => uart::write(&Memory(address), bytes),
    }
}

/// A byte that has come, if one has.
pub fn serial_read() -> Option<u8> {
    match ADDRESS.load(Ordering::Relaxed) {
        0 => u8::try_from(sbi::call(sbi::LEGACY_GET, 0, [0, 0]).0).ok(),
        address => uart::read(&Memory(address)),
    }
}
