//! Why a bundle is refused.

use crate::manifest::{
    MAX_COMMAND_LINE, MAX_DOMAINS, MAX_IMAGES, MAX_MEMORY, MAX_NAME, MIN_MEMORY,
};
use core::fmt;

/// Why a bundle is refused, or cannot be packed. Domains and images are named by their
/// index, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BundleError {
    /// Not a bundle at all.
    Magic,
    /// A bundle of another version.
    Version(u8),
    /// The header or the manifest reaches beyond the end of the file.
    Truncated,
    /// The manifest cannot be read.
    Manifest,
    /// There is no domain.
    NoDomain,
    /// There are more domains than [`MAX_DOMAINS`].
    TooManyDomains,
    /// There are more images than [`MAX_IMAGES`].
    TooManyImages,
    /// A domain's name is empty, too long, or holds control characters.
    DomainName(usize),
    /// Two domains have the same name.
    SameName(usize, usize),
    /// A domain's command line is too long or holds control characters.
    CommandLine(usize),
    /// A domain's memory is not whole pages, or outside its range.
    Memory(usize, u64),
    /// A domain's largest memory is not whole pages, outside its range, or below its memory.
    MaxMemory(usize, u64),
    /// A domain's least memory is not whole pages, outside its range, or above its memory.
    LeastMemory(usize, u64),
    /// What is left to a domain is not whole pages, or outside its range.
    Limit(usize, u64),
    /// A domain has no shares.
    Shares(usize),
    /// A domain names an image that is not there.
    NoImage(usize, u16),
    /// A domain names a module that is not there.
    NoModule(usize, u16),
    /// An image's name is empty, too long, or holds control characters.
    ImageName(usize),
    /// An image is empty, does not begin at a page, or lies outside the file.
    ImageRange(usize),
    /// Two images overlap.
    ImagesOverlap(usize, usize),
    /// The time slice is outside 1 to 1000 ms.
    Slice(u32),
    /// The file would be too large for its own numbers.
    TooLarge,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BundleError::Magic => f.write_str(
                "not a Paravane bundle: it must begin with `PVBUNDLE`; make one with `cargo xtask run --keep`",
            ),
            BundleError::Version(found) => write!(
                f,
                "the bundle is of version {found}, this hypervisor reads version {}: build both from the same tree",
                crate::VERSION
            ),
            BundleError::Truncated => f.write_str(
                "the bundle is shorter than its header says: it was cut in copying; make it again",
            ),
            BundleError::Manifest => f.write_str(
                "the bundle's manifest cannot be read: it was damaged; make the bundle again",
            ),
            BundleError::NoDomain => f.write_str("the manifest has no domain: give it at least one"),
            BundleError::TooManyDomains => {
                write!(f, "a bundle holds at most {MAX_DOMAINS} domains: leave some out")
            }
            BundleError::TooManyImages => write!(
                f,
                "a bundle holds at most {MAX_IMAGES} images and modules: let domains share them, or leave some out"
            ),
            BundleError::DomainName(domain) => write!(
                f,
                "domain {domain}: a name has 1 to {MAX_NAME} bytes and no control characters: give it such a name"
            ),
            BundleError::SameName(first, second) => write!(
                f,
                "domains {first} and {second} have the same name: give each a name of its own"
            ),
            BundleError::CommandLine(domain) => write!(
                f,
                "domain {domain}: a command line has at most {MAX_COMMAND_LINE} bytes and no control characters: shorten it"
            ),
            BundleError::Memory(domain, bytes) => write!(
                f,
                "domain {domain}: memory of {bytes} bytes; it must be whole pages of 4096 bytes, {} MiB to {} GiB: choose such a size",
                MIN_MEMORY >> 20,
                MAX_MEMORY >> 30
            ),
            BundleError::MaxMemory(domain, bytes) => write!(
                f,
                "domain {domain}: largest memory of {bytes} bytes; it must be whole pages of 4096 bytes, at least the memory that it starts with, and at most {} GiB: choose such a size",
                MAX_MEMORY >> 30
            ),
            BundleError::LeastMemory(domain, bytes) => write!(
                f,
                "domain {domain}: least memory of {bytes} bytes; it must be whole pages of 4096 bytes, at least {} MiB, and at most the memory that it starts with: choose such a size",
                MIN_MEMORY >> 20
            ),
            BundleError::Limit(domain, bytes) => write!(
                f,
                "domain {domain}: {bytes} bytes are to be left to it; it must be whole pages of 4096 bytes, at least {} MiB, and at most the largest memory: choose such a size, or the largest memory for no limit",
                MIN_MEMORY >> 20
            ),
            BundleError::Shares(domain) => {
                write!(f, "domain {domain}: it has no shares: give it at least 1")
            }
            BundleError::NoImage(domain, image) => {
                write!(f, "domain {domain}: there is no image {image}: name one that is in the bundle")
            }
            BundleError::NoModule(domain, module) => {
                write!(f, "domain {domain}: there is no module {module}: name one that is in the bundle")
            }
            BundleError::ImageName(image) => write!(
                f,
                "image {image}: a name has 1 to {MAX_NAME} bytes and no control characters: give it such a name"
            ),
            BundleError::ImageRange(image) => write!(
                f,
                "image {image}: it must begin at a page, not be empty, and end inside the bundle: make the bundle again"
            ),
            BundleError::ImagesOverlap(first, second) => write!(
                f,
                "images {first} and {second} overlap in the bundle: make the bundle again"
            ),
            BundleError::Slice(ms) => {
                write!(f, "a time slice of {ms} ms; it must be 1 to 1000: choose such a time")
            }
            BundleError::TooLarge => {
                f.write_str("the bundle is too large for its own numbers: leave images out")
            }
        }
    }
}

impl core::error::Error for BundleError {}
