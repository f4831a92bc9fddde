//! `balloon_inflate`. Checks of each frame, in order: it is memory (`BadFrame`), the caller's
//! (`NotOwner`), and nothing refers to it (`Busy`): no entry, root, pin, grant, handle or
//! registration (XSA-252 and its kin). Effect: the frame is nobody's and dirty; it is flushed
//! and scrubbed, in this order, before anyone gets it.

use crate::budget::Budget;
use crate::call::{Answer, Refusal, Work};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{Error, Mfn};

/// Cost of one frame.
const FRAME: u32 = 9;

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
            return state.leave_work(slot, Work::Inflate { done, count });
        }
        let frame = Mfn(machine.read(arguments, done as usize));
        if let Err(error) = check(state, slot, frame) {
            return Answer::Done(Err(Refusal { error, done }));
        }
        state.frames.release(frame);
        state.domain_mut(slot).frames -= 1;
        done += 1;
    }
    Answer::Done(Ok(done))
}

fn check<P: Platform>(state: &State<P>, slot: Slot, frame: Mfn) -> Result<(), Error> {
    let owned = state.frames.owned_by(frame, state.domain(slot).id)?;
    if owned.is_unreferenced() || state.planted.has(Bug::InflateReferenced) {
        Ok(())
    } else {
        Err(Error::Busy)
    }
}
