//! `pt_pin`. Checks, in order: the level is one of the format (`BadLevel`); the frame is
//! memory (`BadFrame`) and the caller's (`NotOwner`). A frame that is a page table already: it
//! has this level (`BadLevel`), is not under way (`Busy`), can take a reference
//! (`CountOverflow`), is not pinned (`AlreadyPinned`). Any other: it can take a reference, is
//! not mapped writable (`TypeConflict`), and every entry of its tree is acceptable. Effect:
//! the tree is validated, the table pinned.

use crate::budget::Budget;
use crate::call::{Answer, Work};
use crate::domain::Slot;
use crate::format::Format;
use crate::frame::{Hold, Type};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::PtPin;
use hypercall_abi::{Error, Mfn};

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &PtPin,
    budget: &mut Budget,
) -> Answer {
    let table = call.frame;
    match pin_existing(state, slot, call) {
        Err(error) => Answer::from(Err(error)),
        Ok(true) => {
            state.frames.held(table).add_table();
            state.pin_validated(slot, table);
            Answer::from(Ok(0))
        }
        Ok(false) => match state.begin_promotion(machine, slot, table, call.level) {
            Err(error) => Answer::from(Err(error)),
            Ok(walk) => state.walk_work(machine, slot, Work::Pin { table, walk }, budget),
        },
    }
}

/// Whether the frame is a validated table that only wants its pin.
fn pin_existing<P: Platform>(state: &State<P>, slot: Slot, call: &PtPin) -> Result<bool, Error> {
    if call.level > P::Format::ROOT {
        return Err(Error::BadLevel);
    }
    let owned = state.frames.owned_by(call.frame, state.domain(slot).id)?;
    match owned.kind {
        Type::Table(_) => {
            owned.check_table(call.level)?;
            if owned.hold == Hold::Pinned { Err(Error::AlreadyPinned) } else { Ok(true) }
        }
        Type::None | Type::WasTable | Type::Writable => Ok(false),
    }
}

impl<P: Platform> State<P> {
    /// Pins a validated table; the reference of the pin is held.
    pub(crate) fn pin_validated(&mut self, slot: Slot, table: Mfn) {
        self.frames.held(table).hold = Hold::Pinned;
        self.domain_mut(slot).pinned += 1;
    }
}
