//! `spare_put`. Checks, in order: the frame is memory (`BadFrame`), and the caller's (`NotOwner`; `Moved`
//! if pages share it). Effect: a copy of it is kept under the name, or nothing is.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::SparePut;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &SparePut,
) -> Result<u64, Error> {
    let id = state.domain(slot).id;
    state.frames.owned_by(call.frame, id)?;
    let kept = state.frames.spare_put(machine, &mut state.tlb, id, call.name, call.frame);
    Ok(kept.into())
}
