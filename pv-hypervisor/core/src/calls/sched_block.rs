//! `sched_block`. Checks: none. Effect: events are unmasked; without a pending port the vCPU
//! sleeps until there is one. Both happen under the one lock, so that no wake-up is lost.

use crate::Outcome;
use crate::call::Answer;
use crate::domain::Slot;
use crate::event::{self, EVENTS_PENDING_WORD};
use crate::machine::Machine;
use crate::platform::Platform;
use crate::platform::Registers;
use crate::state::State;
use crate::trap::EVENTS_MASKED_WORD;
use crate::vcpu::RunState;
use hypercall_abi::Status;

pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    registers: &mut P::Registers,
) -> Answer {
    let page = state.vcpu(slot).page;
    machine.write(page, EVENTS_MASKED_WORD, 0);
    if event::any_pending(machine, page) {
        machine.write(page, EVENTS_PENDING_WORD, 1);
        return Answer::from(Ok(0));
    }
    registers.set_result(Status::SUCCESS, 0);
    state.vcpu_mut(slot).state = RunState::Blocked;
    Answer::Left(Outcome::Reschedule)
}
