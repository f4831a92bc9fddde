//! `sched_yield`. Checks: none. Effect: the vCPU's slice is over.

use crate::Outcome;
use crate::call::Answer;
use crate::platform::{Platform, Registers};
use crate::state::State;
use hypercall_abi::Status;

pub(super) fn run<P: Platform>(state: &mut State<P>, registers: &mut P::Registers) -> Answer {
    registers.set_result(Status::SUCCESS, 0);
    state.scheduler.end_slice();
    Answer::Left(Outcome::Reschedule)
}
