//! What the boot loader told, in one form for every architecture.

use core::ops::Range;

/// Ranges of memory that a machine may have at most. More are refused at boot.
pub const MAX_RANGES: usize = 64;

/// Bytes of command line that are kept.
pub const COMMAND_LINE_BYTES: usize = 1024;

/// Random bytes that are kept.
pub const SEED_BYTES: usize = 64;

/// A list of ranges of machine addresses.
pub type Ranges = heapless::Vec<Range<u64>, MAX_RANGES>;

/// What the boot loader told. Nothing in it is believed further than it was checked: ranges
/// are not empty and do not wrap, and that is all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BootInfo {
    /// Memory.
    pub memory: Ranges,
    /// Parts of it that are in use: firmware, tables, the boot loader's own structures.
    pub reserved: Ranges,
    /// Where the boot module lies, if there is one: the bundle of guests, or a first file system.
    pub module: Option<Range<u64>>,
    /// The command line, cut where it is not UTF-8 or too long.
    pub command_line: heapless::String<COMMAND_LINE_BYTES>,
    /// Random bytes that the firmware has drawn for this boot, if it has.
    pub seed: heapless::Vec<u8, SEED_BYTES>,
}

impl BootInfo {
    /// Nothing known yet.
    pub const fn new() -> BootInfo {
        BootInfo {
            memory: Ranges::new(),
            reserved: Ranges::new(),
            module: None,
            command_line: heapless::String::new(),
            seed: heapless::Vec::new(),
        }
    }

    /// Keeps as much of the command line as is UTF-8 and fits.
    pub fn set_command_line(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if self.command_line.push(character).is_err() {
                    return;
                }
            }
            if !chunk.invalid().is_empty() {
                return;
            }
        }
    }
}

/// The range of `size` bytes from `start` on; `None` if it is empty or wraps.
pub fn range(start: u64, size: u64) -> Option<Range<u64>> {
    let end = start.checked_add(size)?;
    (start < end).then_some(start..end)
}
