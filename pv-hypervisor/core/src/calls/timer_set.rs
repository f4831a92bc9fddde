//! `timer_set`. Checks: none. Effect: the deadline; one that has passed fires at once.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::TimerSet;
use hypercall_abi::{Error, Port};

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &TimerSet,
) -> Result<u64, Error> {
    if call.deadline == u64::MAX {
        state.vcpu_mut(slot).deadline = None;
    } else if call.deadline <= machine.now() {
        state.vcpu_mut(slot).deadline = None;
        state.raise(machine, slot, Port::TIMER);
    } else {
        state.vcpu_mut(slot).deadline = Some(call.deadline);
        // A deadline that is replaced by a later one costs an early look, no more.
        state.earliest_deadline = state.earliest_deadline.min(call.deadline);
        state.arm_alarm(machine);
    }
    Ok(0)
}
