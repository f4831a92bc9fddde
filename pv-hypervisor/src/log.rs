//! The logger behind `defmt`: each log frame becomes one message of source 0.
#![allow(unsafe_code, reason = "defmt's logger is an unsafe trait")]

use crate::console;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use pv_wire::{Kind, Source};

/// Bytes of one log frame at most; what is longer is dropped whole.
const FRAME: usize = 512;

struct Frame {
    busy: AtomicBool,
    whole: UnsafeCell<bool>,
    bytes: UnsafeCell<heapless::Vec<u8, FRAME>>,
}

// SAFETY: the cells are only touched between `acquire` and `release`, which `busy` makes
// exclusive.
unsafe impl Sync for Frame {}

static CURRENT: Frame = Frame {
    busy: AtomicBool::new(false),
    whole: UnsafeCell::new(true),
    bytes: UnsafeCell::new(heapless::Vec::new()),
};

#[defmt::global_logger]
struct Logger;

// SAFETY: one frame at a time, by `busy`; `write` only between the other two, by defmt.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        while CURRENT.busy.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: `busy` is ours.
        unsafe {
            (*CURRENT.bytes.get()).clear();
            *CURRENT.whole.get() = true;
        }
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: between `acquire` and `release`.
        unsafe {
            if *CURRENT.whole.get() {
                console::send(Source::HYPERVISOR, Kind::Log, &*CURRENT.bytes.get());
            }
        }
        CURRENT.busy.store(false, Ordering::Release);
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: between `acquire` and `release`. `encoding-raw` passes bytes on unchanged.
        unsafe {
            if (*CURRENT.bytes.get()).extend_from_slice(bytes).is_err() {
                *CURRENT.whole.get() = false;
            }
        }
    }
}
