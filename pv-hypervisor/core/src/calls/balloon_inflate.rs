//! `balloon_inflate`. Checks of each extent, in order: it is memory and aligned (`BadFrame`), each
//! frame of it is the caller's (`NotOwner`), and nothing refers to it (`Busy`): no entry, root,
//! pin, grant, handle or registration (XSA-252 and its kin). Effect: the frames are nobody's and
//! dirty; they are flushed and scrubbed, in this order, before anyone gets them.

use crate::balloon::Giving;
use crate::budget::Budget;
use crate::call::Answer;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::BalloonInflate;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &BalloonInflate,
    budget: &mut Budget,
) -> Answer {
    let BalloonInflate { count, order } = *call;
    state.give(machine, slot, Giving::new(count, order, false), budget)
}
