//! The 16550 serial port, by whatever way its registers are reached.

/// The registers of one port: eight of them, a byte each.
pub trait Port {
    /// Reads a register.
    fn read(&self, register: u8) -> u8;
    /// Writes a register.
    fn write(&self, register: u8, value: u8);
}

const DATA: u8 = 0;
const INTERRUPT_ENABLE: u8 = 1;
const FIFO_CONTROL: u8 = 2;
const LINE_CONTROL: u8 = 3;
const MODEM_CONTROL: u8 = 4;
const LINE_STATUS: u8 = 5;

/// Line status: a byte has been received.
const RECEIVED: u8 = 1 << 0;
/// Line status: the transmit FIFO is empty.
const EMPTY: u8 = 1 << 5;
/// Bytes that the transmit FIFO holds.
const FIFO: usize = 16;

/// 8 data bits, no parity, FIFOs on and empty, no interrupts. The speed stays as it is. The receive
/// FIFO tells of 14 bytes: QEMU passes on no more at a time than it tells of.
pub fn init(port: &impl Port) {
    port.write(INTERRUPT_ENABLE, 0);
    port.write(LINE_CONTROL, 0b11);
    port.write(FIFO_CONTROL, 0b1100_0111);
    port.write(MODEM_CONTROL, 0b11);
}

/// Writes bytes, waiting while the FIFO is full.
pub fn write(port: &impl Port, bytes: &[u8]) {
    for piece in bytes.chunks(FIFO) {
        while port.read(LINE_STATUS) & EMPTY == 0 {
            core::hint::spin_loop();
        }
        for byte in piece {
            port.write(DATA, *byte);
        }
    }
}

/// A byte that has been received, if there is one.
pub fn read(port: &impl Port) -> Option<u8> {
    (port.read(LINE_STATUS) & RECEIVED != 0).then(|| port.read(DATA))
}
