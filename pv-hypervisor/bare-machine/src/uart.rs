//! The 16550 serial port, by whatever way its registers are reached.

use core::sync::atomic::{AtomicU16, Ordering};

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
/// Interrupt identification, which is where the FIFOs' control is written: they are on.
const FIFOS_ON: u8 = 0b1100_0000;
/// Bytes that the transmit FIFO holds.
const FIFO: usize = 16;

/// A byte that had been received before the port was opened, and [`HELD`].
static EARLY: AtomicU16 = AtomicU16::new(0);
const HELD: u16 = 1 << 8;

/// 8 data bits, no parity, FIFOs on, no interrupts. The speed stays as it is. The receive FIFO tells
/// of 14 bytes: QEMU passes on no more at a time than it tells of.
///
/// What has been received stays: somebody may type before there is anybody to read. FIFOs that
/// are on already keep it; to turn them on empties the register that a port without them has.
pub fn init(port: &impl Port) {
    port.write(INTERRUPT_ENABLE, 0);
    port.write(LINE_CONTROL, 0b11);
    if port.read(FIFO_CONTROL) & FIFOS_ON == 0
        && let Some(byte) = received(port)
    {
        EARLY.store(HELD | u16::from(byte), Ordering::Relaxed);
    }
    port.write(FIFO_CONTROL, 0b1100_0001);
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
    let early = EARLY.load(Ordering::Relaxed);
    if early & HELD != 0 {
        EARLY.store(0, Ordering::Relaxed);
        return Some(early as u8);
    }
    received(port)
}

fn received(port: &impl Port) -> Option<u8> {
    (port.read(LINE_STATUS) & RECEIVED != 0).then(|| port.read(DATA))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// A port as far as receiving goes. To turn FIFOs on or off empties it.
    struct Model {
        fifos: Cell<bool>,
        received: RefCell<VecDeque<u8>>,
        sent: RefCell<Vec<u8>>,
    }

    impl Port for Model {
        fn read(&self, register: u8) -> u8 {
            match register {
                DATA => self.received.borrow_mut().pop_front().unwrap_or(0),
                FIFO_CONTROL if self.fifos.get() => 0xc1,
                LINE_STATUS => u8::from(!self.received.borrow().is_empty()) | EMPTY,
                _ => 1,
            }
        }

        fn write(&self, register: u8, value: u8) {
            if register == DATA {
                self.sent.borrow_mut().push(value);
            }
            if register == FIFO_CONTROL {
                let on = value & 1 != 0;
                if on != self.fifos.replace(on) || value & 2 != 0 {
                    self.received.borrow_mut().clear();
                }
            }
        }
    }

    #[test]
    fn what_came_before_the_port_was_opened_is_not_lost() {
        for (fifos, typed) in [(false, &b"e"[..]), (true, b"echo"), (true, b""), (false, b"")] {
            let received = RefCell::new(typed.iter().copied().collect());
            let port = Model { fifos: Cell::new(fifos), received, sent: RefCell::default() };
            init(&port);
            write(&port, b"more bytes than it holds at once");
            assert!(port.fifos.get());
            assert_eq!(*port.sent.borrow(), b"more bytes than it holds at once");
            port.received.borrow_mut().push_back(b'!');
            let read: Vec<u8> = std::iter::from_fn(|| read(&port)).collect();
            assert_eq!(read, [typed, b"!"].concat());
        }
    }
}
