//! defmt's global logger: each frame is one message on the console's Log stream.
//!
//! Frames are raw (`encoding-raw`) and whole. A frame that does not fit one call is cut off:
//! the decoder drops it.
#![allow(unsafe_code, reason = "`defmt::Logger` is an unsafe trait")]

use crate::{calls, events, sync::Shared};
use core::sync::atomic::{AtomicBool, Ordering};
use hypercall_abi::calls::console_write::{MAX_BYTES, Stream};

#[defmt::global_logger]
struct Logger;

static FRAME: Shared<heapless::Vec<u8, { MAX_BYTES as usize }>> = Shared::new(heapless::Vec::new());
static WERE_MASKED: AtomicBool = AtomicBool::new(false);

// SAFETY: from `acquire` to `release` events are masked, so that no other code of the one vCPU
// logs in between.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        WERE_MASKED.store(events::mask(), Ordering::Relaxed);
        FRAME.with(heapless::Vec::clear);
    }

    unsafe fn flush() {}

    unsafe fn release() {
        FRAME.with(|frame| {
            // There is nobody to tell if the hypervisor takes no logs.
            let _ = calls::console_write(Stream::Log, frame);
        });
        if !WERE_MASKED.load(Ordering::Relaxed) {
            events::unmask();
        }
    }

    unsafe fn write(bytes: &[u8]) {
        FRAME.with(|frame| {
            let room = frame.capacity() - frame.len();
            // There is room for what is left of `bytes`.
            let _ = frame.extend_from_slice(&bytes[..bytes.len().min(room)]);
        });
    }
}

defmt::timestamp!("{=u64:us}", crate::time::microseconds(crate::time::now()));
