//! Text for the operator: [`print!`](crate::print) and [`println!`](crate::println).

use crate::calls;
use core::fmt;
use hypercall_abi::calls::console_write::{MAX_BYTES, Stream};

/// Prints text; one call of the hypervisor for each kilobyte.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::console::write(format_args!($($text)*)) };
}

/// Prints a line of text; one call of the hypervisor for each kilobyte.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)*) => { $crate::console::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes formatted text.
pub fn write(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; MAX_BYTES as usize], used: 0 };
    // `Line` takes everything, so that only a `Display` of the caller's can fail; what it wrote
    // before that is printed.
    let _ = fmt::write(&mut line, text);
    line.flush();
}

/// Writes bytes to a stream, in as many calls as they need.
pub fn write_bytes(stream: Stream, bytes: &[u8]) {
    for chunk in bytes.chunks(MAX_BYTES as usize) {
        // Refused only if the hypervisor takes no text: then there is nobody to tell.
        let _ = calls::console_write(stream, chunk);
    }
}

struct Line {
    bytes: [u8; MAX_BYTES as usize],
    used: usize,
}

impl Line {
    fn flush(&mut self) {
        write_bytes(Stream::Text, &self.bytes[..self.used]);
        self.used = 0;
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.used == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.used] = byte;
            self.used += 1;
        }
        Ok(())
    }
}
