//! What a driver says of its guest, and what the policies make of it.

use crate::activity::{GuestStatistics, Pressure, Refaults};
use crate::policy::Pages;
use hypercall_abi::PAGE_SIZE;

/// Bytes of an entry: a tag of 16 bits and a value of 64.
pub(super) const ENTRY_BYTES: usize = 10;

/// Entries that are read of a buffer; Linux has 16. What follows is left alone, as a tag that is not
/// known.
pub(super) const MAX_ENTRIES: usize = 32;

/// What was told, of what is known here. Amounts are in bytes and count from the guest's start, but for
/// those of memory, which are of now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// Came from swap.
    pub swapped_in: Option<u64>,
    /// Went to swap.
    pub swapped_out: Option<u64>,
    /// Page faults that waited for a disk.
    pub major_faults: Option<u64>,
    /// Other page faults.
    pub minor_faults: Option<u64>,
    /// Memory that nobody uses.
    pub free: Option<u64>,
    /// All memory.
    pub total: Option<u64>,
    /// Memory that could be had without swapping.
    pub available: Option<u64>,
    /// Memory of files.
    pub caches: Option<u64>,
}

impl Told {
    /// From a buffer: entries in any order, of which the last of a tag counts. A part of one at the end is
    /// none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Told {
        let mut told = Told::default();
        for entry in bytes.chunks_exact(ENTRY_BYTES) {
            let value = u64::from_le_bytes(core::array::from_fn(|at| entry[2 + at]));
            let place = match u16::from_le_bytes([entry[0], entry[1]]) {
                0 => &mut told.swapped_in,
                1 => &mut told.swapped_out,
                2 => &mut told.major_faults,
                3 => &mut told.minor_faults,
                4 => &mut told.free,
                5 => &mut told.total,
                6 => &mut told.available,
                7 => &mut told.caches,
                _ => continue,
            };
            *place = Some(value);
        }
        told
    }

    /// Pages a second that came from swap since an earlier time: they had been let go, and were wanted.
    pub(super) fn refaults_since(&self, before: &Told, nanoseconds: u64) -> Refaults {
        let (Some(now), Some(then)) = (self.swapped_in, before.swapped_in) else {
            return Refaults::default();
        };
        let pages = u128::from(now.saturating_sub(then) / PAGE_SIZE);
        let rate = pages * 1_000_000_000 / u128::from(nanoseconds.max(1));
        Refaults(u32::try_from(rate).unwrap_or(u32::MAX))
    }

    /// As the policies see it, of a guest of so many pages. `counted` pages in the balloon still belong to
    /// the driver's total. Nothing is more than the guest has; of pressure virtio knows nothing.
    pub(super) fn statistics(
        &self,
        pages: u64,
        counted: u64,
        refaults: Refaults,
    ) -> GuestStatistics {
        let amount = |bytes: Option<u64>| Pages((bytes.unwrap_or(0) / PAGE_SIZE).min(pages));
        let available = amount(self.available.or(self.free));
        GuestStatistics {
            free: amount(self.free),
            available,
            cache: amount(self.caches),
            needed: amount(self.total).saturating_sub(available).saturating_sub(Pages(counted)),
            refaults,
            pressure: Pressure::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(tag: u16, value: u64) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..2].copy_from_slice(&tag.to_le_bytes());
        bytes[2..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    #[test]
    fn entries_come_in_any_order_and_unknown_ones_are_left_out() {
        let bytes = [entry(6, 8192), entry(900, 1), entry(0, 5), entry(6, 4096)].concat();
        let told = Told::from_bytes(&bytes[..bytes.len() - 1]);
        assert_eq!(
            told,
            Told { available: Some(8192), swapped_in: Some(5), ..Told::default() },
            "a part of an entry is none"
        );
        assert_eq!(Told::from_bytes(&bytes).available, Some(4096));
        assert_eq!(Told::from_bytes(&[]), Told::default());
    }

    #[test]
    fn what_is_needed_leaves_the_balloon_out_and_a_lie_is_no_more_than_the_guest() {
        let told = Told {
            total: Some(1000 * PAGE_SIZE),
            available: Some(300 * PAGE_SIZE),
            free: Some(100 * PAGE_SIZE),
            ..Told::default()
        };
        let statistics = told.statistics(1000, 500, Refaults(3));
        assert_eq!(statistics.needed, Pages(200));
        assert_eq!((statistics.free, statistics.available), (Pages(100), Pages(300)));
        let lie = Told { total: Some(u64::MAX), available: Some(0), ..told };
        assert_eq!(lie.statistics(1000, 0, Refaults(0)).needed, Pages(1000));
        let modest = Told { available: Some(u64::MAX), ..told };
        assert_eq!(modest.statistics(1000, 0, Refaults(0)).needed, Pages::ZERO);
    }

    #[test]
    fn pages_from_swap_are_a_rate() {
        let told = |bytes| Told { swapped_in: Some(bytes), ..Told::default() };
        let second = 1_000_000_000;
        let rate = |from, to, time| told(to).refaults_since(&told(from), time);
        assert_eq!(rate(0, 20 * PAGE_SIZE, 2 * second), Refaults(10));
        assert_eq!(rate(PAGE_SIZE, 0, second), Refaults(0), "a count that falls is none");
        assert_eq!(rate(0, u64::MAX, 0), Refaults(u32::MAX));
        assert_eq!(told(9).refaults_since(&Told::default(), second), Refaults(0));
    }
}
