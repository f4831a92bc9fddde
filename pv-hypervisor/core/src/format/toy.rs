//! A format with two levels of two entries, small enough to explore every state of.
//!
//! Slot 0 of the root is the guest's, slot 1 the hypervisor's: a guest has two pages.

use super::{BadEntry, Entry, Format, Leaf, Permissions};
use hypercall_abi::addr::{Level, Mfn};
use hypercall_abi::start_info::PageTableFormat;

/// Two levels of two entries. Bit 0 present, bit 1 writable, the frame from bit 8 on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Toy;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;

impl Format for Toy {
    const ID: PageTableFormat = PageTableFormat::Sv39;
    const ROOT: Level = Level::L2;
    const ENTRIES: usize = 2;
    const FIRST_RESERVED_SLOT: usize = 1;
    const ACCESSED: u64 = 0;
    const WRITE: u64 = WRITABLE;
    const AWAY: u64 = 0x80;

    fn decode(value: u64, level: Level) -> Result<Entry, BadEntry> {
        let frame = Mfn(value >> 8);
        match (value & 0xff, level) {
            (0, _) if frame.0 == 0 => Ok(Entry::Absent),
            (PRESENT, Level::L1) => Ok(Entry::Leaf(Leaf { frame, writable: false })),
            (3, Level::L1) => Ok(Entry::Leaf(Leaf { frame, writable: true })),
            (PRESENT, Level::L2) => Ok(Entry::Table(frame)),
            _ => Err(BadEntry),
        }
    }

    fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
        frame.0 << 8 | if permissions.write { PRESENT | WRITABLE } else { PRESENT }
    }

    fn table(frame: Mfn) -> u64 {
        frame.0 << 8 | PRESENT
    }

    fn with_frame(value: u64, frame: Mfn) -> u64 {
        frame.0 << 8 | value & 0xff
    }
}
