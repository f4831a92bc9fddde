//! The look at every level-1 table for the entries that map some frames.
//!
//! There is no list of who maps a frame: to keep one would cost every update of a table, and
//! few frames are ever merged. The guests go on meanwhile. What the sweep finds is a guess that
//! is checked when it is used: the entries found are all there are exactly if they are as many
//! as the frame's references, apart from its owner's.

use super::EntryPlace;
use super::candidates::{Candidate, Candidates, MAX_PLACES, Stage};
use crate::budget::Budget;
use crate::format::{Entry, Format};
use crate::frame::{Frame, FrameTable};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::{DomainId, Mfn};

/// Frames that are looked at together, what that costs, and what a level-1 table among them does.
const FRAMES: usize = 64;
const FRAMES_COST: u32 = 95;
const TABLE_COST: u32 = 50;

/// Entries that are looked at together, what that costs, and what one that maps a frame does.
const ENTRIES: usize = 32;
const ENTRIES_COST: u32 = 76;
const LEAF_COST: u32 = 12;

impl<P: Platform> State<P> {
    /// One bounded step of merging the pairs that are wanted. False when none is.
    pub fn merge_step<M: Machine>(&mut self, machine: &mut M) -> bool {
        let mut candidates = core::mem::replace(&mut self.sharing.candidates, Candidates::NONE);
        let worked = match candidates.stage {
            Stage::Gathering if candidates.pairs.is_empty() && !candidates.wants_any() => false,
            Stage::Gathering => {
                candidates.begin_sweep();
                true
            }
            Stage::Sweeping { frame, entry } => {
                let mut budget = Budget::new(self.budget);
                candidates.stage = sweep::<P::Format, M>(
                    &self.frames,
                    machine,
                    &mut candidates,
                    (frame, entry),
                    &mut budget,
                );
                true
            }
            // Room is made in steps of its own.
            Stage::Merging { .. } if self.sharing.records.grow_if_short(2, 2 * MAX_PLACES) => true,
            Stage::Merging { next } => {
                let wanted = next.checked_sub(candidates.pairs.len());
                let wanted = wanted.and_then(|at| candidates.wanted.get(at).copied());
                match (candidates.pairs.get(next).copied(), wanted) {
                    (Some(pair), _) => {
                        let result = self.merge_pair(machine, &candidates, pair);
                        self.count_merge(result);
                        if result.is_ok() {
                            self.note_shared(pair);
                        }
                        candidates.stage = Stage::Merging { next: next + 1 };
                    }
                    (None, Some(name)) => {
                        self.put_away(machine, &candidates, name);
                        candidates.stage = Stage::Merging { next: next + 1 };
                    }
                    (None, None) => candidates.clear(),
                }
                true
            }
        };
        self.sharing.candidates = candidates;
        worked
    }
}

/// Goes on with a sweep: where it stands afterwards.
fn sweep<F: Format, M: Machine>(
    frames: &FrameTable,
    machine: &M,
    candidates: &mut Candidates,
    (mut frame, mut entry): (usize, usize),
    budget: &mut Budget,
) -> Stage {
    let began = (frame, entry);
    while frame < frames.len() {
        if entry == 0 {
            if !budget.spend(FRAMES_COST) {
                return Stage::Sweeping { frame, entry };
            }
            let end = (frame + FRAMES).min(frames.len());
            let Some(table) = frames.position(frame..end, |frame| leaf_table(frame).is_some())
            else {
                frame = end;
                continue;
            };
            frame = table;
            budget.spend(TABLE_COST);
        }
        let number = Mfn(frames.base().0 + frame as u64);
        let owner = frames.get(number).ok().and_then(leaf_table);
        let is_wanted = |candidate: &Candidate| Some(candidate.name.domain) == owner;
        if let Some(owner) = owner
            && candidates.pages.iter().any(is_wanted)
        {
            while entry < F::ENTRIES {
                // Whatever the budget is, each step goes on by one piece at least.
                if !budget.spend(ENTRIES_COST) && (frame, entry) != began {
                    return Stage::Sweeping { frame, entry };
                }
                let leaves = look_at::<F, M>(machine, candidates, owner, number, entry);
                budget.spend(leaves * LEAF_COST);
                entry += ENTRIES;
            }
        }
        entry = 0;
        frame += 1;
    }
    Stage::Merging { next: 0 }
}

/// The owner of a frame that is a level-1 table whose entries hold references.
fn leaf_table(frame: &Frame) -> Option<DomainId> {
    match frame {
        Frame::Owned(owned) if owned.is_leaf_table() => Some(owned.owner),
        _ => None,
    }
}

/// Looks at some entries of a table: how many of them map a frame.
fn look_at<F: Format, M: Machine>(
    machine: &M,
    candidates: &mut Candidates,
    owner: DomainId,
    table: Mfn,
    first: usize,
) -> u32 {
    let mut leaves = 0;
    let mut words = [0; ENTRIES];
    let words = &mut words[..ENTRIES.min(F::ENTRIES - first)];
    machine.read_block(table, first, words);
    for (offset, value) in words.iter().enumerate() {
        let Ok(Entry::Leaf(leaf)) = F::decode(*value, Level::L1) else { continue };
        leaves += 1;
        let Some(candidate) = candidates.of_frame(leaf.frame) else { continue };
        if candidate.name.domain == owner {
            let place = EntryPlace::new(table, first + offset);
            candidate.overflow |= candidate.places.push(place).is_err();
        }
    }
    leaves
}
