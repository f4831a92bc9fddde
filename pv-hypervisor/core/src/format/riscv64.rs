//! RISC-V Sv39 and Sv48 (Privileged Architecture, 12.4 and 12.5).

use super::{BadEntry, Entry, Format, Leaf, Permissions};
use hypercall_abi::addr::{Level, Mfn};
use hypercall_abi::pte::riscv64::{
    ABSENT_ALLOWED, AWAY, FRAME_MASK, FRAME_SHIFT, Flags, LEAF_ALLOWED, TABLE_ALLOWED,
};
use hypercall_abi::start_info::PageTableFormat;

/// Three levels; the guest has the low half, 256 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sv39;

/// Four levels; the guest has the low half, 128 TiB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sv48;

#[inline(always)]
fn decode(value: u64, level: Level) -> Result<Entry, BadEntry> {
    if value & Flags::VALID.bits() == 0 {
        return if value & !ABSENT_ALLOWED.bits() == 0 { Ok(Entry::Absent) } else { Err(BadEntry) };
    }
    let frame = Mfn((value & FRAME_MASK) >> FRAME_SHIFT);
    if level as u8 != 1 {
        // A leaf above level 1 (any of R, W, X) is a superpage, which is not offered; A, D
        // and U are reserved here.
        return if value & !(TABLE_ALLOWED.bits() | FRAME_MASK) == 0 {
            Ok(Entry::Table(frame))
        } else {
            Err(BadEntry)
        };
    }
    let flags = Flags::from_bits_retain(value & !FRAME_MASK);
    let readable = flags.contains(Flags::READ);
    let writable = flags.contains(Flags::WRITE);
    let executable = flags.contains(Flags::EXECUTE);
    // Without any of R, W, X it would name a table of level 0; W without R is reserved.
    if !LEAF_ALLOWED.contains(flags)
        || !flags.contains(Flags::USER)
        || !(readable || executable)
        || (writable && !readable)
    {
        return Err(BadEntry);
    }
    Ok(Entry::Leaf(Leaf { frame, writable }))
}

fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
    let mut flags = Flags::VALID | Flags::READ | Flags::USER | Flags::ACCESSED;
    flags.set(Flags::WRITE | Flags::DIRTY, permissions.write);
    flags.set(Flags::EXECUTE, permissions.execute);
    (frame.0 << FRAME_SHIFT) & FRAME_MASK | flags.bits()
}

fn with_frame(value: u64, frame: Mfn) -> u64 {
    value & !FRAME_MASK | (frame.0 << FRAME_SHIFT) & FRAME_MASK
}

fn table(frame: Mfn) -> u64 {
    (frame.0 << FRAME_SHIFT) & FRAME_MASK | Flags::VALID.bits()
}

impl Format for Sv39 {
    const ID: PageTableFormat = PageTableFormat::Sv39;
    const ROOT: Level = Level::L3;
    const ENTRIES: usize = 512;
    const FIRST_RESERVED_SLOT: usize = 256;
    const ACCESSED: u64 = Flags::ACCESSED.bits();
    const WRITE: u64 = Flags::WRITE.bits();
    const AWAY: u64 = AWAY;

    #[inline(always)]
    fn decode(value: u64, level: Level) -> Result<Entry, BadEntry> {
        decode(value, level)
    }

    fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
        leaf(frame, permissions)
    }

    fn table(frame: Mfn) -> u64 {
        table(frame)
    }

    fn with_frame(value: u64, frame: Mfn) -> u64 {
        with_frame(value, frame)
    }
}

impl Format for Sv48 {
    const ID: PageTableFormat = PageTableFormat::Sv48;
    const ROOT: Level = Level::L4;
    const ENTRIES: usize = 512;
    const FIRST_RESERVED_SLOT: usize = 256;
    const ACCESSED: u64 = Flags::ACCESSED.bits();
    const WRITE: u64 = Flags::WRITE.bits();
    const AWAY: u64 = AWAY;

    #[inline(always)]
    fn decode(value: u64, level: Level) -> Result<Entry, BadEntry> {
        decode(value, level)
    }

    fn leaf(frame: Mfn, permissions: Permissions) -> u64 {
        leaf(frame, permissions)
    }

    fn table(frame: Mfn) -> u64 {
        table(frame)
    }

    fn with_frame(value: u64, frame: Mfn) -> u64 {
        with_frame(value, frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_of_a_leaf_is_judged() {
        let base = leaf(Mfn(0x1234), Permissions { write: false, execute: false });
        for bit in 0..64 {
            let value = base ^ (1u64 << bit);
            let expected = match bit {
                // V clear with a frame; R clear names a table below level 1; U clear; G; and
                // the reserved bits, N and PBMT.
                0 | 1 | 4 | 5 | 54..=63 => Err(BadEntry),
                2 => Ok(Entry::Leaf(Leaf { frame: Mfn(0x1234), writable: true })),
                10..=53 => Ok(Entry::Leaf(Leaf {
                    frame: Mfn(0x1234 ^ (1 << (bit - 10))),
                    writable: false,
                })),
                _ => Ok(Entry::Leaf(Leaf { frame: Mfn(0x1234), writable: false })),
            };
            assert_eq!(decode(value, Level::L1), expected, "bit {bit}");
        }
    }

    #[test]
    fn a_superpage_is_refused_at_every_level() {
        let value = leaf(Mfn(512), Permissions { write: true, execute: true });
        for level in [Level::L2, Level::L3, Level::L4] {
            assert_eq!(decode(value, level), Err(BadEntry));
        }
    }

    /// Advisories: XSA-273
    #[test]
    fn the_entry_of_a_page_that_is_away_is_no_guests() {
        let entry = leaf(Mfn(0x1234), Permissions { write: true, execute: true });
        let away = Sv39::away(entry);
        assert!(Sv39::is_away(away) && away & FRAME_MASK == 0);
        assert_eq!(decode(away, Level::L1), Err(BadEntry));
        assert_eq!(Sv39::back(away, Mfn(0x1234)) | Sv39::WRITE, entry);
    }

    #[test]
    fn write_without_read_is_reserved() {
        let value = (5 << 10) | (Flags::VALID | Flags::WRITE | Flags::USER).bits();
        assert_eq!(decode(value, Level::L1), Err(BadEntry));
        let execute_only = (5 << 10) | (Flags::VALID | Flags::EXECUTE | Flags::USER).bits();
        let expected = Entry::Leaf(Leaf { frame: Mfn(5), writable: false });
        assert_eq!(decode(execute_only, Level::L1), Ok(expected));
    }

    #[test]
    fn the_guest_has_the_low_half() {
        assert_eq!(Sv39::GUEST_END, 1 << 38);
        assert_eq!(Sv48::GUEST_END, 1 << 47);
    }
}
