//! Pairs of pages that are to be merged, gathered so that one look at the tables finds the
//! entries of all of them.

use super::EntryPlace;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::reclaim::MAX_WANTED;
use crate::state::State;
use alloc::vec::Vec;
use hypercall_abi::{DomainId, Mfn, Pfn};

/// Pairs that are gathered at most.
pub(crate) const MAX_PAIRS: usize = 32;

/// Entries that map a page that is to be merged, at most.
pub(super) const MAX_PLACES: usize = 16;

/// A page of a domain, by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageName {
    /// The domain.
    pub domain: DomainId,
    /// Its page.
    pub page: Pfn,
}

/// What a page is to be merged with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Another page.
    Page(PageName),
    /// A frame that is shared already.
    Frame(Mfn),
}

/// A page with a frame of its own, and what is known of who names the frame.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: PageName,
    pub(crate) frame: Mfn,
    /// Entries that were found to map it.
    pub(crate) places: heapless::Vec<EntryPlace, MAX_PLACES>,
    /// There are more.
    pub(crate) overflow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pair {
    pub(crate) first: Side,
    pub(crate) second: PageName,
    /// The hash by which the scanner found it.
    pub(crate) hash: Option<u64>,
}

/// How far a batch of pairs is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stage {
    /// Pairs come in.
    Gathering,
    /// The tables are looked at: the next frame of the table, and the next entry of it.
    Sweeping { frame: usize, entry: usize },
    /// Pairs are merged, then pages put away: the next.
    Merging { next: usize },
}

/// A batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Candidates {
    pub(crate) pages: Vec<Candidate>,
    /// Once the sweep begins: frames and where their pages are, in the order of the frames.
    pub(crate) by_frame: heapless::Vec<(Mfn, u8), { 2 * MAX_PAIRS }>,
    pub(crate) pairs: Vec<Pair>,
    /// Pages that are to be put away.
    pub(crate) wanted: Vec<PageName>,
    pub(crate) stage: Stage,
}

impl Candidates {
    pub(crate) const NONE: Candidates = Candidates {
        pages: Vec::new(),
        by_frame: heapless::Vec::new(),
        pairs: Vec::new(),
        wanted: Vec::new(),
        stage: Stage::Gathering,
    };

    pub(crate) fn new() -> Option<Candidates> {
        let mut candidates = Candidates::NONE;
        candidates.pages.try_reserve_exact(2 * MAX_PAIRS).ok()?;
        candidates.pairs.try_reserve_exact(MAX_PAIRS).ok()?;
        candidates.wanted.try_reserve_exact(MAX_WANTED).ok()?;
        Some(candidates)
    }

    /// Whether a pair can be added.
    pub(crate) fn is_open(&self) -> bool {
        self.is_gathering()
            && self.pairs.len() < self.pairs.capacity()
            && self.pages.len() + 2 <= 2 * MAX_PAIRS
    }

    /// Whether the batch has not been begun with.
    pub(crate) fn is_gathering(&self) -> bool {
        self.stage == Stage::Gathering
    }

    /// Whether one more page can be put away with the batch.
    pub(crate) fn has_room_for_want(&self) -> bool {
        self.wanted.len() < self.wanted.capacity() && self.pages.len() < 2 * MAX_PAIRS
    }

    /// Whether some page is to be put away.
    pub(crate) fn wants_any(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Pages of a domain that are to be put away.
    pub(crate) fn wanted_of(&self, domain: DomainId) -> usize {
        self.wanted.iter().filter(|name| name.domain == domain).count()
    }

    pub(crate) fn find(&self, name: PageName) -> Option<&Candidate> {
        self.pages.iter().find(|candidate| candidate.name == name)
    }

    /// Puts the pages in order, so that a frame finds its own.
    pub(crate) fn begin_sweep(&mut self) {
        self.by_frame.clear();
        for (index, candidate) in self.pages.iter().enumerate() {
            // There are two pages to a pair at most.
            let _ = self.by_frame.push((candidate.frame, index as u8));
        }
        self.by_frame.sort_unstable();
        self.stage = Stage::Sweeping { frame: 0, entry: 0 };
    }

    /// The page that has that frame.
    pub(crate) fn of_frame(&mut self, frame: Mfn) -> Option<&mut Candidate> {
        let at = self.by_frame.binary_search_by_key(&frame, |known| known.0).ok()?;
        self.pages.get_mut(usize::from(self.by_frame[at].1))
    }

    /// Forgets the batch.
    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.by_frame.clear();
        self.pairs.clear();
        self.wanted.clear();
        self.stage = Stage::Gathering;
    }
}

impl<P: Platform> State<P> {
    /// Has two pages compared, and merged if they are alike, in the course of the next steps.
    /// False: not now, or there is nothing in it.
    pub fn want_merge<M: Machine>(&mut self, machine: &M, first: Side, second: PageName) -> bool {
        self.want_merge_of(machine, first, second, None)
    }

    pub(super) fn want_merge_of<M: Machine>(
        &mut self,
        machine: &M,
        first: Side,
        second: PageName,
        hash: Option<u64>,
    ) -> bool {
        if !self.sharing.candidates.is_open() || first == Side::Page(second) {
            return false;
        }
        let before = self.sharing.candidates.pages.len();
        let wanted = match first {
            Side::Frame(frame) => self.frames.shared(frame).is_some(),
            Side::Page(name) => self.add_candidate(machine, name),
        };
        if !wanted || self.is_sharing(second) || !self.add_candidate(machine, second) {
            self.sharing.candidates.pages.truncate(before);
            return false;
        }
        self.sharing.candidates.pairs.push(Pair { first, second, hash });
        true
    }

    /// Has a page put away in the course of the next steps, if it may be.
    pub(crate) fn want_away<M: Machine>(&mut self, machine: &M, name: PageName) {
        let batch = &self.sharing.candidates;
        if !batch.is_gathering() || !batch.has_room_for_want() || batch.find(name).is_some() {
            return;
        }
        if !self.is_sharing(name) && self.add_candidate(machine, name) {
            self.sharing.candidates.wanted.push(name);
        }
    }

    /// Whether a page shares a frame now, or is away.
    fn is_sharing(&self, name: PageName) -> bool {
        let slot = Slot::of(name.domain);
        slot.is_some_and(|slot| self.sharing.records.find_page(slot, name.page).is_some())
    }

    /// Makes a page one of those whose entries are looked for. True for one that shares a frame
    /// already, too: its entries are known.
    fn add_candidate<M: Machine>(&mut self, machine: &M, name: PageName) -> bool {
        let Some(domain) = self.domain_of(name.domain).filter(|domain| domain.is_running()) else {
            return false;
        };
        if !domain.movable.is_mergeable(name.page) {
            return false;
        }
        if self.is_sharing(name) {
            return true;
        }
        let Some(frame) = domain.movable.alleged(machine, name.page) else { return false };
        if self.frames.owned_by(frame, name.domain).is_err() {
            return false;
        }
        match self.sharing.candidates.pages.iter().find(|known| known.frame == frame) {
            // Two slots that name one frame are the guest's own doing.
            Some(known) => known.name == name,
            None => {
                let places = heapless::Vec::new();
                let candidate = Candidate { name, frame, places, overflow: false };
                self.sharing.candidates.pages.push(candidate);
                true
            }
        }
    }

    /// The page that a guest's own table of pages has in that place, if it may be shared and
    /// has a frame of its own.
    pub(crate) fn own_frame_of<M: Machine>(&self, machine: &M, name: PageName) -> Option<Mfn> {
        let domain = self.domain_of(name.domain).filter(|domain| domain.is_running())?;
        if !domain.movable.is_mergeable(name.page) || self.is_sharing(name) {
            return None;
        }
        let frame = domain.movable.alleged(machine, name.page)?;
        self.frames.owned_by(frame, name.domain).is_ok().then_some(frame)
    }
}
