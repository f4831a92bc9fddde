//! What really refers to each frame, counted by walking everything that can. Each entry is
//! judged on the way, so that the tables are read once.
//!
//! It judges nothing else and believes nothing: a reference to what is no frame is left out
//! here, and whoever holds it is found by the invariant that is about such holders.

use super::{Audit, Violation, tables};
use crate::call::Work;
use crate::domain::{Life, Slot};
use crate::format::{Entry, Format};
use crate::frame::{Frame, Hold, Owned, Type};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::Platform;
use crate::pt::Walk;
use crate::state::State;
use crate::teardown::Teardown;
use alloc::vec;
use alloc::vec::Vec;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Mfn};

/// Words that are read at a time.
const BLOCK: usize = 64;

/// References to one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct References {
    /// All of them, its being owned included.
    pub(super) all: u32,
    /// Those that hold it writable.
    pub(super) writable: u32,
    /// Those that hold it as a page table.
    pub(super) table: u32,
    /// Walks that have it on their stack.
    pub(super) walks: u32,
}

/// An entry that is not zero, of a table that holds its references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// The table.
    pub(super) table: Mfn,
    /// Its owner.
    pub(super) owner: DomainId,
    /// Its level.
    pub(super) level: Level,
    /// The entry.
    pub(super) value: u64,
}

/// An entry that names a foreign frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Foreign {
    /// Whose entry it is.
    pub(super) domain: DomainId,
    /// The frame.
    pub(super) frame: Mfn,
    /// Whether it permits writing.
    pub(super) writable: bool,
}

/// The references to every frame, and what was met on the way.
pub(super) struct Truth {
    base: Mfn,
    references: Vec<References>,
    /// Entries that name a foreign frame.
    pub(super) foreign: Vec<Foreign>,
    /// Entries that are marked as those of a page that is away.
    pub(super) away: usize,
    /// The first violation of each invariant that is about single entries.
    faults: Vec<Violation>,
}

impl Truth {
    pub(super) fn of<P: Platform, M: Machine>(state: &State<P>, machine: &M) -> Truth {
        let mut truth = Truth {
            base: state.frames.base(),
            references: vec![References::default(); state.frames.len()],
            foreign: Vec::new(),
            away: 0,
            faults: Vec::new(),
        };
        let cursors = truth.count_walks(state);
        for (frame, entry) in state.frames.iter() {
            if let Frame::Owned(owned) = entry {
                truth.add(frame);
                truth.count_table(state, machine, frame, owned, &cursors);
            }
        }
        truth.count_holders(state);
        truth
    }

    pub(super) fn get(&self, frame: Mfn) -> References {
        self.references[(frame.0 - self.base.0) as usize]
    }

    /// What was found of an invariant that is about single entries.
    pub(super) fn fault(&self, invariant: u8) -> Audit {
        match self.faults.iter().find(|fault| fault.invariant == invariant) {
            Some(fault) => Err(*fault),
            None => Ok(()),
        }
    }

    fn judge(&mut self, judgement: Audit) {
        if let Err(violation) = judgement
            && self.fault(violation.invariant).is_ok()
        {
            self.faults.push(violation);
        }
    }

    fn at(&mut self, frame: Mfn) -> Option<&mut References> {
        self.references.get_mut(frame.0.wrapping_sub(self.base.0) as usize)
    }

    fn add(&mut self, frame: Mfn) {
        if let Some(references) = self.at(frame) {
            references.all += 1;
        }
    }

    fn add_writable(&mut self, frame: Mfn) {
        self.add(frame);
        if let Some(references) = self.at(frame) {
            references.writable += 1;
        }
    }

    fn add_table(&mut self, frame: Mfn) {
        self.add(frame);
        if let Some(references) = self.at(frame) {
            references.table += 1;
        }
    }

    fn add_access(&mut self, frame: Mfn, access: Access) {
        match access {
            Access::ReadWrite => self.add_writable(frame),
            Access::Read => self.add(frame),
        }
    }

    /// Counts the tables that walks hold, and returns how many entries of each hold their
    /// references.
    fn count_walks<P: Platform>(&mut self, state: &State<P>) -> Vec<(Mfn, usize)> {
        let mut cursors = Vec::new();
        for (slot, _) in state.domains() {
            for walk in walks_of(state, slot) {
                for (table, _, _, cursor) in walk.tables() {
                    self.add_table(table);
                    if let Some(references) = self.at(table) {
                        references.walks += 1;
                    }
                    cursors.push((table, cursor));
                }
            }
        }
        cursors
    }

    /// Judges and counts every entry of a table that holds a reference.
    fn count_table<P: Platform, M: Machine>(
        &mut self,
        state: &State<P>,
        machine: &M,
        table: Mfn,
        owned: &Owned,
        cursors: &[(Mfn, usize)],
    ) {
        let Type::Table(level) = owned.kind else { return };
        let end = if owned.hold.is_valid() {
            P::Format::ENTRIES
        } else {
            // One that no walk has is no state that a table can be in: that is I11's.
            cursors.iter().find(|(walked, _)| *walked == table).map_or(0, |(_, cursor)| *cursor)
        };
        let end =
            if level == P::Format::ROOT { end.min(P::Format::FIRST_RESERVED_SLOT) } else { end };
        let mut block = [0; BLOCK];
        for start in (0..end.min(FRAME_WORDS)).step_by(BLOCK) {
            let values = &mut block[..BLOCK.min(end - start)];
            machine.read_block(table, start, values);
            for value in values.iter().copied().filter(|value| *value != 0) {
                let found = Found { table, owner: owned.owner, level, value };
                self.judge(tables::i9_validated_means_valid(state, &found));
                self.judge(tables::i12_acyclic_levels(state, &found));
                self.judge(tables::i14_absent_entries::<P>(&found));
                self.count_entry(state, &found);
            }
        }
    }

    fn count_entry<P: Platform>(&mut self, state: &State<P>, found: &Found) {
        match P::Format::decode(found.value, found.level) {
            Ok(Entry::Leaf(leaf)) => {
                // One that pages share is no domain's: I25 is about its entries.
                let owner = state.frames.owned(leaf.frame).map(|owned| owned.owner);
                if owner.is_ok_and(|owner| owner != found.owner) {
                    let (frame, writable) = (leaf.frame, leaf.writable);
                    self.foreign.push(Foreign { domain: found.owner, frame, writable });
                }
                if leaf.writable {
                    self.add_writable(leaf.frame);
                } else {
                    self.add(leaf.frame);
                }
            }
            // A child that is being taken apart has lost its entry's reference to the walk.
            Ok(Entry::Table(child)) => self.add_table(child),
            Ok(Entry::Absent) | Err(_) => {
                self.away += usize::from(P::Format::is_away(found.value));
            }
        }
    }

    /// Counts roots, pins, grants, handles, registrations and holds of updates.
    fn count_holders<P: Platform>(&mut self, state: &State<P>) {
        for (frame, entry) in state.frames.iter() {
            if matches!(entry, Frame::Owned(owned) if owned.hold == Hold::Pinned) {
                self.add_table(frame);
            }
        }
        for (_, vcpu) in state.vcpus() {
            let roots = [vcpu.kernel_root, vcpu.user_root, held_table(vcpu.work.as_ref())];
            for table in roots.into_iter().flatten() {
                self.add_table(table);
            }
            self.add_writable(vcpu.page);
            self.add_writable(vcpu.arguments);
        }
        for (_, domain) in state.domains() {
            for frame in domain.movable.p2m() {
                self.add_writable(*frame);
            }
            for (_, grant) in domain.grants.iter() {
                self.add_access(grant.frame, grant.access);
            }
            for (_, handle) in domain.handles.iter() {
                self.add_access(handle.frame, handle.access);
            }
        }
    }
}

/// The table that a list of updates holds, while what its entry will name is validated.
pub(super) fn held_table(work: Option<&Work>) -> Option<Mfn> {
    match work {
        Some(Work::Update(update)) => update.held_table(),
        _ => None,
    }
}

/// The walks that are under way in a domain's name.
pub(super) fn walks_of<P: Platform>(state: &State<P>, slot: Slot) -> Vec<&Walk> {
    let mut walks = Vec::new();
    if let Some((_, vcpu)) = state.vcpus().find(|(found, _)| *found == slot) {
        match &vcpu.work {
            Some(Work::Pin { walk, .. }) => walks.push(walk),
            Some(Work::Demote { walk, next }) => {
                walks.push(walk);
                walks.extend(next);
            }
            Some(Work::Update(update)) => {
                walks.extend(update.walk());
                walks.extend(update.next_walk());
            }
            _ => {}
        }
    }
    if let Life::Ending { teardown, .. } = &state.domain(slot).life {
        match teardown {
            Teardown::Roots(roots) => walks.extend(roots.0.iter()),
            Teardown::Pins { walk, .. } => walks.extend(walk.0.as_ref()),
            _ => {}
        }
    }
    walks
}
