//! What a domain has said of its pages: where its P2M lies, and which pages may be shared.

use crate::machine::{FRAME_WORDS, Machine};
use alloc::vec::Vec;
use hypercall_abi::{Mfn, Pfn};

const BITS: u64 = u64::BITS as u64;

/// Words of bits for the pages whose slots lie in one frame.
const WORDS_A_FRAME: usize = FRAME_WORDS / u64::BITS as usize;

/// A domain's pages as far as the hypervisor may move them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Movable {
    /// The registered frames of the P2M, in the order of the pages that they map.
    p2m: Vec<Mfn>,
    /// Frames that the P2M has.
    frames: u64,
    /// A bit for each page: it may be shared.
    mergeable: Vec<u64>,
    /// Pages that have no frame of their own: they share one, or are away.
    pub(crate) shared_pages: u64,
    /// The sharing group; 0 is one of its own.
    pub(crate) group: u8,
    /// Frames are taken from the domain by force while it has more than so many.
    pub(crate) limit: Option<u64>,
}

impl Movable {
    /// Of a domain that may have so many pages. It takes room when the P2M is registered.
    pub(crate) fn new(pages: u64) -> Movable {
        let frames = pages.div_ceil(FRAME_WORDS as u64);
        Movable {
            p2m: Vec::new(),
            frames,
            mergeable: Vec::new(),
            shared_pages: 0,
            group: 0,
            limit: None,
        }
    }

    /// Makes room for so many frames more. False when the heap has none.
    pub(crate) fn make_room(&mut self, frames: usize) -> bool {
        self.p2m.try_reserve(frames).is_ok()
            && self.mergeable.try_reserve(frames * WORDS_A_FRAME).is_ok()
    }

    /// Pages that have no frame of their own: they share one, or are away.
    pub fn shared_pages(&self) -> u64 {
        self.shared_pages
    }

    /// The registered frames of the P2M.
    pub fn p2m(&self) -> &[Mfn] {
        &self.p2m
    }

    /// Frames of the P2M that are not registered yet.
    pub(crate) fn unregistered(&self) -> u64 {
        self.frames - self.p2m.len() as u64
    }

    /// Registers the next frame of the P2M.
    pub(crate) fn register(&mut self, frame: Mfn) {
        // There is room, which the call has made.
        if self.unregistered() > 0 {
            self.p2m.push(frame);
            self.mergeable.resize(self.p2m.len() * WORDS_A_FRAME, 0);
        }
    }

    /// Takes the last frame back.
    pub(crate) fn unregister(&mut self) -> Option<Mfn> {
        self.p2m.pop()
    }

    /// Pages of which the slot is registered.
    pub fn pages(&self) -> u64 {
        self.p2m.len() as u64 * FRAME_WORDS as u64
    }

    /// What the guest's slot says of a page: an allegation.
    pub(crate) fn alleged(&self, machine: &impl Machine, page: Pfn) -> Option<Mfn> {
        let (frame, word) = self.slot_of(page)?;
        Some(Mfn(machine.read(frame, word)))
    }

    /// Writes the slot of a page.
    pub(crate) fn write_slot(&self, machine: &mut impl Machine, page: Pfn, frame: Mfn) {
        if let Some((slot, word)) = self.slot_of(page) {
            machine.write(slot, word, frame.0);
        }
    }

    fn slot_of(&self, page: Pfn) -> Option<(Mfn, usize)> {
        let frame = self.p2m.get(usize::try_from(page.0).ok()? / FRAME_WORDS)?;
        Some((*frame, page.0 as usize % FRAME_WORDS))
    }

    /// Whether a page may be shared.
    pub fn is_mergeable(&self, page: Pfn) -> bool {
        let word = usize::try_from(page.0 / BITS).ok().and_then(|word| self.mergeable.get(word));
        word.is_some_and(|word| word >> (page.0 % BITS) & 1 != 0)
    }

    /// Says of pages, which there are, whether they may be shared.
    pub(crate) fn set_mergeable(&mut self, first: u64, count: u64, mergeable: bool) {
        let end = first + count;
        for word in first / BITS..end.div_ceil(BITS) {
            let Some(bits) = self.mergeable.get_mut(word as usize) else { return };
            let from = first.saturating_sub(word * BITS);
            let to = (end - word * BITS).min(BITS);
            let mask = (u64::MAX >> (BITS - (to - from))) << from;
            *bits = if mergeable { *bits | mask } else { *bits & !mask };
        }
    }

    /// The first page from `from` on that may be shared; by words, so that a domain that has
    /// advised nothing takes no time.
    pub(crate) fn next_mergeable(&self, from: u64, words: usize) -> NextPage {
        let first = (from / BITS) as usize;
        for word in first..self.mergeable.len().min(first + words) {
            let mut bits = self.mergeable[word];
            if word == first {
                bits &= u64::MAX << (from % BITS);
            }
            if bits != 0 {
                return NextPage::Page(word as u64 * BITS + u64::from(bits.trailing_zeros()));
            }
        }
        if first + words >= self.mergeable.len() {
            NextPage::End
        } else {
            NextPage::Later((first + words) as u64 * BITS)
        }
    }
}

/// What a look for the next page has found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum NextPage {
    /// A page.
    Page(u64),
    /// None so far: go on from here.
    Later(u64),
    /// None any more.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_about_the_pages_that_it_names_alone() {
        for (first, count) in [(0, 1), (63, 2), (5, 200), (64, 64), (127, 1), (0, 256)] {
            let mut movable = Movable::new(256);
            assert!(movable.make_room(1));
            movable.register(Mfn(1));
            movable.set_mergeable(first, count, true);
            for page in 0..300 {
                let expected = page >= first && page < first + count;
                assert_eq!(movable.is_mergeable(Pfn(page)), expected, "{first} {count} {page}");
            }
            let mut met = Vec::new();
            let mut from = 0;
            loop {
                match movable.next_mergeable(from, 1) {
                    NextPage::Page(page) => {
                        met.push(page);
                        from = page + 1;
                    }
                    NextPage::Later(next) => from = next,
                    NextPage::End => break,
                }
            }
            assert_eq!(met, (first..first + count).collect::<Vec<_>>());
            movable.set_mergeable(first, count, false);
            assert_eq!(movable.next_mergeable(0, 100), NextPage::End);
        }
    }
}
