//! `balloon_deflate`. Checks of each extent, in order: the domain may own so many more
//! (`QuotaExceeded`; pages that share a frame count too), the hypervisor has one beyond what it
//! keeps for pages that are written (`NoMemory`). Effect: scrubbed frames are the
//! caller's, and the number of the first lies in the argument frame.

use crate::balloon::Taking;
use crate::budget::Budget;
use crate::call::Answer;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::BalloonDeflate;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &BalloonDeflate,
    budget: &mut Budget,
) -> Answer {
    let BalloonDeflate { count, order } = *call;
    state.take(machine, slot, Taking { done: 0, count, order, claim: None }, budget)
}
