//! Which pages are kept in spare memory, and in which frames: [`SpareTable`].
//!
//! Records stand in sets of eight. A page's name says which set is its own, by a hash under a secret, so
//! that a look at eight records finds it, and no guest chooses whose pages its own displace. When there is
//! no room, a domain that keeps more than its even part displaces pages of its own.

use super::SpareCounters;
use crate::domain::{MAX_DOMAINS, Slot};
use alloc::vec::Vec;
use core::hash::Hasher;
use core::num::NonZeroU32;
use hypercall_abi::DomainId;
use hypercall_abi::calls::spare_put::SpareName;
use siphasher::sip::SipHasher13;

/// Records of a set.
const WAYS: usize = 8;

/// Frames that can be kept in at most: some 2^24, 64 GiB.
const MAX_SPARE_FRAMES: usize = 1 << 24;

/// Number of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecordIndex(u32);

impl RecordIndex {
    /// Its place among all.
    pub(crate) fn position(self) -> usize {
        self.0 as usize
    }
}

/// A page that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Record {
    /// Whose it is.
    pub(crate) domain: DomainId,
    /// What its domain calls it.
    pub(crate) name: SpareName,
    /// Its frame, by its place in the frame table, and one.
    pub(crate) frame: NonZeroU32,
    /// When it was put or asked for last, by the table's clock.
    used: u32,
}

/// Where a page can be kept that is not yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A record that says nothing.
    Vacant(RecordIndex),
    /// In place of this one, frame and all.
    Instead(RecordIndex),
    /// Nowhere.
    None,
}

/// All records.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SpareTable {
    records: Vec<Option<Record>>,
    /// Of each slot of a domain, how many records it has; how many have any.
    held: Vec<u32>,
    users: u32,
    all: u32,
    secret: [u64; 2],
    /// Counts uses.
    clock: u32,
    pub(crate) counters: SpareCounters,
}

impl SpareTable {
    /// No page is kept.
    pub(crate) const OFF: SpareTable = SpareTable {
        records: Vec::new(),
        held: Vec::new(),
        users: 0,
        all: 0,
        secret: [0; 2],
        clock: 0,
        counters: SpareCounters {
            put: 0,
            kept: 0,
            asked: 0,
            found: 0,
            dropped: 0,
            displaced: 0,
            evicted: 0,
            most: 0,
        },
    };

    /// Room for so many pages, and to fill the last set. `None`: the heap has none, or they are too many.
    pub(crate) fn new(frames: usize, secret: [u64; 2]) -> Option<SpareTable> {
        if frames > MAX_SPARE_FRAMES {
            return None;
        }
        let (count, mut table) = (frames.next_multiple_of(WAYS), SpareTable::OFF);
        table.records.try_reserve_exact(count).ok()?;
        table.records.resize(count, None);
        table.held.try_reserve_exact(MAX_DOMAINS).ok()?;
        table.held.resize(MAX_DOMAINS, 0);
        table.secret = secret;
        Some(table)
    }

    /// How many records there are, whatever they say.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// What a record says.
    pub(crate) fn get(&self, index: RecordIndex) -> Option<&Record> {
        self.records.get(index.0 as usize)?.as_ref()
    }

    /// The records that say something.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RecordIndex, &Record)> {
        let numbered = self.records.iter().enumerate();
        numbered.filter_map(|(index, record)| Some((RecordIndex(index as u32), record.as_ref()?)))
    }

    /// The first record of a domain from the one of that number on, among so many.
    pub(crate) fn first_of(
        &self,
        domain: DomainId,
        from: usize,
        count: usize,
    ) -> Option<RecordIndex> {
        let stop = from.saturating_add(count).min(self.records.len());
        (from..stop)
            .find(|index| self.records[*index].is_some_and(|record| record.domain == domain))
            .map(|index| RecordIndex(index as u32))
    }

    /// The numbers of a name's set.
    fn set(&self, domain: DomainId, name: SpareName) -> core::ops::Range<usize> {
        let mut hasher = SipHasher13::new_with_keys(self.secret[0], self.secret[1]);
        hasher.write_u64(domain.0.into());
        hasher.write_u64(name.object);
        hasher.write_u64(name.index);
        let sets = (self.records.len() / WAYS) as u64;
        // The upper half of the hash, as a fraction of all sets.
        let start = (((hasher.finish() >> 32) * sets) >> 32) as usize * WAYS;
        start..start + WAYS
    }

    /// The record of a page that is kept.
    pub(crate) fn find(&self, domain: DomainId, name: SpareName) -> Option<RecordIndex> {
        if self.records.is_empty() {
            return None;
        }
        self.set(domain, name)
            .find(|index| {
                self.records[*index]
                    .is_some_and(|record| record.domain == domain && record.name == name)
            })
            .map(|index| RecordIndex(index as u32))
    }

    /// Whether a domain keeps more than its even part of all that is kept.
    pub(crate) fn is_greedy(&self, domain: DomainId) -> bool {
        let held = self.held_by(domain);
        u64::from(held) * u64::from(self.users) > u64::from(self.all)
    }

    /// Pages of a domain that are kept.
    pub(crate) fn held_by(&self, domain: DomainId) -> u32 {
        let slot = Slot::of(domain).and_then(|slot| self.held.get(slot.index()));
        slot.copied().unwrap_or(0)
    }

    /// Where a page can be kept that is not. `room`: there is a frame for one more.
    pub(crate) fn place(&self, domain: DomainId, name: SpareName, room: bool) -> Place {
        if self.records.is_empty() {
            return Place::None;
        }
        let set = self.set(domain, name);
        let vacant = set.clone().find(|index| self.records[*index].is_none());
        let greedy = self.is_greedy(domain);
        if let Some(vacant) = vacant.filter(|_| room || !greedy) {
            return Place::Vacant(RecordIndex(vacant as u32));
        }
        let age = |record: &Record| self.clock.wrapping_sub(record.used);
        set.filter_map(|index| Some((index, self.records[index].as_ref()?)))
            .filter(|(_, record)| !greedy || record.domain == domain)
            .max_by_key(|(_, record)| age(record))
            .map_or(Place::None, |(index, _)| Place::Instead(RecordIndex(index as u32)))
    }

    /// A page is kept.
    pub(crate) fn insert(
        &mut self,
        index: RecordIndex,
        domain: DomainId,
        name: SpareName,
        frame: NonZeroU32,
    ) {
        self.clock = self.clock.wrapping_add(1);
        self.records[index.0 as usize] = Some(Record { domain, name, frame, used: self.clock });
        self.all += 1;
        self.counters.most = self.counters.most.max(self.all.into());
        if let Some(held) = Slot::of(domain).and_then(|slot| self.held.get_mut(slot.index())) {
            *held += 1;
            self.users += u32::from(*held == 1);
        }
    }

    /// A page is used.
    pub(crate) fn touch(&mut self, index: RecordIndex) {
        self.clock = self.clock.wrapping_add(1);
        if let Some(record) = &mut self.records[index.0 as usize] {
            record.used = self.clock;
        }
    }

    /// A page is kept no more: what its record said.
    pub(crate) fn remove(&mut self, index: RecordIndex) -> Option<Record> {
        let record = self.records[index.0 as usize].take()?;
        self.all -= 1;
        if let Some(held) = Slot::of(record.domain).and_then(|slot| self.held.get_mut(slot.index()))
        {
            *held -= 1;
            self.users -= u32::from(*held == 0);
        }
        Some(record)
    }

    /// How many pages are kept, and of how many domains, as the table counts.
    pub(crate) fn counts(&self) -> (u32, u32) {
        (self.all, self.users)
    }

    #[cfg(test)]
    pub(crate) fn corrupt(&mut self, index: RecordIndex) -> &mut Option<Record> {
        &mut self.records[index.0 as usize]
    }

    #[cfg(test)]
    pub(crate) fn corrupt_held(&mut self, domain: DomainId) -> &mut u32 {
        let slot = Slot::of(domain).map_or(0, Slot::index);
        &mut self.held[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DomainId = DomainId(1);
    const TWO: DomainId = DomainId(2);

    fn name(index: u64) -> SpareName {
        SpareName { object: 7, index }
    }

    fn frame(number: u64) -> NonZeroU32 {
        NonZeroU32::new(number as u32 + 1).unwrap()
    }

    /// Puts a page where the table says; whether it is kept.
    fn put(table: &mut SpareTable, domain: DomainId, index: u64, room: bool) -> bool {
        let place = match table.place(domain, name(index), room) {
            Place::None => return false,
            Place::Vacant(place) => place,
            Place::Instead(place) => {
                table.remove(place);
                place
            }
        };
        table.insert(place, domain, name(index), frame(index));
        true
    }

    #[test]
    fn a_page_is_found_by_its_name_and_by_its_domain_alone() {
        let mut table = SpareTable::new(64, [1, 2]).unwrap();
        assert!(put(&mut table, ONE, 3, true) && put(&mut table, TWO, 3, true));
        let of = |table: &SpareTable, domain| {
            table.find(domain, name(3)).and_then(|index| table.get(index)).map(|found| found.domain)
        };
        assert_eq!((of(&table, ONE), of(&table, TWO)), (Some(ONE), Some(TWO)));
        assert_eq!(of(&table, DomainId(3)), None);
        assert_eq!(table.find(ONE, SpareName { object: 3, index: 7 }), None);
        let index = table.find(ONE, name(3)).unwrap();
        assert_eq!(table.remove(index).map(|record| record.frame), Some(frame(3)));
        assert_eq!((of(&table, ONE), of(&table, TWO)), (None, Some(TWO)));
        assert_eq!((table.held_by(ONE), table.counts()), (0, (1, 1)));
    }

    #[test]
    fn in_a_full_set_the_page_goes_that_was_not_used_for_longest() {
        let mut table = SpareTable::new(8, [1, 2]).unwrap();
        for index in 0..8 {
            assert!(put(&mut table, ONE, index, true));
        }
        let first = table.find(ONE, name(0)).unwrap();
        table.touch(first);
        assert!(put(&mut table, ONE, 8, true));
        assert_eq!(table.find(ONE, name(1)), None);
        assert!(
            (0..9).filter(|index| *index != 1).all(|index| table.find(ONE, name(index)).is_some())
        );
    }

    #[test]
    fn who_keeps_more_than_an_even_part_displaces_its_own() {
        let mut table = SpareTable::new(8, [1, 2]).unwrap();
        for index in 0..2 {
            assert!(put(&mut table, TWO, index, true));
        }
        for index in 2..100 {
            assert!(put(&mut table, ONE, index, true));
        }
        assert_eq!((table.held_by(ONE), table.held_by(TWO)), (6, 2));
        // The other takes what is its own in the end, and no more.
        for index in 100..200 {
            assert!(put(&mut table, TWO, index, true));
        }
        assert!(table.held_by(ONE) >= 3 && table.held_by(TWO) >= 4, "{:?}", table.held);
    }

    #[test]
    fn without_a_frame_more_who_is_greedy_gets_no_place() {
        let mut table = SpareTable::new(8, [1, 2]).unwrap();
        assert!(put(&mut table, TWO, 0, true));
        assert!(put(&mut table, ONE, 1, true) && put(&mut table, ONE, 2, true));
        let place = table.place(ONE, name(3), false);
        assert!(matches!(place, Place::Instead(index) if table.get(index).unwrap().domain == ONE));
        assert!(matches!(table.place(TWO, name(3), false), Place::Vacant(_)));
        assert_eq!(SpareTable::OFF.place(ONE, name(1), true), Place::None);
        assert!(SpareTable::new(MAX_SPARE_FRAMES + 1, [0; 2]).is_none());
    }
}
