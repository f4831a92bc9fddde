//! Which pages there are, what each of them is for, and how many uses it has: [`Frames`].
//!
//! A page has one use for each page-table entry that maps it, one for the file that it is
//! content of, one for the kernel. It is free again when the last use ends. The record of a page
//! is one word; free pages and holes are chained through their records, so that taking a page
//! and giving one back cost the same however many there are.
//!
//! Blocks of 512 pages that have a whole extent of the machine behind them can be taken whole: see
//! `blocks`.

mod blocks;
mod extents;

pub use blocks::BLOCK;

use crate::{NoPage, Pfn};
use blocks::{NONE, Stock};

/// What a page is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Not the allocator's: the kernel's image, its heap, no memory at all.
    Absent = 0,
    /// Free.
    Free = 1,
    /// Ballooned away: it has a number and no memory.
    Hole = 2,
    /// The kernel's own.
    Kernel = 3,
    /// A page table of a process.
    Table = 4,
    /// Private memory of processes that no file has a copy of.
    Anonymous = 5,
    /// Content of a file.
    File = 6,
    /// Memory that processes share and that no file has.
    Shared = 7,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Absent,
        Kind::Free,
        Kind::Hole,
        Kind::Kernel,
        Kind::Table,
        Kind::Anonymous,
        Kind::File,
        Kind::Shared,
    ];
}

/// Free pages that are kept back, and below which the kernel looks for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    /// What only the kernel takes, and half of it page tables: so that what frees memory can go
    /// on when there is none.
    pub min: u64,
    /// Below this many, memory is to be reclaimed.
    pub low: u64,
    /// Until there are this many.
    pub high: u64,
}

impl Watermarks {
    /// For that many pages.
    pub fn for_pages(pages: u64) -> Watermarks {
        let min = (pages / 64).clamp(4, 256);
        Watermarks { min, low: min * 2, high: min * 3 }
    }
}

/// Bits of a record below its kind: its uses, or the next page of its chain.
const LOW: u32 = 29;
const LOW_MASK: u32 = (1 << LOW) - 1;
const _: () = assert!(NONE == LOW_MASK, "the end of a chain fits a record");

/// The most pages that [`Frames`] can number: 1 TiB. Entries of address spaces hold so many
/// bits of a page.
pub const MAX_PAGES: u64 = 1 << 28;

/// The pages of the kernel's memory.
///
/// A page that is given back twice, or shared when it is free, is an error of the kernel and
/// panics: to go on would give one page to two owners.
#[derive(Clone, Debug)]
pub struct Frames {
    records: alloc::vec::Vec<u32>,
    counts: [u64; 8],
    free: Stock,
    holes: Stock,
    marks: Watermarks,
    tables: u64,
}

impl Frames {
    /// Pages `0..span`, all of them [`Kind::Absent`] until [`add`](Self::add) brings them in.
    ///
    /// # Panics
    /// If there are more than [`MAX_PAGES`].
    pub fn new(span: u64) -> Frames {
        assert!(span <= MAX_PAGES, "{span} pages are more than {MAX_PAGES}");
        let mut counts = [0; 8];
        counts[Kind::Absent as usize] = span;
        Frames {
            records: alloc::vec![0; span as usize],
            counts,
            free: Stock::new(span, false),
            // An extent may come for any run of holes.
            holes: Stock::new(span, true),
            marks: Watermarks { min: 0, low: 0, high: 0 },
            tables: u64::MAX,
        }
    }

    /// Brings an absent page in: it is free.
    ///
    /// # Panics
    /// If it is not [`Kind::Absent`].
    pub fn add(&mut self, page: Pfn) {
        self.expect(page, Kind::Absent);
        self.set_free(page);
    }

    /// Sets the watermarks. They are zero at first.
    pub fn set_watermarks(&mut self, marks: Watermarks) {
        self.marks = marks;
    }

    /// Sets how many pages may be tables: for each of them the platform has something on the
    /// kernel's heap. There is no limit at first.
    pub fn set_table_limit(&mut self, tables: u64) {
        self.tables = tables;
    }

    /// Whether as many pages are tables as may be.
    pub fn tables_are_out(&self) -> bool {
        self.count(Kind::Table) >= self.tables
    }

    /// The watermarks.
    pub fn watermarks(&self) -> Watermarks {
        self.marks
    }

    /// Takes a free page, with one use. What is in it is left from before.
    ///
    /// # Errors
    /// [`NoPage`], also when there are only those that are kept back from this kind.
    ///
    /// # Panics
    /// If the kind is none that a page in use has.
    pub fn take(&mut self, kind: Kind) -> Result<Pfn, NoPage> {
        let kept = match kind {
            Kind::Kernel => 0,
            Kind::Table => self.marks.min / 2,
            Kind::Anonymous | Kind::File | Kind::Shared => self.marks.min,
            Kind::Absent | Kind::Free | Kind::Hole => panic!("no page is taken as {kind:?}"),
        };
        if self.counts[Kind::Free as usize] <= kept || kind == Kind::Table && self.tables_are_out()
        {
            return Err(NoPage);
        }
        let page = self.free.next();
        let record = &mut self.records[page as usize];
        self.free.take(page, *record & LOW_MASK);
        *record = (kind as u32) << LOW | 1;
        self.moved(Kind::Free, kind);
        Ok(Pfn(page.into()))
    }

    /// One use more of a page that is in use.
    ///
    /// # Errors
    /// [`NoPage`], when there are so many that no more can be counted.
    ///
    /// # Panics
    /// If the page is not in use.
    #[inline]
    pub fn share(&mut self, page: Pfn) -> Result<(), NoPage> {
        let record = &mut self.records[page.0 as usize];
        assert!(*record >> LOW >= Kind::Kernel as u32, "page {} is shared, and not in use", page.0);
        if *record & LOW_MASK == LOW_MASK {
            return Err(NoPage);
        }
        *record += 1;
        Ok(())
    }

    /// One use less. Whether the page is free now.
    ///
    /// # Panics
    /// If the page is not in use.
    #[inline]
    pub fn give(&mut self, page: Pfn) -> bool {
        let record = &mut self.records[page.0 as usize];
        assert!(*record >> LOW >= Kind::Kernel as u32, "page {} is given twice", page.0);
        *record -= 1;
        let last = *record & LOW_MASK == 0;
        if last {
            self.set_free(page);
        }
        last
    }

    /// How many uses a page has; 0 when it is not in use.
    #[inline]
    pub fn uses(&self, page: Pfn) -> u32 {
        let record = self.records[page.0 as usize];
        if record >> LOW >= Kind::Kernel as u32 { record & LOW_MASK } else { 0 }
    }

    /// What a page is for; [`Kind::Absent`] for one beyond the end.
    #[inline]
    pub fn kind(&self, page: Pfn) -> Kind {
        let record = self.records.get(page.0 as usize).copied().unwrap_or(0);
        Kind::ALL[(record >> LOW) as usize]
    }

    /// Brings an absent page in that has no memory: it is a hole from the start.
    ///
    /// # Panics
    /// If it is not [`Kind::Absent`].
    pub fn add_hole(&mut self, page: Pfn) {
        self.expect(page, Kind::Absent);
        self.become_hole(page, Kind::Absent);
    }

    /// The balloon took the memory of a page: it is a hole.
    ///
    /// # Panics
    /// If it is not a page of the kernel's with one use, as [`take`](Self::take) gives it.
    pub fn make_hole(&mut self, page: Pfn) {
        self.expect(page, Kind::Kernel);
        assert!(self.uses(page) == 1, "page {} is made a hole, and still used", page.0);
        self.become_hole(page, Kind::Kernel);
    }

    fn become_hole(&mut self, page: Pfn, from: Kind) {
        self.free.keep_whole(page.0 as u32, false);
        let next = self.holes.put(page.0 as u32);
        self.records[page.0 as usize] = (Kind::Hole as u32) << LOW | next;
        self.moved(from, Kind::Hole);
    }

    /// Takes a hole to give it memory: a page of the kernel's with one use, as
    /// [`take`](Self::take) gives it. `None`: there is no hole.
    pub fn fill_hole(&mut self) -> Option<Pfn> {
        let page = self.holes.next();
        let record = self.records.get_mut(page as usize)?;
        self.holes.take(page, *record & LOW_MASK);
        *record = (Kind::Kernel as u32) << LOW | 1;
        self.moved(Kind::Hole, Kind::Kernel);
        Some(Pfn(page.into()))
    }

    /// How many pages are of a kind.
    #[inline]
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many pages have memory and are the allocator's.
    pub fn total(&self) -> u64 {
        self.span() - self.count(Kind::Absent) - self.count(Kind::Hole)
    }

    /// How many numbers pages have.
    pub fn span(&self) -> u64 {
        self.records.len() as u64
    }

    /// How many pages should be reclaimed now: 0 as long as no fewer than the low watermark
    /// are free.
    pub fn shortfall(&self) -> u64 {
        let free = self.count(Kind::Free);
        if free < self.marks.low { self.marks.high.saturating_sub(free) } else { 0 }
    }

    /// Whether there are plenty: no fewer than the high watermark are free.
    #[inline]
    pub fn has_plenty(&self) -> bool {
        self.count(Kind::Free) >= self.marks.high
    }

    /// How many pages the chains of free ones and of holes have.
    #[cfg(any(test, feature = "model"))]
    pub(super) fn chained(&self) -> (u64, u64) {
        let count = |stock: &Stock| {
            let chain = |first: u32| {
                core::iter::successors(Some(first), |page| {
                    Some(self.records.get(*page as usize)? & LOW_MASK)
                })
                .take_while(|page| *page != NONE)
                .count() as u64
            };
            stock.chains().map(chain).sum()
        };
        (count(&self.free), count(&self.holes))
    }

    fn set_free(&mut self, page: Pfn) {
        let was = self.kind(page);
        let next = self.free.put(page.0 as u32);
        self.records[page.0 as usize] = (Kind::Free as u32) << LOW | next;
        self.moved(was, Kind::Free);
    }

    #[inline]
    fn moved(&mut self, from: Kind, to: Kind) {
        self.counts[from as usize] -= 1;
        self.counts[to as usize] += 1;
    }

    fn expect(&self, page: Pfn, kind: Kind) {
        let is = self.kind(page);
        assert!(is == kind, "page {} is {is:?}, and should be {kind:?}", page.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn frames(pages: u64) -> Frames {
        let mut frames = Frames::new(pages + 1);
        (1..=pages).for_each(|page| frames.add(Pfn(page)));
        frames
    }

    #[test]
    fn every_page_is_taken_once_and_comes_back() {
        let mut frames = frames(5);
        let mut taken: alloc::vec::Vec<_> =
            (0..5).map(|_| frames.take(Kind::File).unwrap()).collect();
        assert_eq!(frames.take(Kind::Kernel), Err(NoPage));
        taken.sort();
        assert_eq!(taken, (1..=5).map(Pfn).collect::<alloc::vec::Vec<_>>());
        assert_eq!((frames.count(Kind::File), frames.total()), (5, 5));
        assert!(taken.into_iter().all(|page| frames.give(page)));
        assert_eq!((frames.count(Kind::File), frames.count(Kind::Free)), (0, 5));
    }

    #[test]
    fn a_page_is_free_when_its_last_use_ends() {
        let mut frames = frames(1);
        let page = frames.take(Kind::Anonymous).unwrap();
        frames.share(page).unwrap();
        assert_eq!(frames.uses(page), 2);
        assert!(!frames.give(page));
        assert_eq!(frames.kind(page), Kind::Anonymous);
        assert!(frames.give(page));
        assert_eq!((frames.kind(page), frames.uses(page)), (Kind::Free, 0));
    }

    #[test]
    #[should_panic(expected = "given twice")]
    fn to_give_a_page_twice_is_caught() {
        let mut frames = frames(2);
        let page = frames.take(Kind::Table).unwrap();
        frames.give(page);
        frames.give(page);
    }

    #[test]
    #[should_panic(expected = "not in use")]
    fn to_share_a_free_page_is_caught() {
        frames(2).share(Pfn(1)).unwrap();
    }

    #[test]
    fn the_watermarks_keep_pages_for_the_kernel() {
        let mut frames = frames(10);
        frames.set_watermarks(Watermarks { min: 4, low: 6, high: 8 });
        let taken = core::iter::from_fn(|| frames.take(Kind::Anonymous).ok()).count();
        assert_eq!(taken, 6);
        let tables = core::iter::from_fn(|| frames.take(Kind::Table).ok()).count();
        assert_eq!(tables, 2);
        assert_eq!(frames.shortfall(), 6);
        let kernel = core::iter::from_fn(|| frames.take(Kind::Kernel).ok()).count();
        assert_eq!((kernel, frames.count(Kind::Free)), (2, 0));
    }

    #[test]
    fn a_page_without_memory_is_a_hole_whatever_else_is_free() {
        // The memory ends in the middle of a block: its pages come in before those that have none.
        let (span, present) = (2 * BLOCK, BLOCK + BLOCK / 2);
        let mut frames = Frames::new(span);
        (0..present).rev().for_each(|page| frames.add(Pfn(page)));
        (present..span).for_each(|page| frames.add_hole(Pfn(page)));
        assert_eq!((frames.count(Kind::Free), frames.count(Kind::Hole)), (present, BLOCK / 2));
        for page in 0..span {
            let kind = if page < present { Kind::Free } else { Kind::Hole };
            assert_eq!(frames.kind(Pfn(page)), kind, "page {page}");
        }
        while let Ok(page) = frames.take(Kind::Anonymous) {
            assert!(page.0 < present, "page {} has no memory", page.0);
        }
    }

    #[test]
    fn holes_come_and_go() {
        let mut frames = frames(3);
        let page = frames.take(Kind::Kernel).unwrap();
        frames.make_hole(page);
        assert_eq!((frames.total(), frames.count(Kind::Hole)), (2, 1));
        assert_eq!(frames.fill_hole(), Some(page));
        assert_eq!(frames.fill_hole(), None);
        assert!(frames.give(page));
        assert_eq!((frames.total(), frames.count(Kind::Free)), (3, 3));
    }

    #[test]
    #[should_panic(expected = "should be Kernel")]
    fn a_page_in_use_is_no_hole() {
        let mut frames = frames(1);
        let page = frames.take(Kind::Anonymous).unwrap();
        frames.make_hole(page);
    }
}
