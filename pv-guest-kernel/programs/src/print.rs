//! Output: a line is written in one call, so that lines of several processes do not mix.

use crate::calls::write_all;
use core::fmt::{Arguments, Result, Write};

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($text:tt)+) => {
        $crate::print::line(format_args!($($text)+))
    };
}

/// Bytes of a line that are written in one call.
const LINE: usize = 512;

struct Line {
    text: [u8; LINE],
    length: usize,
}

impl Line {
    fn flush(&mut self) {
        // Nobody can be told of an output that does not work.
        let _ = write_all(1, &self.text[..self.length]);
        self.length = 0;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> Result {
        for byte in text.bytes() {
            if self.length == LINE {
                self.flush();
            }
            self.text[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}

/// Prints a line.
pub fn line(text: Arguments<'_>) {
    let mut line = Line { text: [0; LINE], length: 0 };
    let _ = line.write_fmt(text);
    let _ = line.write_str("\n");
    line.flush();
}
