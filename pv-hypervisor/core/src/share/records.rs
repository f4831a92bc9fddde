//! What is recorded of pages that have no frame of their own, because they share one or were put
//! away, and of the entries that map them.
//!
//! Only of those: a page that has a frame of its own costs nothing here. A page's entries are
//! a list through their records, so that all of them can be given another frame; an entry's
//! record is found by where the entry lies, when it is replaced or written through.
//!
//! The tables grow by chunks, which move nothing, up to a limit. When there is no room for more,
//! nothing more is shared.

use crate::domain::Slot;
use crate::reclaim::{Parcel, SwapPlace};
use alloc::vec::Vec;
use hypercall_abi::{Mfn, Pfn};

/// Records in a chunk.
const CHUNK: usize = 256;

/// Entries that map one shared page at most: breaking it up rewrites all of them at once.
pub(crate) const MAX_ENTRIES: u16 = 64;

/// Number of a record in its table; it stays while the record does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Index(core::num::NonZeroU32);

impl Index {
    fn new(position: usize) -> Index {
        Index(core::num::NonZeroU32::MIN.saturating_add(position as u32))
    }

    fn position(self) -> usize {
        self.0.get() as usize - 1
    }
}

type Link = Option<Index>;

/// Where the content of a page is that has no frame of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Backing {
    /// In a shared frame, which its entries name.
    Shared(Mfn),
    /// Put away: its entries are marked, and name nothing.
    Away(Away),
}

/// Where the content of a page is that was put away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Away {
    /// In a frame still, or again: one that pages share, of which this is mostly the only one.
    Frame(Mfn),
    /// It is zeros.
    Zeros,
    /// Compressed.
    Parcel(Parcel),
    /// On its way back: so many blocks of the parcel are in the frame.
    Unpacking { parcel: Parcel, frame: Mfn, blocks: u8 },
    /// On the swap device.
    Swapped(SwapPlace),
    /// On its way back: the device reads it into the frame.
    Reading { place: SwapPlace, frame: Mfn },
}

/// A page of a domain that has no frame of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Page {
    /// Where its content is.
    pub(crate) backing: Backing,
    /// Whose page.
    pub(crate) slot: Slot,
    /// Which.
    pub(crate) page: u32,
    /// Entries that map it.
    pub(crate) entries: u16,
    first: Link,
}

impl Page {
    /// The shared frame that its entries name.
    pub(crate) fn shared_frame(&self) -> Option<Mfn> {
        match self.backing {
            Backing::Shared(frame) => Some(frame),
            Backing::Away(_) => None,
        }
    }

    /// The frame that its content is in, wholly or in part.
    pub(crate) fn frame(&self) -> Option<Mfn> {
        match self.backing {
            Backing::Shared(frame)
            | Backing::Away(
                Away::Frame(frame) | Away::Unpacking { frame, .. } | Away::Reading { frame, .. },
            ) => Some(frame),
            Backing::Away(Away::Zeros | Away::Parcel(_) | Away::Swapped(_)) => None,
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        matches!(self.backing, Backing::Away(_))
    }
}

/// An entry of a level-1 table that maps such a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Entry {
    /// Where it lies.
    pub(crate) place: EntryPlace,
    /// Whether it permits writing once the page has a frame of its own.
    pub(crate) writable: bool,
    /// The page.
    pub(crate) page: Index,
    /// The entries of the page before and after it.
    previous: Link,
    next: Link,
}

/// Where an entry lies: a level-1 table, and an index into it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EntryPlace {
    pub(crate) table: Mfn,
    pub(crate) index: u16,
}

impl EntryPlace {
    pub(crate) fn new(table: Mfn, index: usize) -> EntryPlace {
        EntryPlace { table, index: index as u16 }
    }
}

/// What a table finds a record by.
trait Keyed {
    type Key: Copy + PartialEq;
    fn key(&self) -> Self::Key;
    fn hash(key: Self::Key) -> u64;
}

impl Keyed for Page {
    type Key = (Slot, u32);

    fn key(&self) -> Self::Key {
        (self.slot, self.page)
    }

    fn hash((slot, page): Self::Key) -> u64 {
        u64::from(page) << 8 | slot.index() as u64
    }
}

impl Keyed for Entry {
    type Key = EntryPlace;

    fn key(&self) -> EntryPlace {
        self.place
    }

    fn hash(key: EntryPlace) -> u64 {
        key.table.0 << 9 | u64::from(key.index)
    }
}

/// A place for a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Place<T> {
    Vacant(Link),
    Taken(T, Link),
}

/// Records found by their keys: lists, one for each value of the key's hash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Table<T> {
    chunks: Vec<Vec<Place<T>>>,
    heads: Vec<Link>,
    vacant: Link,
    length: usize,
    limit: usize,
}

impl<T: Keyed + Copy> Table<T> {
    const EMPTY: Table<T> =
        Table { chunks: Vec::new(), heads: Vec::new(), vacant: None, length: 0, limit: 0 };

    fn new(limit: usize) -> Option<Table<T>> {
        let limit = limit.min(u32::MAX as usize / 2).next_multiple_of(CHUNK);
        let lists = (limit / 4).next_power_of_two();
        let (mut chunks, mut heads) = (Vec::new(), Vec::new());
        chunks.try_reserve_exact(limit / CHUNK).ok()?;
        heads.try_reserve_exact(lists).ok()?;
        heads.resize(lists, None);
        Some(Table { chunks, heads, vacant: None, length: 0, limit })
    }

    fn at(&self, index: Index) -> &Place<T> {
        &self.chunks[index.position() / CHUNK][index.position() % CHUNK]
    }

    fn at_mut(&mut self, index: Index) -> &mut Place<T> {
        &mut self.chunks[index.position() / CHUNK][index.position() % CHUNK]
    }

    fn get(&self, index: Index) -> &T {
        match self.at(index) {
            Place::Taken(record, _) => record,
            Place::Vacant(_) => unreachable!("a link leads to a record"),
        }
    }

    fn get_mut(&mut self, index: Index) -> &mut T {
        match self.at_mut(index) {
            Place::Taken(record, _) => record,
            Place::Vacant(_) => unreachable!("a link leads to a record"),
        }
    }

    fn head(&self, key: T::Key) -> usize {
        let hash = T::hash(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        hash as usize & (self.heads.len() - 1)
    }

    fn find(&self, key: T::Key) -> Link {
        if self.length == 0 {
            return None;
        }
        let mut link = self.heads[self.head(key)];
        while let Some(index) = link {
            match self.at(index) {
                Place::Taken(record, _) if record.key() == key => return Some(index),
                Place::Taken(_, next) => link = *next,
                Place::Vacant(_) => return None,
            }
        }
        None
    }

    fn has_room(&self, more: usize) -> bool {
        self.length + more <= self.chunks.len() * CHUNK
    }

    /// Whether so many records more find room; makes it.
    fn make_room(&mut self, more: usize) -> bool {
        while !self.has_room(more) {
            if !self.add_chunk() {
                return false;
            }
        }
        true
    }

    /// Whether there could be room for a chunk more, which there is from here on.
    fn add_chunk(&mut self) -> bool {
        let mut chunk = Vec::new();
        if (self.chunks.len() + 1) * CHUNK > self.limit || chunk.try_reserve_exact(CHUNK).is_err() {
            return false;
        }
        let first = self.chunks.len() * CHUNK;
        for position in first..first + CHUNK {
            chunk.push(Place::Vacant(self.vacant));
            self.vacant = Some(Index::new(position));
        }
        self.chunks.push(chunk);
        true
    }

    /// Adds a record for which room was made.
    fn insert(&mut self, record: T) -> Index {
        let Some(index) = self.vacant else { unreachable!("room was made for it") };
        let Place::Vacant(next) = *self.at(index) else {
            unreachable!("the list of vacant places holds such")
        };
        self.vacant = next;
        let head = self.head(record.key());
        *self.at_mut(index) = Place::Taken(record, self.heads[head]);
        self.heads[head] = Some(index);
        self.length += 1;
        index
    }

    fn remove(&mut self, index: Index) {
        let Place::Taken(record, after) = *self.at(index) else { return };
        let head = self.head(record.key());
        let mut link = self.heads[head];
        if link == Some(index) {
            self.heads[head] = after;
        }
        while let Some(before) = link {
            link = match self.at_mut(before) {
                Place::Taken(_, next) if *next == Some(index) => {
                    *next = after;
                    None
                }
                Place::Taken(_, next) => *next,
                Place::Vacant(_) => None,
            };
        }
        *self.at_mut(index) = Place::Vacant(self.vacant);
        self.vacant = Some(index);
        self.length -= 1;
    }

    /// The record of a number, if there is one.
    fn nth(&self, position: usize) -> Option<(Index, &T)> {
        match self.chunks.get(position / CHUNK)?.get(position % CHUNK)? {
            Place::Taken(record, _) => Some((Index::new(position), record)),
            Place::Vacant(_) => None,
        }
    }

    fn places(&self) -> usize {
        self.chunks.len() * CHUNK
    }
}

/// All records.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Records {
    pages: Table<Page>,
    entries: Table<Entry>,
}

impl Records {
    pub(crate) const NONE: Records = Records { pages: Table::EMPTY, entries: Table::EMPTY };

    /// With room for so many pages and entries at most; `None` when the heap has none even
    /// for what stands before them.
    pub(crate) fn new(pages: usize, entries: usize) -> Option<Records> {
        Some(Records { pages: Table::new(pages)?, entries: Table::new(entries)? })
    }

    /// Whether every page has a frame of its own.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.pages.length == 0
    }

    /// Pages without a frame of their own, and entries that map them.
    #[inline(always)]
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.pages.length, self.entries.length)
    }

    pub(crate) fn make_room(&mut self, pages: usize, entries: usize) -> bool {
        self.pages.make_room(pages) && self.entries.make_room(entries)
    }

    /// Adds room in one piece if there is less than for so many: whether it did. It takes about as long
    /// as a merge, which needs none afterwards.
    pub(crate) fn grow_if_short(&mut self, pages: usize, entries: usize) -> bool {
        !self.pages.has_room(pages) && self.pages.add_chunk()
            || !self.entries.has_room(entries) && self.entries.add_chunk()
    }

    pub(crate) fn find_page(&self, slot: Slot, page: Pfn) -> Link {
        self.pages.find((slot, u32::try_from(page.0).ok()?))
    }

    pub(crate) fn page(&self, index: Index) -> &Page {
        self.pages.get(index)
    }

    pub(crate) fn find_entry(&self, place: EntryPlace) -> Option<(Index, &Entry)> {
        let index = self.entries.find(place)?;
        Some((index, self.entries.get(index)))
    }

    /// Adds a page, without entries; room was made.
    pub(crate) fn add_page(&mut self, slot: Slot, page: Pfn, backing: Backing) -> Index {
        self.pages.insert(Page { backing, slot, page: page.0 as u32, entries: 0, first: None })
    }

    /// The content of a page is elsewhere from here on.
    pub(crate) fn set_backing(&mut self, page: Index, backing: Backing) {
        self.pages.get_mut(page).backing = backing;
    }

    /// Adds an entry to a page; room was made.
    pub(crate) fn add_entry(&mut self, page: Index, place: EntryPlace, writable: bool) {
        let next = self.pages.get(page).first;
        let index = self.entries.insert(Entry { place, writable, page, previous: None, next });
        if let Some(next) = next {
            self.entries.get_mut(next).previous = Some(index);
        }
        let page = self.pages.get_mut(page);
        page.first = Some(index);
        page.entries += 1;
    }

    /// Forgets an entry.
    pub(crate) fn remove_entry(&mut self, index: Index) {
        let Entry { page, previous, next, .. } = *self.entries.get(index);
        let record = self.pages.get_mut(page);
        record.entries -= 1;
        match previous {
            Some(previous) => self.entries.get_mut(previous).next = next,
            None => record.first = next,
        }
        if let Some(next) = next {
            self.entries.get_mut(next).previous = previous;
        }
        self.entries.remove(index);
    }

    /// Forgets one entry of a page, and says which it was.
    pub(crate) fn take_entry(&mut self, page: Index) -> Option<(EntryPlace, bool)> {
        let first = self.pages.get(page).first?;
        let Entry { place, writable, .. } = *self.entries.get(first);
        self.remove_entry(first);
        Some((place, writable))
    }

    /// Forgets a page that no entry maps.
    pub(crate) fn remove_page(&mut self, index: Index) {
        debug_assert!(self.pages.get(index).first.is_none(), "entries map the page");
        self.pages.remove(index);
    }

    /// Places for records of pages, taken or not.
    pub(crate) fn page_places(&self) -> usize {
        self.pages.places()
    }

    /// The page in that place, if there is one.
    pub(crate) fn nth_page(&self, place: usize) -> Option<(Index, &Page)> {
        self.pages.nth(place)
    }

    /// Every page.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (Index, &Page)> {
        (0..self.pages.places()).filter_map(|place| self.pages.nth(place))
    }

    /// Every entry.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        (0..self.entries.places()).filter_map(|place| Some(self.entries.nth(place)?.1))
    }

    /// The entries of a page; as many as the table has at most, so that a ring ends too.
    pub(crate) fn entries_of(&self, page: Index) -> impl Iterator<Item = &Entry> {
        let mut link = self.pages.get(page).first;
        let limit = self.entries.length;
        core::iter::from_fn(move || {
            let entry = self.entries.get(link?);
            link = entry.next;
            Some(entry)
        })
        .take(limit)
    }

    /// Whether each entry of a page names the one before it.
    pub(crate) fn is_linked_back(&self, page: Index) -> bool {
        let mut before = None;
        let mut link = self.pages.get(page).first;
        for _ in 0..self.entries.length {
            let Some(index) = link else { break };
            let entry = self.entries.get(index);
            if entry.previous != before {
                return false;
            }
            (before, link) = (link, entry.next);
        }
        true
    }

    #[cfg(test)]
    pub(crate) fn corrupt_link(&mut self, index: Index) {
        self.entries.get_mut(index).previous = Some(index);
    }

    #[cfg(test)]
    pub(crate) fn corrupt_page(&mut self, index: Index) -> &mut Page {
        self.pages.get_mut(index)
    }

    #[cfg(test)]
    pub(crate) fn corrupt_entry(&mut self, index: Index) -> &mut Entry {
        self.entries.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_until_they_are_removed() {
        let mut records = Records::new(1000, 2000).unwrap();
        assert!(records.make_room(600, 1200));
        let pages: Vec<Index> = (0..600)
            .map(|page| {
                let index =
                    records.add_page(Slot(page % 3), Pfn(page.into()), Backing::Shared(Mfn(7)));
                for index_in_table in [page, page + 600] {
                    let place = EntryPlace { table: Mfn(index_in_table.into()), index: 5 };
                    records.add_entry(index, place, index_in_table == page);
                }
                index
            })
            .collect();
        assert_eq!(records.lengths(), (600, 1200));
        for page in (0..600u16).step_by(2) {
            let (entry, found) =
                records.find_entry(EntryPlace { table: Mfn(page.into()), index: 5 }).unwrap();
            assert_eq!((found.page, found.writable), (pages[usize::from(page)], true));
            records.remove_entry(entry);
            let rest = records.take_entry(pages[usize::from(page)]);
            let other = EntryPlace { table: Mfn(u64::from(page) + 600), index: 5 };
            assert_eq!(rest, Some((other, false)));
            records.remove_page(pages[usize::from(page)]);
        }
        assert_eq!(records.lengths(), (300, 600));
        for page in 0..600u16 {
            let found = records.find_page(Slot(page % 3), Pfn(page.into()));
            assert_eq!(found.is_some(), page % 2 == 1);
        }
    }

    #[test]
    fn there_is_room_up_to_the_limit() {
        let mut records = Records::new(CHUNK, CHUNK).unwrap();
        assert!(records.make_room(CHUNK, CHUNK));
        assert!(!records.make_room(CHUNK + 1, 0));
        let mut none = Records::NONE;
        assert!(!none.make_room(1, 0));
    }
}
