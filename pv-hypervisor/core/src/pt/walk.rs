//! Promotion and demotion of page-table trees, in bounded steps.
//!
//! A walk goes down a tree depth first, with a stack of at most one step a level. While it
//! promotes, a step's cursor rises, and the entries below it hold their references; while it
//! demotes, the cursor falls, and the entries below it still hold theirs. A promotion that
//! meets an entry it must refuse turns every step of its stack round: what was taken is given
//! back by the same code that demotes, and the tree is as it was.
//!
//! Between two calls of [`State::walk`] every table on the stack is [`Hold::Promoting`] or
//! [`Hold::Demoting`]: no entry, root or pin can get at it (XSA-299).

use super::entry::Place;
use crate::budget::Budget;
use crate::domain::Slot;
use crate::format::{Entry, Format};
use crate::frame::{Before, Hold, Type};
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::{Error, Mfn};

/// Levels that a walk can be deep.
const MAX_DEPTH: usize = 4;

/// Entries that are looked at together: most tables are mostly empty.
const RUN: usize = 8;

/// Cost of a run of empty entries, of one entry, and of one that names a table to be walked.
const EMPTY_RUN: u32 = 5;
const FULL_ENTRY: u32 = 9;
const TABLE: u32 = 60;

/// What an entry costs beside that whose record goes with it: that of a page that shares a frame or is
/// away.
const RECORD: u32 = 36;

/// A walk that may be in the middle of a tree.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Walk {
    pub(crate) steps: heapless::Vec<Step, MAX_DEPTH>,
    pub(crate) failure: Option<Error>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Step {
    pub(crate) table: Mfn,
    pub(crate) level: Level,
    pub(crate) direction: Direction,
    pub(crate) cursor: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Direction {
    Promote,
    Demote,
}

/// How far a bounded piece of work has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Progress {
    /// It is done; a promotion may have failed, and is then undone.
    Done(Result<(), Error>),
    /// The budget is spent: call again.
    More,
}

/// What came of a step's share of entries.
enum StepEnd {
    Finished,
    Descend(Step),
    Refused(Error),
    OutOfBudget,
}

impl Walk {
    fn of(step: Step) -> Walk {
        let mut steps = heapless::Vec::new();
        // A stack of four has room for one.
        let _ = steps.push(step);
        Walk { steps, failure: None }
    }

    /// The walk that takes apart a table of `entries` whose last reference went.
    pub(crate) fn demotion(table: Mfn, level: Level, entries: usize) -> Walk {
        Walk::of(Step { table, level, direction: Direction::Demote, cursor: entries as u16 })
    }

    /// Tables on the stack, with whether the walk is promoting them and how many of their
    /// entries hold references: for the audit.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (Mfn, Level, bool, usize)> {
        self.steps.iter().map(|step| {
            let promoting = step.direction == Direction::Promote;
            (step.table, step.level, promoting, usize::from(step.cursor))
        })
    }
}

/// Whether the [`RUN`] entries from `start` on lie below `end` and are all zero.
#[inline(always)]
fn is_empty_run(machine: &impl Machine, table: Mfn, start: usize, end: usize) -> bool {
    start + RUN <= end
        && (start..start + RUN).fold(0, |all, word| all | machine.read(table, word)) == 0
}

impl<P: Platform> State<P> {
    /// Begins to make a frame of the domain's a page table: the walk that validates it.
    pub(crate) fn begin_promotion<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        table: Mfn,
        level: Level,
    ) -> Result<Walk, Error> {
        self.claim_table(machine, slot, table, level)?;
        Ok(Walk::of(Step { table, level, direction: Direction::Promote, cursor: 0 }))
    }

    /// Claims a frame as a page table whose validation begins. After the flush no processor
    /// can write to it or walk it; the claim is visible before anything is read from it.
    pub(crate) fn claim_table<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        table: Mfn,
        level: Level,
    ) -> Result<(), Error> {
        if level > P::Format::ROOT {
            return Err(Error::BadLevel);
        }
        let owned = self.frames.owned_by(table, self.domain(slot).id)?;
        let before = match owned.check_claim() {
            Err(Error::TypeConflict) if self.planted.has(Bug::ClaimWhileWritable) => Before::Flush,
            checked => checked?,
        };
        let epoch = owned.epoch;
        self.frames.held(table).claim(level);
        if before == Before::Flush && !self.planted.has(Bug::ClaimWithoutFlush) {
            self.tlb.flush_since(machine, epoch);
        }
        self.domain_mut(slot).gained_table();
        Ok(())
    }

    /// Goes on with a walk until it is done or the budget is spent.
    pub(crate) fn walk<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        walk: &mut Walk,
        budget: &mut Budget,
    ) -> Progress {
        while let Some(step) = walk.steps.last_mut() {
            let end = match step.direction {
                Direction::Promote => self.promote_entries(machine, slot, step, budget),
                Direction::Demote => self.demote_entries(machine, slot, step, budget),
            };
            match end {
                StepEnd::OutOfBudget => return Progress::More,
                StepEnd::Descend(child) => {
                    // What it costs counts against what comes after it: it is done already.
                    budget.spend(TABLE);
                    // The levels bound the depth: each step is one level lower.
                    let _ = walk.steps.push(child);
                }
                StepEnd::Refused(error) => self.turn_round(walk, error),
                StepEnd::Finished => {
                    let done = *step;
                    walk.steps.pop();
                    self.finish_table(machine, slot, done);
                    if done.direction == Direction::Promote
                        && let Some(parent) = walk.steps.last_mut()
                    {
                        // The claim's reference is now that of the parent's entry.
                        parent.cursor += 1;
                    }
                }
            }
        }
        Progress::Done(walk.failure.map_or(Ok(()), Err))
    }

    /// Makes a promotion give back what it has taken; it then ends with `error`.
    pub(crate) fn turn_round(&mut self, walk: &mut Walk, error: Error) {
        walk.failure = Some(error);
        if self.planted.has(Bug::RefusalKeepsReferences)
            && let Some(step) = walk.steps.last_mut()
        {
            step.cursor = 0;
        }
        for step in &mut walk.steps {
            step.direction = Direction::Demote;
            self.frames.held(step.table).hold = Hold::Demoting;
        }
    }

    fn finish_table<M: Machine>(&mut self, machine: &mut M, slot: Slot, step: Step) {
        let is_root = step.level == P::Format::ROOT;
        match step.direction {
            Direction::Promote => {
                if is_root {
                    self.write_reserved_slots(machine, step.table);
                }
                self.frames.held(step.table).hold = Hold::Valid;
            }
            Direction::Demote => {
                let now = self.tlb.now();
                self.frames.held(step.table).retire(now);
                self.domain_mut(slot).tables -= 1;
            }
        }
    }

    /// Writes the hypervisor's own entries into a root.
    pub(crate) fn write_reserved_slots<M: Machine>(&self, machine: &mut M, root: Mfn) {
        for slot in P::Format::FIRST_RESERVED_SLOT..P::Format::ENTRIES {
            let entry = machine.root_entry(slot);
            machine.write(root, slot, entry);
        }
    }

    fn promote_entries<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        step: &mut Step,
        budget: &mut Budget,
    ) -> StepEnd {
        let is_root = step.level == P::Format::ROOT;
        let domain = self.domain(slot).id;
        while usize::from(step.cursor) < P::Format::ENTRIES {
            let index = usize::from(step.cursor);
            if index.is_multiple_of(RUN)
                && is_empty_run(machine, step.table, index, P::Format::ENTRIES)
            {
                if !budget.spend(EMPTY_RUN) {
                    return StepEnd::OutOfBudget;
                }
                step.cursor += RUN as u16;
                continue;
            }
            let value = machine.read(step.table, index);
            if !budget.spend(FULL_ENTRY) {
                return StepEnd::OutOfBudget;
            }
            if value == 0 {
                step.cursor += 1;
                continue;
            }
            if is_root && index >= P::Format::FIRST_RESERVED_SLOT {
                return StepEnd::Refused(Error::HypervisorRange);
            }
            match P::Format::decode(value, step.level) {
                Err(_) => return StepEnd::Refused(Error::BadEntry),
                Ok(Entry::Absent) => {}
                Ok(Entry::Leaf(leaf)) => {
                    if let Err(error) = self.acquire_leaf(machine, slot, domain, leaf) {
                        if self.planted.has(Bug::RefusalDropsOneMore) {
                            step.cursor += 1;
                        }
                        return StepEnd::Refused(error);
                    }
                    if self.planted.has(Bug::ContinuationTakesAgain) && !budget.spend(FULL_ENTRY) {
                        return StepEnd::OutOfBudget;
                    }
                }
                Ok(Entry::Table(child)) => {
                    let Some(below) = step.level.below() else {
                        return StepEnd::Refused(Error::BadEntry);
                    };
                    match self.acquire_table(machine, slot, child, below) {
                        Ok(None) => {}
                        Ok(Some(walk)) => {
                            if let Some(child) = walk.steps.first() {
                                return StepEnd::Descend(*child);
                            }
                        }
                        Err(error) => return StepEnd::Refused(error),
                    }
                }
            }
            step.cursor += 1;
        }
        StepEnd::Finished
    }

    fn demote_entries<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        step: &mut Step,
        budget: &mut Budget,
    ) -> StepEnd {
        let is_root = step.level == P::Format::ROOT;
        let domain = self.domain(slot).id;
        while step.cursor > 0 {
            let end = usize::from(step.cursor);
            if end.is_multiple_of(RUN) && is_empty_run(machine, step.table, end - RUN, end) {
                if !budget.spend(EMPTY_RUN) {
                    return StepEnd::OutOfBudget;
                }
                step.cursor -= RUN as u16;
                continue;
            }
            let index = end - 1;
            let value = machine.read(step.table, index);
            if !budget.spend(FULL_ENTRY) {
                return StepEnd::OutOfBudget;
            }
            step.cursor -= 1;
            if is_root && index >= P::Format::FIRST_RESERVED_SLOT {
                machine.write(step.table, index, 0);
                continue;
            }
            if value == 0 {
                continue;
            }
            let place = Place { table: step.table, index, level: step.level };
            let (_, recorded) = self.sharing.records.lengths();
            let walk = self.release_entry(slot, domain, place, value);
            if self.sharing.records.lengths().1 != recorded {
                budget.spend(RECORD);
            }
            if let Some(child) = walk.as_ref().and_then(|walk| walk.steps.first()) {
                return StepEnd::Descend(*child);
            }
        }
        StepEnd::Finished
    }

    /// Takes the reference of an entry to a table of `level`: at once when it is validated;
    /// else the walk that validates it, whose claim becomes that reference.
    pub(crate) fn acquire_table<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        table: Mfn,
        level: Level,
    ) -> Result<Option<Walk>, Error> {
        let owned = self.frames.owned_by(table, self.domain(slot).id)?;
        match owned.kind {
            Type::Table(_) => {
                match owned.check_table(level) {
                    Err(Error::BadLevel) if self.planted.has(Bug::LevelUnchecked) => {}
                    checked => checked?,
                }
                self.frames.held(table).add_table();
                Ok(None)
            }
            _ => self.begin_promotion(machine, slot, table, level).map(Some),
        }
    }
}
