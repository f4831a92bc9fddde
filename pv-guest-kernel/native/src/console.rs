//! The console: the serial line.

use bare_machine::arch;
use core::fmt;

/// What has been typed and not read. The port itself keeps all but one byte.
#[derive(Debug, Default)]
pub struct Typed {
    next: Option<u8>,
}

impl Typed {
    /// Whether something has been typed.
    pub fn is_some(&mut self) -> bool {
        self.next = self.next.or_else(arch::serial_read);
        self.next.is_some()
    }

    /// Takes what has been typed: how many bytes.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        let mut count = 0;
        for byte in to {
            let Some(typed) = self.next.take().or_else(arch::serial_read) else { break };
            *byte = typed;
            count += 1;
        }
        count
    }
}

/// The line, for text of the kernel's own.
pub struct Line;

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        arch::serial_write(text.as_bytes());
        Ok(())
    }
}

/// Prints one line of the kernel's own text.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => {{
        use core::fmt::Write as _;
        let _ = writeln!($crate::console::Line, $($argument)*);
    }};
}
