//! What the parts of an address space are for: [`Area`].

use crate::{Access, PAGE, Protection, VirtAddr};
use bitflags::bitflags;
use core::ops::Range;

/// A range of virtual pages, by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Pages {
    /// The first.
    pub start: u64,
    /// The one behind the last.
    pub end: u64,
}

impl Pages {
    /// The pages that hold `length` bytes from an address. `None`: they are not all in the
    /// 64-bit address space.
    pub fn of(address: u64, length: u64) -> Option<Pages> {
        let end = address.checked_add(length)?.checked_add(PAGE as u64 - 1)?;
        Some(Pages { start: address / PAGE as u64, end: end / PAGE as u64 })
    }

    /// How many.
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Whether a page is one of them.
    pub fn contains(self, page: u64) -> bool {
        (self.start..self.end).contains(&page)
    }

    /// Those that are in both; perhaps none.
    pub fn overlap(self, other: Pages) -> Pages {
        let start = self.start.max(other.start);
        Pages { start, end: self.end.min(other.end).max(start) }
    }

    /// The addresses.
    pub fn addresses(self) -> Range<u64> {
        self.start * PAGE as u64..self.end * PAGE as u64
    }

    pub(super) fn range(self) -> Range<u64> {
        self.start..self.end
    }
}

/// The address of a page's first byte.
#[inline]
pub(super) fn address_of(page: u64) -> VirtAddr {
    VirtAddr(page * PAGE as u64)
}

bitflags! {
    /// What a process may do with an area, in the terms of `mmap`.
    ///
    /// Memory that can be written or executed can be read too, as the processors have it;
    /// with no right at all, nothing reaches it, not even the kernel on behalf of the process.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct Rights: u8 {
        /// `PROT_READ`.
        const READ = 1;
        /// `PROT_WRITE`.
        const WRITE = 2;
        /// `PROT_EXEC`.
        const EXECUTE = 4;
    }
}

impl Rights {
    /// Whether they are enough for that.
    #[inline]
    pub fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => !self.is_empty(),
            Access::Write => self.contains(Rights::WRITE),
            Access::Execute => self.contains(Rights::EXECUTE),
        }
    }

    /// What the machine's tables say for a page that may be written in place, or not.
    #[inline]
    pub(super) fn protection(self, writable: bool) -> Protection {
        let mut protection = Protection::empty();
        protection.set(Protection::WRITE, writable && self.contains(Rights::WRITE));
        protection.set(Protection::EXECUTE, self.contains(Rights::EXECUTE));
        protection
    }
}

/// A file, in the file system's own numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

/// Shared memory that no file has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SharedId(pub u64);

/// Where the content of an area comes from. The index is that of the area's first page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// Zeros; the process's own.
    Anonymous,
    /// A file.
    File {
        /// Which.
        file: FileId,
        /// The page of it.
        index: u64,
    },
    /// Memory that the process shares with those it forked.
    Shared {
        /// Which.
        object: SharedId,
        /// The page of it.
        index: u64,
    },
}

impl Source {
    /// The same, so many pages further on.
    pub(super) fn skip(self, pages: u64) -> Source {
        match self {
            Source::Anonymous => Source::Anonymous,
            Source::File { file, index } => Source::File { file, index: index + pages },
            Source::Shared { object, index } => Source::Shared { object, index: index + pages },
        }
    }
}

/// Pages that follow one another and are of one sort.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Area {
    /// Where.
    pub pages: Pages,
    /// What the process may do with it.
    pub rights: Rights,
    /// What `mprotect` can let it do: a file that was opened for reading is not written.
    pub most: Rights,
    /// Where its content comes from.
    pub source: Source,
    /// What the process writes is for all who map the source. Anonymous areas are private.
    pub shared: bool,
    /// A stack: it grows to lower addresses when the process touches them.
    pub grows_down: bool,
}

impl Area {
    /// The part of it in a range, which overlaps it.
    pub(super) fn part(&self, pages: Pages) -> Area {
        let part = self.pages.overlap(pages);
        let source = self.source.skip(part.start - self.pages.start);
        let grows_down = self.grows_down && part.start == self.pages.start;
        Area { pages: part, source, grows_down, ..*self }
    }

    /// The page of its source that a page shows.
    #[inline]
    pub(super) fn index_of(&self, page: u64) -> u64 {
        let (Source::File { index, .. } | Source::Shared { index, .. }) = self.source else {
            return 0;
        };
        index + (page - self.pages.start)
    }

    /// Whether another one could be the rest of this one.
    pub(super) fn goes_on_as(&self, next: &Area) -> bool {
        let same = Area {
            pages: next.pages,
            source: self.source.skip(self.pages.len()),
            grows_down: next.grows_down,
            ..*self
        };
        self.pages.end == next.pages.start && same == *next && !next.grows_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_hostile_addresses_are_refused() {
        assert_eq!(Pages::of(4095, 2), Some(Pages { start: 0, end: 2 }));
        assert_eq!(Pages::of(4096, 0), Some(Pages { start: 1, end: 1 }));
        assert_eq!(Pages::of(u64::MAX, 1), None);
        assert_eq!(Pages::of(u64::MAX - 4094, 1), None);
        assert_eq!(Pages::of(8192, u64::MAX), None);
    }

    #[test]
    fn no_right_forbids_all_and_any_allows_to_read() {
        assert!(!Rights::empty().allow(Access::Read));
        assert!(Rights::WRITE.allow(Access::Read));
        assert!(!Rights::READ.allow(Access::Write));
        assert!(!(Rights::READ | Rights::WRITE).allow(Access::Execute));
    }

    #[test]
    fn a_part_shows_its_own_pages_of_the_file() {
        let area = Area {
            pages: Pages { start: 10, end: 20 },
            rights: Rights::READ,
            most: Rights::all(),
            source: Source::File { file: FileId(1), index: 100 },
            shared: false,
            grows_down: false,
        };
        let part = area.part(Pages { start: 13, end: 99 });
        assert_eq!(part.pages, Pages { start: 13, end: 20 });
        assert_eq!((area.index_of(13), part.index_of(13)), (103, 103));
        let head = area.part(Pages { start: 0, end: 13 });
        assert!(head.goes_on_as(&part) && !part.goes_on_as(&head));
        assert!(!head.goes_on_as(&Area { source: area.source, ..part }));
    }
}
