//! Where each page of a guest is: what a driver says is checked against this, never against its own words.

use core::fmt;
use hypercall_abi::Pfn;

/// Where a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// With the guest, and has a frame.
    Backed,
    /// With the guest, and gets a frame when it is touched: it was reported free.
    Absent,
    /// In the balloon, without a frame.
    Ballooned,
    /// In the balloon, with its frame: the hypervisor could not take it, or the guest has touched it.
    Kept,
}

impl Place {
    const fn bits(self) -> u64 {
        match self {
            Place::Backed => 0,
            Place::Absent => 1,
            Place::Kept => 2,
            Place::Ballooned => 3,
        }
    }

    const fn of_bits(bits: u64) -> Place {
        match bits & 3 {
            0 => Place::Backed,
            1 => Place::Absent,
            2 => Place::Kept,
            _ => Place::Ballooned,
        }
    }

    const fn has_frame(self) -> bool {
        matches!(self, Place::Backed | Place::Kept)
    }

    const fn in_balloon(self) -> bool {
        matches!(self, Place::Ballooned | Place::Kept)
    }
}

/// Pages in a word.
const PER_WORD: u64 = 32;

/// The bits of a word that say which of its pages are in the balloon.
const IN_BALLOON: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Where every page of a guest is, in two bits each of words that the caller lends: 64 KiB for 1 GiB.
pub struct PageMap<W> {
    words: W,
    pages: u64,
    without_frame: u64,
    in_balloon: u64,
}

impl<W: AsRef<[u64]> + AsMut<[u64]>> PageMap<W> {
    /// Words for so many pages.
    pub const fn words_needed(pages: u64) -> usize {
        pages.div_ceil(PER_WORD) as usize
    }

    /// All with the guest, which has so many; `None`, if the words do not suffice or a driver could not
    /// name all the pages: it has 32 bits for that.
    pub fn new(mut words: W, pages: u64) -> Option<PageMap<W>> {
        if pages > 1 << 32 {
            return None;
        }
        words.as_mut().get_mut(..Self::words_needed(pages))?.fill(0);
        Some(PageMap { words, pages, without_frame: 0, in_balloon: 0 })
    }

    /// Pages of the guest.
    pub const fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages that have a frame.
    pub const fn backed(&self) -> u64 {
        self.pages - self.without_frame
    }

    /// Pages in the balloon, with a frame or without.
    pub const fn in_balloon(&self) -> u64 {
        self.in_balloon
    }

    /// Where a page is; `None` if there is no such.
    pub fn get(&self, page: Pfn) -> Option<Place> {
        if page.0 >= self.pages {
            return None;
        }
        let word = self.words.as_ref().get((page.0 / PER_WORD) as usize)?;
        Some(Place::of_bits(word >> (page.0 % PER_WORD * 2)))
    }

    /// Puts a page that there is somewhere else.
    pub(super) fn set(&mut self, page: Pfn, place: Place) {
        let Some(old) = self.get(page) else { return };
        let shift = page.0 % PER_WORD * 2;
        if let Some(word) = self.words.as_mut().get_mut((page.0 / PER_WORD) as usize) {
            *word = *word & !(3 << shift) | place.bits() << shift;
            self.without_frame += u64::from(!place.has_frame());
            self.without_frame -= u64::from(!old.has_frame());
            self.in_balloon += u64::from(place.in_balloon());
            self.in_balloon -= u64::from(old.in_balloon());
        }
    }

    /// Lets a number of words forget the balloon: their pages are with the guest again, and those without
    /// a frame get one when they are touched. Where to go on; `None` at the end.
    pub(super) fn forget_balloon(&mut self, from: usize, words: usize) -> Option<usize> {
        let used = Self::words_needed(self.pages);
        let to = from.saturating_add(words).min(used);
        for word in self.words.as_mut().get_mut(from..to).unwrap_or_default() {
            self.in_balloon -= u64::from((*word & IN_BALLOON).count_ones());
            *word &= !IN_BALLOON;
        }
        (to < used).then_some(to)
    }
}

impl<W> fmt::Debug for PageMap<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = formatter.debug_struct("PageMap");
        all.field("pages", &self.pages).field("without_frame", &self.without_frame);
        all.field("in_balloon", &self.in_balloon).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_where_they_are() {
        let mut map = PageMap::new([u64::MAX; 3], 70).expect("room");
        for page in [0, 31, 32, 63, 64, 69] {
            map.set(Pfn(page), Place::Ballooned);
        }
        map.set(Pfn(31), Place::Kept);
        map.set(Pfn(32), Place::Absent);
        map.set(Pfn(0), Place::Backed);
        assert_eq!((map.backed(), map.in_balloon()), (66, 4));
        assert_eq!(map.get(Pfn(31)), Some(Place::Kept));
        assert_eq!(map.get(Pfn(30)), Some(Place::Backed));
        assert_eq!(map.get(Pfn(69)), Some(Place::Ballooned));
        assert_eq!(map.get(Pfn(70)), None);
        assert_eq!(map.get(Pfn(u64::MAX)), None);
    }

    #[test]
    fn a_forgotten_balloon_leaves_pages_that_come_back_when_they_are_touched() {
        let mut map = PageMap::new([0; 3], 70).expect("room");
        (0..70).for_each(|page| map.set(Pfn(page), Place::Ballooned));
        map.set(Pfn(69), Place::Kept);
        assert_eq!(map.forget_balloon(0, 2), Some(2));
        assert_eq!((map.in_balloon(), map.get(Pfn(63))), (6, Some(Place::Absent)));
        assert_eq!(map.forget_balloon(2, 2), None);
        assert_eq!((map.in_balloon(), map.backed()), (0, 1));
        assert_eq!(map.get(Pfn(69)), Some(Place::Backed));
    }

    #[test]
    fn words_have_to_suffice_and_numbers_too() {
        assert!(PageMap::new([0; 2], 65).is_none());
        assert!(PageMap::new([0; 2], 64).is_some());
        assert!(PageMap::new([0; 2], (1 << 32) + 1).is_none());
    }
}
