//! The first serial port, COM1.

use super::instructions::{port_read, port_write};
use crate::uart::{self, Port};

/// I/O address of COM1.
const COM1: u16 = 0x3f8;

struct Com1;

impl Port for Com1 {
    fn read(&self, register: u8) -> u8 {
        port_read(COM1 + register as u16)
    }

    fn write(&self, register: u8, value: u8) {
        port_write(COM1 + register as u16, value);
    }
}

/// Opens the line.
pub fn init() {
    uart::init(&Com1);
}

/// Sends bytes.
pub fn serial_write(bytes: &[u8]) {
    uart::write(&Com1, bytes);
}

/// A byte that has come, if one has.
pub fn serial_read() -> Option<u8> {
    uart::read(&Com1)
}
