//! The serial line: the 16550 that the device tree names, else the firmware's console.
#![allow(unsafe_code, reason = "device registers in memory")]

use super::device::Device;
use super::sbi;
use crate::uart::{self, Port};

/// The port.
pub static PORT: Device = Device::none();

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
    PORT.open(machine);
    if let Some(address) = PORT.address() {
        uart::init(&Memory(address));
    }
}

/// Sends bytes.
pub fn serial_write(bytes: &[u8]) {
    match PORT.address() {
        None => bytes.iter().for_each(|byte| {
            sbi::call(sbi::LEGACY_PUT, 0, [*byte as u64, 0]);
        }),
        Some(address) => uart::write(&Memory(address), bytes),
    }
}

/// A byte that has come, if one has.
pub fn serial_read() -> Option<u8> {
    match PORT.address() {
        None => u8::try_from(sbi::call(sbi::LEGACY_GET, 0, [0, 0]).0).ok(),
        Some(address) => uart::read(&Memory(address)),
    }
}
