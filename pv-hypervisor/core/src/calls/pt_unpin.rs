//! `pt_unpin`. Checks, in order: the frame is memory (`BadFrame`), the caller's (`NotOwner`),
//! a page table (`NotTable`), pinned (`NotPinned`). Effect: the pin goes; a tree that nothing
//! else names is taken apart.

use crate::budget::Budget;
use crate::call::{Answer, Work};
use crate::domain::Slot;
use crate::frame::{Hold, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::Walk;
use crate::state::State;
use hypercall_abi::addr::Level;
use hypercall_abi::calls::PtUnpin;
use hypercall_abi::{Error, Mfn};

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &PtUnpin,
    budget: &mut Budget,
) -> Answer {
    match check(state, slot, call) {
        Err(error) => Answer::from(Err(error)),
        Ok(level) => match state.unpin(slot, call.frame, level) {
            None => Answer::from(Ok(0)),
            Some(walk) => state.walk_work(machine, slot, Work::Demote { walk, next: None }, budget),
        },
    }
}

fn check<P: Platform>(state: &State<P>, slot: Slot, call: &PtUnpin) -> Result<Level, Error> {
    let owned = state.frames.owned_by(call.frame, state.domain(slot).id)?;
    match (owned.kind, owned.hold) {
        (Type::Table(level), Hold::Pinned) => Ok(level),
        (Type::Table(_), _) => Err(Error::NotPinned),
        _ => Err(Error::NotTable),
    }
}

impl<P: Platform> State<P> {
    /// Takes the pin off a table, and the reference of the pin away.
    pub(crate) fn unpin(&mut self, slot: Slot, table: Mfn, level: Level) -> Option<Walk> {
        self.frames.held(table).hold = Hold::Valid;
        self.domain_mut(slot).pinned -= 1;
        self.release_table(table, level)
    }
}
