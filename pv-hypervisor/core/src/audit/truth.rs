//! What really refers to each frame, counted by walking everything that can.
//!
//! On the way the entries of every table are judged anew: I9, I12 and I14.

use super::{Audit, Violation, frame_violation};
use crate::call::Work;
use crate::domain::{Life, Slot};
use crate::format::{Entry, Format};
use crate::frame::{Frame, Hold, Owned, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::Walk;
use crate::state::State;
use crate::teardown::Teardown;
use alloc::vec;
use alloc::vec::Vec;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Mfn};

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

/// The references to every frame, and the entries under every handle.
pub(super) struct Truth {
    base: Mfn,
    references: Vec<References>,
    /// Entries that name a foreign frame: who, which frame.
    pub(super) foreign: Vec<(DomainId, Mfn)>,
}

impl Truth {
    pub(super) fn of<P: Platform, M: Machine>(
        state: &State<P>,
        machine: &M,
    ) -> Result<Truth, Violation> {
        let mut truth = Truth {
            base: state.frames.base(),
            references: vec![References::default(); state.frames.len()],
            foreign: Vec::new(),
        };
        let cursors = truth.count_walks(state)?;
        for (frame, entry) in state.frames.iter() {
            if let Frame::Owned(owned) = entry {
                truth.at(frame, 1)?.all += 1;
                truth.count_table(state, machine, frame, owned, &cursors)?;
            }
        }
        truth.count_holders(state)?;
        Ok(truth)
    }

    pub(super) fn get(&self, frame: Mfn) -> References {
        self.references[(frame.0 - self.base.0) as usize]
    }

    fn at(&mut self, frame: Mfn, invariant: u8) -> Result<&mut References, Violation> {
        let index = frame.0.wrapping_sub(self.base.0) as usize;
        let no_frame = frame_violation(invariant, "a reference names no frame", frame);
        self.references.get_mut(index).ok_or(no_frame)
    }

    fn add_writable(&mut self, frame: Mfn) -> Audit {
        let references = self.at(frame, 9)?;
        references.all += 1;
        references.writable += 1;
        Ok(())
    }

    fn add_table(&mut self, frame: Mfn) -> Audit {
        let references = self.at(frame, 9)?;
        references.all += 1;
        references.table += 1;
        Ok(())
    }

    /// Counts the tables that walks hold, and returns how many entries of each hold their
    /// references.
    fn count_walks<P: Platform>(
        &mut self,
        state: &State<P>,
    ) -> Result<Vec<(Mfn, usize)>, Violation> {
        let mut cursors = Vec::new();
        for (slot, _) in state.domains() {
            for walk in walks_of(state, slot) {
                for (table, level, promoting, cursor) in walk.tables() {
                    let Ok(Frame::Owned(owned)) = state.frames.get(table) else {
                        return Err(frame_violation(11, "a walk holds a frame nobody owns", table));
                    };
                    let hold = if promoting { Hold::Promoting } else { Hold::Demoting };
                    if owned.kind != Type::Table(level) || owned.hold != hold {
                        return Err(frame_violation(11, "a walk and its table disagree", table));
                    }
                    self.add_table(table)?;
                    self.at(table, 11)?.walks += 1;
                    cursors.push((table, cursor));
                }
            }
        }
        Ok(cursors)
    }

    /// I9, I12, I14: judges every entry of a table that holds a reference, and counts it.
    fn count_table<P: Platform, M: Machine>(
        &mut self,
        state: &State<P>,
        machine: &M,
        table: Mfn,
        owned: &Owned,
        cursors: &[(Mfn, usize)],
    ) -> Audit {
        let Type::Table(level) = owned.kind else { return Ok(()) };
        let end = match owned.hold {
            Hold::Valid | Hold::Pinned => P::Format::ENTRIES,
            Hold::Promoting | Hold::Demoting => {
                let cursor = cursors.iter().find(|(walked, _)| *walked == table);
                cursor.ok_or(frame_violation(11, "a table is under way without a walk", table))?.1
            }
            Hold::Unheld => return Err(frame_violation(11, "a page table nobody holds", table)),
        };
        let end =
            if level == P::Format::ROOT { end.min(P::Format::FIRST_RESERVED_SLOT) } else { end };
        for index in 0..end {
            let value = machine.read(table, index);
            if value != 0 {
                self.count_entry(state, table, owned.owner, level, value)?;
            }
        }
        Ok(())
    }

    fn count_entry<P: Platform>(
        &mut self,
        state: &State<P>,
        table: Mfn,
        owner: DomainId,
        level: Level,
        value: u64,
    ) -> Audit {
        let entry = P::Format::decode(value, level);
        let entry =
            entry.map_err(|_| frame_violation(9, "an entry that no check lets in", table))?;
        match entry {
            Entry::Absent => Ok(()),
            Entry::Leaf(leaf) => {
                let Ok(Frame::Owned(target)) = state.frames.get(leaf.frame) else {
                    return Err(frame_violation(
                        9,
                        "an entry maps a frame nobody owns",
                        leaf.frame,
                    ));
                };
                if target.owner != owner {
                    self.foreign.push((owner, leaf.frame));
                }
                if leaf.writable {
                    self.add_writable(leaf.frame)
                } else {
                    self.at(leaf.frame, 9)?.all += 1;
                    Ok(())
                }
            }
            Entry::Table(child) => {
                let below = level.below();
                match state.frames.get(child) {
                    Ok(Frame::Owned(target))
                        if target.owner == owner && below.map(Type::Table) == Some(target.kind) => {
                    }
                    _ => {
                        let what = "an entry names what is no table of the level below";
                        return Err(frame_violation(12, what, child));
                    }
                }
                // A child that is being taken apart has lost its entry's reference to the walk.
                self.add_table(child)
            }
        }
    }

    /// Counts roots, pins, grants, handles, registrations and holds of updates.
    fn count_holders<P: Platform>(&mut self, state: &State<P>) -> Audit {
        for (frame, entry) in state.frames.iter() {
            if matches!(entry, Frame::Owned(owned) if owned.hold == Hold::Pinned) {
                self.add_table(frame)?;
            }
        }
        for (_, vcpu) in state.vcpus() {
            for root in [vcpu.kernel_root, vcpu.user_root].into_iter().flatten() {
                self.add_table(root)?;
            }
            self.add_writable(vcpu.page)?;
            self.add_writable(vcpu.arguments)?;
            let held = match &vcpu.work {
                Some(Work::Update(update)) => update.held_table(),
                _ => None,
            };
            if let Some(table) = held {
                self.add_table(table)?;
            }
        }
        for (_, domain) in state.domains() {
            let grants = domain.grants.iter().map(|(_, grant)| (grant.frame, grant.access));
            let handles = domain.handles.iter().map(|(_, handle)| (handle.frame, handle.access));
            for (frame, access) in grants.chain(handles) {
                match access {
                    Access::ReadWrite => self.add_writable(frame)?,
                    Access::Read => self.at(frame, 20)?.all += 1,
                }
            }
        }
        Ok(())
    }
}

/// The walks that are under way in a domain's name.
fn walks_of<P: Platform>(state: &State<P>, slot: Slot) -> Vec<&Walk> {
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
