//! The bundle: one file that holds everything that a Paravane machine boots, because a
//! boot loader passes one module only.
//!
//! ```text
//! 0   "PVBUNDLE"
//! 8   version of this format, one byte
//! 9   three zero bytes
//! 12  length of the manifest in bytes, 32 bits, little-endian
//! 16  the manifest, postcard
//!     the images and modules, each from a page boundary on
//! ```
//!
//! `cargo xtask run` makes one with [`pack`]; the hypervisor reads it with [`Bundle::parse`]
//! and each image with [`GuestImage::parse`]. Both treat every byte as untrusted, and the
//! host makes the very same checks before it boots anything. A reader allocates no more
//! than the limits of [`manifest`] allow, whatever the bytes say.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod error;
mod guest;
mod guest_error;
mod guest_note;
pub mod manifest;
mod pack;
mod parse;

pub use error::BundleError;
pub use guest::{Architecture, GUEST_END, GuestImage, MAX_SEGMENTS, Segment};
pub use guest_error::ImageError;
pub use manifest::{Domain, Image, LogLevel, Manifest, Options};
pub use pack::{NamedImage, pack};
pub use parse::Bundle;

/// First bytes of a bundle.
pub const MAGIC: [u8; 8] = *b"PVBUNDLE";

/// Version of the format.
pub const VERSION: u8 = 5;

/// Bytes before the manifest.
const HEADER_BYTES: usize = 16;

/// The next multiple of the page size, or `None` beyond the largest number.
fn page_up(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(hypercall_abi::PAGE_SIZE)
}
