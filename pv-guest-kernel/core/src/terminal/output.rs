//! What goes out to the device, and where the cursor is then.

use super::{InputFlags, OutputFlags, Terminal};
use alloc::vec::Vec;

/// Columns between tab stops.
const TAB: u32 = 8;

impl Terminal {
    /// Appends what a process writes, as it goes to the device.
    pub fn write(&mut self, from: &[u8], out: &mut Vec<u8>) {
        if self.settings.output.contains(OutputFlags::OPOST) {
            from.iter().for_each(|byte| self.put(*byte, out));
        } else {
            from.iter().for_each(|byte| self.advance(*byte));
            out.extend_from_slice(from);
        }
    }

    /// Appends one byte that is shown.
    pub(super) fn put(&mut self, byte: u8, out: &mut Vec<u8>) {
        let output = self.settings.output;
        if !output.contains(OutputFlags::OPOST) {
            self.advance(byte);
            out.push(byte);
            return;
        }
        match byte {
            b'\n' if output.contains(OutputFlags::ONLCR) => {
                self.column = 0;
                out.extend_from_slice(b"\r\n");
            }
            b'\n' if output.contains(OutputFlags::ONLRET) => {
                self.column = 0;
                out.push(b'\n');
            }
            b'\r' if output.contains(OutputFlags::ONOCR) && self.column == 0 => {}
            b'\r' if output.contains(OutputFlags::OCRNL) => {
                if output.contains(OutputFlags::ONLRET) {
                    self.column = 0;
                }
                out.push(b'\n');
            }
            b'\t' if output.contains(OutputFlags::TAB3) => {
                let stop = next_stop(self.column);
                out.extend((self.column..stop).map(|_| b' '));
                self.column = stop;
            }
            byte => {
                self.advance(byte);
                out.push(byte);
            }
        }
    }

    fn advance(&mut self, byte: u8) {
        let utf8 = self.settings.input.contains(InputFlags::IUTF8);
        self.column = match byte {
            b'\r' => 0,
            b'\t' => next_stop(self.column),
            8 => self.column.saturating_sub(1),
            byte => self.column.saturating_add(width(byte, utf8)),
        };
    }
}

/// The column of the next tab stop.
pub(super) fn next_stop(column: u32) -> u32 {
    (column / TAB).saturating_add(1).saturating_mul(TAB)
}

/// Columns that a byte takes which moves the cursor no other way.
pub(super) fn width(byte: u8, utf8: bool) -> u32 {
    u32::from(!(is_control(byte) || utf8 && is_continuation(byte)))
}

/// Whether it is no character to be shown.
pub(super) fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Whether it is a byte of UTF-8 behind the first of a character.
pub(super) fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
