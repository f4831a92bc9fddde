//! What an address space has at one page: [`Entry`], in one word.

use crate::Pfn;

/// A place in the swap area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub u32);

/// What there is at one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry(u32);

const PRESENT: u32 = 1 << 31;
const SWAPPED: u32 = 1 << 30;
const MAPPED: u32 = 1 << 29;
const WRITABLE: u32 = 1 << 28;
pub(super) const NUMBER: u32 = WRITABLE - 1;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nothing yet.
    Empty,
    /// A page is in memory.
    Present(Pfn),
    /// It is in the swap area.
    Swapped(Slot),
}

impl Entry {
    pub(super) const EMPTY: Entry = Entry(0);

    /// A page that is in memory and that no table of the machine maps.
    pub(super) fn hidden(page: Pfn) -> Entry {
        Entry(PRESENT | page.0 as u32)
    }

    /// A page that the machine's tables map.
    #[inline]
    pub(super) fn mapped(page: Pfn, writable: bool) -> Entry {
        Entry(PRESENT | MAPPED | if writable { WRITABLE } else { 0 } | page.0 as u32)
    }

    pub(super) fn swapped(slot: Slot) -> Entry {
        Entry(SWAPPED | slot.0)
    }

    #[inline]
    pub(super) fn state(self) -> State {
        if self.0 & PRESENT != 0 {
            State::Present(Pfn((self.0 & NUMBER).into()))
        } else if self.0 & SWAPPED != 0 {
            State::Swapped(Slot(self.0 & NUMBER))
        } else {
            State::Empty
        }
    }

    /// The machine's tables map it.
    #[inline]
    pub(super) fn is_mapped(self) -> bool {
        self.0 & MAPPED != 0
    }

    /// The machine's tables let the process write it.
    #[inline]
    pub(super) fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// The page that the process itself could read (or write) now without a fault.
    #[inline]
    pub(super) fn reachable(self, write: bool) -> Option<Pfn> {
        let needed = PRESENT | MAPPED | if write { WRITABLE } else { 0 };
        (self.0 & needed == needed).then_some(Pfn((self.0 & NUMBER).into()))
    }
}
