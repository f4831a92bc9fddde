//! Faults of the kernel's own, made on purpose: what must be told, and how the machine ends then,
//! is tested like everything else.
#![allow(unsafe_code, reason = "the faults are the point")]

use bare_machine::{arch, image};

/// Does what the word of the command line asks for; `false` for a word that is none.
pub fn crash(how: &str) -> bool {
    match how {
        "panic" => panic!("as the command line asks"),
        "null" => write(8),
        "text" => write(image::image().text.start),
        "constants" => write(image::image().rodata.start),
        // The same frame through the map of all memory.
        "alias" => write(image::image().text.start - arch::IMAGE_OFFSET + arch::DIRECT_MAP),
        "execute" => execute(),
        "stack" => _ = core::hint::black_box(overflow(0)),
        _ => return false,
    }
    true
}

fn write(address: u64) {
    // SAFETY: none of these can be written, so that nothing is.
    unsafe { (address as *mut u64).write_volatile(0) };
}

fn execute() {
    static DATA: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);
    let address = DATA.as_ptr();
    // SAFETY: variables cannot be executed, so that nothing is.
    let function: extern "C" fn() = unsafe { core::mem::transmute(address) };
    function();
}

fn overflow(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { overflow(depth + 1) + frame[0] }
}
