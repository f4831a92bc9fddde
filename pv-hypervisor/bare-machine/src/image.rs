//! Where the parts of the image lie, as the linker script says.
#![allow(unsafe_code, reason = "symbols of the linker script are extern statics")]

use core::ops::Range;

unsafe extern "C" {
    static image_start: u8;
    static text_end: u8;
    static rodata_end: u8;
    static stack_guard: u8;
    static stack_top: u8;
    static image_end: u8;
}

/// Virtual addresses of the parts of the image. All but the stack guard begin and end on a page.
pub struct Image {
    /// Instructions.
    pub text: Range<u64>,
    /// Constants.
    pub rodata: Range<u64>,
    /// Variables, the stack included.
    pub data: Range<u64>,
    /// The page below the stack, which is not mapped.
    pub guard: Range<u64>,
    /// Past the highest byte of the boot processor's stack.
    pub stack_top: u64,
}

/// The parts of this image.
pub fn image() -> Image {
    let at = |symbol: *const u8| symbol as u64;
    // Only the addresses are taken; nothing is read through them.
    let text_start = at(&raw const image_start);
    let text_stop = at(&raw const text_end);
    let rodata_stop = at(&raw const rodata_end);
    let guard = at(&raw const stack_guard);
    Image {
        text: text_start..text_stop,
        rodata: text_stop..rodata_stop,
        data: rodata_stop..at(&raw const image_end),
        guard: guard..guard + 4096,
        stack_top: at(&raw const stack_top),
    }
}
