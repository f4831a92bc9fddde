//! x86-64, four levels (Intel SDM volume 3, 4.5).

use super::{BadEntry, Entry, Format, Leaf, Permissions};
use hypercall_abi::addr::{Level, Mfn};
use hypercall_abi::pte::x86_64::{
    ABSENT_ALLOWED, AWAY, FRAME_MASK, Flags, LEAF_ALLOWED, TABLE_ALLOWED,
};
use hypercall_abi::start_info::PageTableFormat;

/// x86-64 with four levels; the guest has the low half.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct X86_64;

impl Format for X86_64 {
    const ID: PageTableFormat = PageTableFormat::X86_64;
    const ROOT: Level = Level::L4;
    const ENTRIES: usize = 512;
    const FIRST_RESERVED_SLOT: usize = 256;
    const ACCESSED: u64 = Flags::ACCESSED.bits();
    const WRITE: u64 = Flags::WRITABLE.bits();
    const AWAY: u64 = AWAY;

    #[inline(always)]
    fn decode(value: u64, level: Level) -> Result<Entry, BadEntry> {
        if value & Flags::PRESENT.bits() == 0 {
            // The frame field must be empty too: L1TF (XSA-273).
            return if value & !ABSENT_ALLOWED.bits() == 0 {
                Ok(Entry::Absent)
            } else {
                Err(BadEntry)
            };
        }
        let allowed = if level as u8 == 1 { LEAF_ALLOWED } else { TABLE_ALLOWED };
        if value & !(allowed.bits() | FRAME_MASK) != 0 || value & Flags::USER.bits() == 0 {
            return Err(BadEntry);
        }
        let frame = Mfn((value & FRAME_MASK) >> 12);
        if level as u8 == 1 {
            Ok(Entry::Leaf(Leaf { frame, writable: value & Flags::WRITABLE.bits() != 0 }))
        } else {
            Ok(Entry::Table(frame))
        }
    }

    fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
        let mut flags = Flags::PRESENT | Flags::USER | Flags::ACCESSED;
        flags.set(Flags::WRITABLE | Flags::DIRTY, permissions.write);
        flags.set(Flags::NO_EXECUTE, !permissions.execute);
        (frame.0 << 12) & FRAME_MASK | flags.bits()
    }

    fn table(frame: Mfn) -> u64 {
        let flags = Flags::PRESENT | Flags::USER | Flags::WRITABLE | Flags::ACCESSED;
        (frame.0 << 12) & FRAME_MASK | flags.bits()
    }

    fn with_frame(value: u64, frame: Mfn) -> u64 {
        value & !FRAME_MASK | (frame.0 << 12) & FRAME_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_of_a_leaf_is_judged() {
        let base = X86_64::leaf(Mfn(0x1234), Permissions { write: false, execute: false });
        for bit in 0..64 {
            let value = base ^ (1u64 << bit);
            let expected = match bit {
                // Clearing P leaves a frame in a not-present entry; clearing U is forbidden;
                // PWT, PCD, PAT, G are forbidden, and so are the protection-key bits.
                0 | 2 | 3 | 4 | 7 | 8 | 59..=62 => Err(BadEntry),
                1 => Ok(Entry::Leaf(Leaf { frame: Mfn(0x1234), writable: true })),
                12..=51 => Ok(Entry::Leaf(Leaf {
                    frame: Mfn(0x1234 ^ (1 << (bit - 12))),
                    writable: false,
                })),
                _ => Ok(Entry::Leaf(Leaf { frame: Mfn(0x1234), writable: false })),
            };
            assert_eq!(X86_64::decode(value, Level::L1), expected, "bit {bit}");
        }
    }

    #[test]
    fn a_large_page_is_refused_at_every_level() {
        for level in [Level::L2, Level::L3, Level::L4] {
            assert_eq!(X86_64::decode(X86_64::table(Mfn(5)) | 1 << 7, level), Err(BadEntry));
        }
    }

    /// Advisories: XSA-273
    #[test]
    fn absent_entries_name_no_frame() {
        assert_eq!(X86_64::decode(0, Level::L1), Ok(Entry::Absent));
        assert_eq!(X86_64::decode(0b111 << 9, Level::L1), Ok(Entry::Absent));
        assert_eq!(X86_64::decode(0x1000, Level::L1), Err(BadEntry));
        let entry = X86_64::leaf(Mfn(0x1234), Permissions { write: true, execute: false });
        let away = X86_64::away(entry);
        assert!(X86_64::is_away(away) && away & FRAME_MASK == 0);
        // No guest can write such an entry, and what comes back is what went.
        assert_eq!(X86_64::decode(away, Level::L1), Err(BadEntry));
        assert_eq!(X86_64::back(away, Mfn(0x1234)) | X86_64::WRITE, entry);
    }

    #[test]
    fn the_guest_has_the_low_half() {
        assert_eq!(X86_64::GUEST_END, 0x8000_0000_0000);
    }
}
