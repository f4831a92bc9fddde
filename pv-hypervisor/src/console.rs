//! The serial line as frames: who speaks, what kind, the bytes; see `pv_wire`.

use crate::arch;
use core::fmt;
use pv_wire::{ENCODE_BYTES, Kind, MAX_PAYLOAD, Message, Source};
use spin::Mutex;

/// The one buffer in which frames are put together. Who holds it may write to the line.
static LINE: Mutex<[u8; ENCODE_BYTES]> = Mutex::new([0; ENCODE_BYTES]);

/// Sends bytes, in as many frames as they need. Every frame goes out whole.
pub fn send(source: Source, kind: Kind, bytes: &[u8]) {
    let mut buffer = LINE.lock();
    for piece in bytes.chunks(MAX_PAYLOAD) {
        if let Ok(frame) = pv_wire::encode(&Message { source, kind, bytes: piece }, &mut *buffer) {
            arch::serial_write(frame);
        }
    }
}

/// Lets go of a line that was held when the hypervisor failed, so that the failure can be told.
///
/// Only for [`crate::fatal`]: whoever held it never runs again.
#[allow(unsafe_code, reason = "a lock is broken on purpose")]
pub fn break_lock() {
    // SAFETY: the only processor runs the fatal path and does not return to the holder.
    unsafe { LINE.force_unlock() };
}

/// Text of the hypervisor's own, collected and sent as one message.
pub struct Text {
    bytes: heapless::Vec<u8, 1024>,
}

impl Text {
    /// An empty text.
    pub const fn new() -> Text {
        Text { bytes: heapless::Vec::new() }
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            send(Source::HYPERVISOR, Kind::Text, &self.bytes);
            self.bytes.clear();
        }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.bytes.push(byte).is_err() {
                self.flush();
                let _ = self.bytes.push(byte);
            }
        }
        Ok(())
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Prints one line of the hypervisor's own text.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => {{
        use core::fmt::Write as _;
        let mut text = $crate::console::Text::new();
        let _ = writeln!(text, $($argument)*);
    }};
}
