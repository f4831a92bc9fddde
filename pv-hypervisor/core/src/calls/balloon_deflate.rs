//! `balloon_deflate`. Checks of each frame, in order: the domain may own one more
//! (`QuotaExceeded`), the hypervisor has one (`NoMemory`). Effect: a scrubbed frame is the
//! caller's, and its number lies in the argument frame.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;

/// Cost of one frame, its scrubbing included.
const FRAME: u32 = 190;

pub(crate) fn go_on<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    mut done: u64,
    count: u64,
    budget: &mut Budget,
) -> Answer {
    let arguments = state.vcpu(slot).arguments;
    while done < count {
        if !budget.spend(FRAME) {
            return state.leave_work(slot, Work::Deflate { done, count });
        }
        let domain = state.domain(slot);
        if domain.frames >= domain.max_frames {
            return Answer::Done(Err(Refusal { error: Error::QuotaExceeded, done }));
        }
        let Some(frame) = state.take_frame(machine, slot) else {
            return Answer::Done(Err(Refusal { error: Error::NoMemory, done }));
        };
        machine.write(arguments, done as usize, frame.0);
        done += 1;
    }
    Answer::Done(Ok(done))
}
