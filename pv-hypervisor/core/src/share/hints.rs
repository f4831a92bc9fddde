//! What the scanner remembers: sixteen bytes for a page, or for a frame that pages share, found by a
//! hash. (ESX calls them hint frames and shared frames.)
//!
//! An entry lies in one of a few places that its hash gives. When all of them are taken the new one
//! takes the place of another: what is forgotten is found again in the next pass. Nothing that stands
//! here is believed: it says where to look.

use crate::domain::Slot;
use crate::frame::FrameTable;
use alloc::vec::Vec;
use hypercall_abi::{Mfn, Pfn};

/// Places that an entry may lie in.
const WINDOW: usize = 8;

/// One entry. The tag is the half of the hash that does not say where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Entry {
    Vacant,
    /// A page had a content of this hash when the scanner came by, in that frame.
    Hint {
        tag: u32,
        page: u32,
        frame: u32,
        slot: u8,
    },
    /// Pages share a frame of this hash: how many, up to what the field holds.
    Shared {
        tag: u32,
        frame: u32,
        references: u16,
        overflow: bool,
    },
    /// A guest says that this page has the content of this identifier.
    Content {
        tag: u32,
        page: u32,
        slot: u8,
    },
}

/// Bytes of an entry.
pub const RECORD_BYTES: usize = size_of::<Entry>();

const _: () = assert!(RECORD_BYTES == 16);

/// An entry as it is shown, see [`State::scan_records`](crate::State::scan_records). Nobody looks
/// for anything by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Record {
    /// A page had a content of this hash when the scanner came by, in that frame.
    Hint {
        /// The upper half of the hash; the lower half says where the entry lies.
        tag: u32,
        /// The page's domain.
        slot: Slot,
        /// The page.
        page: Pfn,
        /// The frame that it had.
        frame: Mfn,
    },
    /// Pages share a frame of this hash.
    Shared {
        /// The upper half of the hash.
        tag: u32,
        /// The frame.
        frame: Mfn,
        /// How many pages shared it after the last merge; `None` when they are more than the
        /// field holds.
        references: Option<u16>,
    },
    /// A guest says that this page has the content of an identifier.
    Content {
        /// The upper half of the identifier's hash.
        tag: u32,
        /// The page's domain.
        slot: Slot,
        /// The page.
        page: Pfn,
    },
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// A page, and the frame that it had.
    Page(Slot, Pfn, Mfn),
    /// A frame that pages share.
    Frame(Mfn),
}

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// A hash of a content.
    Hash,
    /// An identifier that a guest gave.
    Content,
}

/// The table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hints {
    entries: Vec<Entry>,
    /// Frames are remembered by their distance from the first.
    base: Mfn,
}

impl Hints {
    /// With room for so many entries, rounded up to a power of two.
    pub(super) fn new(entries: usize, frames: &FrameTable) -> Option<Hints> {
        let wanted = entries.max(2 * WINDOW).checked_next_power_of_two()?;
        let mut table = Vec::new();
        table.try_reserve_exact(wanted).ok()?;
        table.resize(wanted, Entry::Vacant);
        Some(Hints { entries: table, base: frames.base() })
    }

    /// All that is remembered, and where in the table it lies.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, Record)> + '_ {
        let frame_of = |distance: u32| Mfn(self.base.0 + u64::from(distance));
        self.entries.iter().enumerate().filter_map(move |(position, entry)| {
            let record = match *entry {
                Entry::Vacant => return None,
                Entry::Hint { tag, page, frame, slot } => Record::Hint {
                    tag,
                    slot: Slot(slot.into()),
                    page: Pfn(page.into()),
                    frame: frame_of(frame),
                },
                Entry::Shared { tag, frame, references, overflow } => Record::Shared {
                    tag,
                    frame: frame_of(frame),
                    references: (!overflow).then_some(references),
                },
                Entry::Content { tag, page, slot } => {
                    Record::Content { tag, slot: Slot(slot.into()), page: Pfn(page.into()) }
                }
            };
            Some((position, record))
        })
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.entries.len() - 1;
        (0..WINDOW).map(move |at| (hash as usize).wrapping_add(at) & mask)
    }

    fn tag(hash: u64) -> u32 {
        (hash >> 32) as u32
    }

    /// What has that hash, apart from that page itself: the shared frame first.
    pub(super) fn find(
        &self,
        about: About,
        hash: u64,
        not: (Slot, Pfn),
    ) -> impl Iterator<Item = Found> + '_ {
        let wanted = Self::tag(hash);
        let is_other = move |slot: u8, page: u32| {
            (usize::from(slot), u64::from(page)) != (not.0.index(), not.1.0)
        };
        let found = move |position: usize, shared: bool| match self.entries[position] {
            Entry::Shared { tag, frame, .. } if shared && about == About::Hash && tag == wanted => {
                Some(Found::Frame(Mfn(self.base.0 + u64::from(frame))))
            }
            Entry::Hint { tag, page, frame, slot }
                if !shared && about == About::Hash && tag == wanted && is_other(slot, page) =>
            {
                let frame = Mfn(self.base.0 + u64::from(frame));
                Some(Found::Page(Slot(slot.into()), Pfn(page.into()), frame))
            }
            Entry::Content { tag, page, slot }
                if !shared && about == About::Content && tag == wanted && is_other(slot, page) =>
            {
                Some(Found::Page(Slot(slot.into()), Pfn(page.into()), Mfn::NONE))
            }
            _ => None,
        };
        let frames = self.window(hash).filter_map(move |position| found(position, true));
        frames.chain(self.window(hash).filter_map(move |position| found(position, false)))
    }

    /// Where a new entry goes: where an equal one lies, else a vacant place, else the first that
    /// tells of no shared frame, else the first.
    fn place(&self, hash: u64, is_equal: impl Fn(&Entry) -> bool) -> usize {
        let by = |wanted: &dyn Fn(&Entry) -> bool| {
            self.window(hash).find(|position| wanted(&self.entries[*position]))
        };
        by(&is_equal)
            .or_else(|| by(&|entry| *entry == Entry::Vacant))
            .or_else(|| by(&|entry| !matches!(entry, Entry::Shared { .. })))
            .unwrap_or(hash as usize & (self.entries.len() - 1))
    }

    /// Remembers a page by the hash of its content.
    pub(super) fn add_page(&mut self, hash: u64, slot: Slot, page: Pfn, frame: Mfn) {
        let (tag, page, slot) = (Self::tag(hash), page.0 as u32, slot.index() as u8);
        let equal = |entry: &Entry| matches!(entry, Entry::Hint { page: known, slot: of, .. } if (*known, *of) == (page, slot));
        let at = self.place(hash, equal);
        let frame = (frame.0 - self.base.0) as u32;
        self.entries[at] = Entry::Hint { tag, page, frame, slot };
    }

    /// Remembers a page by what its guest says is in it.
    pub(super) fn add_content(&mut self, hash: u64, slot: Slot, page: Pfn) {
        let (tag, page, slot) = (Self::tag(hash), page.0 as u32, slot.index() as u8);
        let equal =
            |entry: &Entry| matches!(entry, Entry::Content { tag: known, .. } if *known == tag);
        let at = self.place(hash, equal);
        self.entries[at] = Entry::Content { tag, page, slot };
    }

    /// Remembers a frame that so many pages share.
    pub(super) fn add_frame(&mut self, hash: u64, frame: Mfn, sharers: u32) {
        let tag = Self::tag(hash);
        let number = (frame.0 - self.base.0) as u32;
        let equal = |entry: &Entry| match entry {
            Entry::Shared { frame, .. } | Entry::Hint { frame, .. } => *frame == number,
            Entry::Vacant | Entry::Content { .. } => false,
        };
        let at = self.place(hash, equal);
        let references = u16::try_from(sharers);
        self.entries[at] = Entry::Shared {
            tag,
            frame: number,
            references: references.unwrap_or(u16::MAX),
            overflow: references.is_err(),
        };
    }

    /// Forgets what is said of a page by the hash of its content.
    pub(super) fn forget_page(&mut self, hash: u64, slot: Slot, page: Pfn) {
        for position in self.window(hash) {
            if matches!(
                self.entries[position],
                Entry::Hint { page: known, slot: of, .. } | Entry::Content { page: known, slot: of, .. }
                    if (u64::from(known), usize::from(of)) == (page.0, slot.index())
            ) {
                self.entries[position] = Entry::Vacant;
            }
        }
    }

    /// Forgets what is said of a frame that is not shared any more.
    pub(super) fn forget_frame(&mut self, hash: u64, frame: Mfn) {
        let number = (frame.0 - self.base.0) as u32;
        for position in self.window(hash) {
            if matches!(self.entries[position], Entry::Shared { frame, .. } if frame == number) {
                self.entries[position] = Entry::Vacant;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Region, RegionKind};

    fn hints() -> Hints {
        let memory = [Region { start: Mfn(100), count: 1000, kind: RegionKind::Free }];
        Hints::new(64, &FrameTable::new(&memory, 1).unwrap()).unwrap()
    }

    #[test]
    fn a_page_is_found_by_its_hash_until_it_is_crowded_out() {
        let mut hints = hints();
        let hash = 0xdead_beef_0000_0005;
        hints.add_page(hash, Slot(3), Pfn(9), Mfn(105));
        let other = (Slot(3), Pfn(8));
        let found: Vec<Found> = hints.find(About::Hash, hash, other).collect();
        assert_eq!(found, [Found::Page(Slot(3), Pfn(9), Mfn(105))]);
        assert_eq!(hints.find(About::Hash, hash, (Slot(3), Pfn(9))).next(), None);
        assert_eq!(hints.find(About::Content, hash, other).next(), None);
        assert_eq!(hints.find(About::Hash, hash ^ 1 << 40, other).next(), None);
        for page in 0..WINDOW as u64 {
            hints.add_page(0xffff_0000_0000_0005, Slot(1), Pfn(page), Mfn(200));
        }
        assert_eq!(hints.find(About::Hash, hash, other).next(), None);
    }

    #[test]
    fn a_shared_frame_comes_first_and_is_kept() {
        let mut hints = hints();
        hints.add_frame(7, Mfn(500), 100_000);
        for page in 0..20 {
            hints.add_page(7, Slot(1), Pfn(page), Mfn(200));
        }
        let mut found = hints.find(About::Hash, 7, (Slot(0), Pfn(0)));
        assert_eq!(found.next(), Some(Found::Frame(Mfn(500))));
        drop(found);
        let frames = hints.records().filter(|(_, record)| matches!(record, Record::Shared { .. }));
        let shown = Record::Shared { tag: 0, frame: Mfn(500), references: None };
        assert_eq!(frames.collect::<Vec<_>>(), [(7, shown)]);
        hints.forget_frame(7, Mfn(500));
        assert!(matches!(
            hints.find(About::Hash, 7, (Slot(0), Pfn(0))).next(),
            Some(Found::Page(..))
        ));
    }
}
