//! `shutdown`. Checks: none beyond the decoding. Effect: the domain ends.

use crate::call::Answer;
use crate::domain::EndReason;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::Shutdown;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &Shutdown,
) -> Answer {
    Answer::Left(state.end(machine, slot, EndReason::Shutdown(call.reason)))
}
