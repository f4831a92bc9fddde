//! Updates of page-table entries: the only way by which a validated table changes.
//!
//! For each update: take the references of the new entry, exchange it for the old one, drop
//! the references of the old one. Taking and dropping may walk a tree and be continued; a new
//! entry is in the table only once everything below it is validated.

use super::entry::Place;
use super::{Progress, Walk};
use crate::budget::Budget;
use crate::domain::Slot;
use crate::format::{Entry, Format};
use crate::frame::Type;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::share::EntryPlace;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::pte_update::{TargetBits, Update};
use hypercall_abi::{DomainId, Error, Mfn};

/// Cost of an update of a level-1 entry.
const LEAF: u32 = 21;

/// Cost of a [`LEAF`] of a domain that has registered its P2M: it may name a page, which is looked up.
const LEAF_BY_PAGE: u32 = 25;

/// Cost of a [`LEAF`] while pages share frames: each may add a record, or take one away.
const LEAF_AMID_SHARING: u32 = 52;

/// Cost of any other update, what it walks apart.
const UPDATE: u32 = 120;

/// A list of updates that may be in the middle of one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct UpdateWork {
    pub(crate) source: Source,
    pub(crate) count: u64,
    pub(crate) done: u64,
    pub(crate) phase: Phase,
    pub(crate) then: Then,
}

/// Where the updates come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    /// The registers.
    One(Update),
    /// The argument frame.
    Arguments(Mfn),
}

/// What comes after the last update.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Then {
    /// The call returns.
    Return,
    /// The trap returns.
    TrapReturn,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// Between two updates.
    Ready,
    /// The new entry names a table that is being validated. The table that the entry goes
    /// into is held meanwhile, by a reference of the work's own.
    Promoting { walk: Walk, place: Place, value: u64 },
    /// Tables whose last reference went are being taken apart, one walk after the other.
    Demoting { walk: Walk, next: Option<Walk>, result: Result<(), Error> },
    /// The update is refused and everything is undone.
    Refused(Error),
}

/// What came of an update that was tried as one of a level-1 entry by a frame. Nothing has changed, unless it was
/// made.
enum Tried {
    Made,
    Refused(Error),
    /// The entry is of another level.
    OtherLevel,
    /// Its target is none, unless its value names a page.
    Unplaced,
}

impl UpdateWork {
    /// Updates of which `done` have been made.
    pub(crate) fn new(source: Source, done: u64, count: u64, then: Then) -> UpdateWork {
        UpdateWork { source, count, done, phase: Phase::Ready, then }
    }

    /// Updates that took effect.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Updates that are wanted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The walk that the work is in the middle of.
    pub(crate) fn walk(&self) -> Option<&Walk> {
        match &self.phase {
            Phase::Ready | Phase::Refused(_) => None,
            Phase::Promoting { walk, .. } | Phase::Demoting { walk, .. } => Some(walk),
        }
    }

    /// A second walk that waits for the first.
    pub(crate) fn next_walk(&self) -> Option<&Walk> {
        match &self.phase {
            Phase::Demoting { next, .. } => next.as_ref(),
            _ => None,
        }
    }

    /// The table that the work holds a reference of its own to.
    pub(crate) fn held_table(&self) -> Option<Mfn> {
        match &self.phase {
            Phase::Promoting { place, .. } => Some(place.table),
            Phase::Ready | Phase::Demoting { .. } | Phase::Refused(_) => None,
        }
    }
}

impl Source {
    /// Copies one update, once.
    #[inline(always)]
    pub(crate) fn fetch(self, machine: &impl Machine, index: u64) -> Update {
        match self {
            Source::One(update) => update,
            Source::Arguments(frame) => {
                // An argument frame has 256 updates at most.
                let word = (index as usize).wrapping_mul(2);
                Update {
                    target: TargetBits(machine.read(frame, word)),
                    value: machine.read(frame, word + 1),
                }
            }
        }
    }
}

impl<P: Platform> State<P> {
    /// Goes on with a list of updates until it is done, refused, or the budget is spent.
    pub(crate) fn update_entries<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        work: &mut UpdateWork,
        budget: &mut Budget,
    ) -> Progress {
        loop {
            match &mut work.phase {
                Phase::Ready => {
                    if let Source::Arguments(arguments) = work.source {
                        let range = work.done..work.count;
                        let (done, result) =
                            self.update_leaves(machine, slot, arguments, range, budget);
                        work.done = done;
                        if let Err(error) = result {
                            return Progress::Done(Err(error));
                        }
                    }
                    if work.done == work.count {
                        return Progress::Done(Ok(()));
                    }
                    if !budget.spend(UPDATE) {
                        return Progress::More;
                    }
                    let update = work.source.fetch(machine, work.done);
                    match self.update_entry(machine, slot, update) {
                        Err(error) => return Progress::Done(Err(error)),
                        Ok(phase @ Phase::Promoting { .. }) => work.phase = phase,
                        Ok(Phase::Ready) => work.done += 1,
                        Ok(phase) => {
                            work.done += 1;
                            work.phase = phase;
                        }
                    }
                }
                Phase::Promoting { walk, place, value } => {
                    let (place, mut value) = (*place, *value);
                    let Progress::Done(result) = self.walk(machine, slot, walk, budget) else {
                        return Progress::More;
                    };
                    if self.planted.has(Bug::ValueReadAgain) {
                        value = work.source.fetch(machine, work.done).value;
                    }
                    work.done += u64::from(result.is_ok());
                    work.phase = self.end_promotion(machine, slot, place, value, result);
                }
                Phase::Demoting { walk, next, result } => {
                    let Progress::Done(_) = self.walk(machine, slot, walk, budget) else {
                        return Progress::More;
                    };
                    work.phase = match (next.take(), *result) {
                        (Some(walk), result) => Phase::Demoting { walk, next: None, result },
                        (None, Ok(())) => Phase::Ready,
                        (None, Err(error)) => Phase::Refused(error),
                    };
                }
                Phase::Refused(error) => return Progress::Done(Err(*error)),
            }
        }
    }

    /// Turns work round whose domain ends: what is being validated is given back, and no
    /// further update is made. [`update_entries`](Self::update_entries) finishes it.
    pub(crate) fn cancel_updates(&mut self, work: &mut UpdateWork) {
        work.count = work.done;
        if let Phase::Promoting { walk, .. } = &mut work.phase {
            self.turn_round(walk, Error::NoDomain);
        }
    }

    /// One update of a level-1 entry, which needs no walk and is nearly every one: `None`, with
    /// nothing changed, for an entry of another level.
    #[inline(always)]
    pub(crate) fn update_leaf<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        update: Update,
    ) -> Option<Result<(), Error>> {
        match self.try_leaf(machine, slot, domain, update) {
            Tried::Made => Some(Ok(())),
            Tried::Refused(error) => Some(Err(error)),
            Tried::OtherLevel => None,
            Tried::Unplaced => Some(self.update_unplaced_alone(machine, slot, domain, update)),
        }
    }

    /// One update, if it is of a level-1 entry and its value names a frame.
    #[inline(always)]
    fn try_leaf<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        update: Update,
    ) -> Tried {
        let place = match self.target(machine, slot, domain, update.target) {
            Ok(place) if place.level == Level::L1 => place,
            Ok(_) => return Tried::OtherLevel,
            Err(_) => return Tried::Unplaced,
        };
        match P::Format::decode(update.value, Level::L1) {
            Err(_) => return Tried::Refused(Error::BadEntry),
            Ok(Entry::Leaf(leaf)) => {
                if self.planted.has(Bug::FlagsInPlace)
                    && let old = machine.read(place.table, place.index)
                    && matches!(P::Format::decode(old, Level::L1), Ok(Entry::Leaf(old)) if old.frame == leaf.frame)
                {
                    machine.write(place.table, place.index, update.value);
                    return Tried::Made;
                }
                if let Err(error) = self.acquire_leaf(machine, slot, domain, leaf) {
                    return Tried::Refused(error);
                }
            }
            Ok(Entry::Absent | Entry::Table(_)) => {}
        }
        self.replace_leaf(machine, slot, domain, place, update);
        Tried::Made
    }

    /// Writes a level-1 entry, whose references are held, drops those of the one before it, and flushes
    /// what the update says. `place` is that of the update's target.
    #[inline(always)]
    pub(super) fn replace_leaf<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        place: Place,
        Update { target, value }: Update,
    ) {
        let old = machine.exchange(place.table, place.index, value);
        match P::Format::decode(old, Level::L1) {
            Ok(Entry::Leaf(leaf)) if !self.release_leaf(slot, domain, leaf) => {
                self.updated_recorded(machine, slot, domain, target, Some(leaf.frame));
            }
            Ok(_) => {}
            Err(_) => self.updated_recorded(machine, slot, domain, target, None),
        }
        if let Some(address) = target.flushes() {
            self.tlb.flush_page(machine, address);
        }
    }

    /// The entry that an update means.
    #[inline(always)]
    fn target(
        &self,
        machine: &impl Machine,
        slot: Slot,
        domain: DomainId,
        target: TargetBits,
    ) -> Result<Place, Error> {
        self.place(machine, slot, domain, target.decode()?)
    }

    /// An update whose target is none, unless its value names a page; then those behind it as well, see
    /// [`update_by_page`](Self::update_by_page). Why it is none is found out again, so that an update that has a
    /// target pays nothing for it.
    #[cold]
    #[inline(never)]
    fn update_unplaced<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        update: Update,
        arguments: Mfn,
        range: core::ops::Range<u64>,
    ) -> (u64, Result<(), Error>) {
        if update.target.by_page().is_some() {
            return self.update_by_page(machine, slot, domain, update, arguments, range);
        }
        let error = self.target(machine, slot, domain, update.target).err();
        (range.start, Err(error.unwrap_or(Error::BadArgument)))
    }

    /// The same, of an update that has none behind it.
    #[cold]
    #[inline(never)]
    fn update_unplaced_alone<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        domain: DomainId,
        update: Update,
    ) -> Result<(), Error> {
        let arguments = self.vcpu(slot).arguments;
        self.update_unplaced(machine, slot, domain, update, arguments, 0..1).1
    }

    /// The entry that an update has changed was one of a page without a frame of its own: it named
    /// that shared frame, or marked the page as away. Its place is what it was: an update of a
    /// level-1 entry leaves its table and those above as they are.
    #[cold]
    #[inline(never)]
    fn updated_recorded<M: Machine>(
        &mut self,
        machine: &M,
        slot: Slot,
        domain: DomainId,
        target: TargetBits,
        shared: Option<Mfn>,
    ) {
        let place = self.target(machine, slot, domain, target);
        match (place.map(|place| EntryPlace::new(place.table, place.index)), shared) {
            (Ok(place), Some(frame)) => self.release_shared(place, frame),
            (Ok(place), None) => self.release_away(place),
            (Err(error), _) => unreachable!("the entry that was changed has no place: {error:?}"),
        }
    }

    /// Updates of level-1 entries, those in the range of the argument frame: up to which they were made, and the
    /// refusal that ended them. Not all without one: the next wants a walk or a new budget.
    #[inline(never)]
    pub(crate) fn update_leaves<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        arguments: Mfn,
        range: core::ops::Range<u64>,
        budget: &mut Budget,
    ) -> (u64, Result<(), Error>) {
        let owner = self.domain(slot);
        let domain = owner.id;
        let leaf = if !self.sharing.records.is_empty() {
            LEAF_AMID_SHARING
        } else if !owner.movable.p2m().is_empty() {
            LEAF_BY_PAGE
        } else {
            LEAF
        };
        let end = range.end.min(range.start.saturating_add(budget.pieces(leaf)));
        let mut next = range.start;
        let (done, result) = loop {
            if next >= end {
                break (next, Ok(()));
            }
            let update = Source::Arguments(arguments).fetch(machine, next);
            match self.try_leaf(machine, slot, domain, update) {
                Tried::Made => next += 1,
                Tried::Refused(error) => break (next, Err(error)),
                Tried::Unplaced => {
                    let range = next..end;
                    match self.update_unplaced(machine, slot, domain, update, arguments, range) {
                        (done, Ok(())) => next = done,
                        refused => break refused,
                    }
                }
                // Nothing was done: it must not cost what the next piece of work needs.
                Tried::OtherLevel => break (next, Ok(())),
            }
        };
        budget.spend_pieces(leaf, done - range.start);
        (done, result)
    }

    /// One update: done, or the walk that it needs before or after. What is left here after
    /// [`update_leaf`](Self::update_leaf) is an entry that names a table, or did.
    #[inline(never)]
    fn update_entry<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        update: Update,
    ) -> Result<Phase, Error> {
        let domain = self.domain(slot).id;
        if let Some(result) = self.update_leaf(machine, slot, domain, update) {
            return result.map(|()| Phase::Ready);
        }
        let place = self.target(machine, slot, domain, update.target)?;
        match P::Format::decode(update.value, place.level) {
            Ok(Entry::Absent) => {}
            Ok(Entry::Table(child)) => {
                let below = place.level.below().ok_or(Error::BadEntry)?;
                self.frames.owned(place.table)?.check_reference()?;
                if let Some(walk) = self.acquire_table(machine, slot, child, below)? {
                    self.frames.held(place.table).add_table();
                    return Ok(Phase::Promoting { walk, place, value: update.value });
                }
            }
            // No format has leaves above level 1.
            Ok(Entry::Leaf(_)) | Err(_) => return Err(Error::BadEntry),
        }
        Ok(match self.commit_entry(machine, slot, place, update.value) {
            None => Phase::Ready,
            Some(walk) => Phase::Demoting { walk, next: None, result: Ok(()) },
        })
    }

    /// Writes the entry, whose references are held, and drops those of the one before it.
    #[inline(always)]
    fn commit_entry<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        place: Place,
        value: u64,
    ) -> Option<Walk> {
        let old = machine.exchange(place.table, place.index, value);
        let domain = self.domain(slot).id;
        self.release_entry(slot, domain, place, old)
    }

    /// After the walk of a new entry's table: the entry is written if the walk succeeded and
    /// the table it goes into is still one, and the work's own reference to that goes.
    fn end_promotion<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        place: Place,
        value: u64,
        result: Result<(), Error>,
    ) -> Phase {
        let demotion = match result {
            Ok(()) => self.commit_entry(machine, slot, place, value),
            Err(_) => None,
        };
        // The table was held as a validated one, so its level is what it was.
        debug_assert_eq!(self.frames.held(place.table).kind, Type::Table(place.level));
        let table = self.release_table(place.table, place.level);
        let (first, next) = match (demotion, table) {
            (None, second) => (second, None),
            both => both,
        };
        match (first, result) {
            (Some(walk), result) => Phase::Demoting { walk, next, result },
            (None, Ok(())) => Phase::Ready,
            (None, Err(error)) => Phase::Refused(error),
        }
    }
}
