//! `spare_get`. Checks, in order: the frame is memory (`BadFrame`), and the caller's (`NotOwner`; `Moved`
//! if pages share it); it is mapped writable or held so (`TypeConflict`). Effect: the page of that name
//! is copied into the frame, if it is kept.

use crate::domain::Slot;
use crate::frame::Type;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::SpareGet;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &SpareGet,
) -> Result<u64, Error> {
    let id = state.domain(slot).id;
    let owned = state.frames.owned_by(call.frame, id)?;
    // What the guest cannot write the hypervisor does not write for it: a page table, and a page that
    // is about to share a frame, whose entries have been made read-only so that it stays as it is.
    if owned.kind != Type::Writable {
        return Err(Error::TypeConflict);
    }
    Ok(state.frames.spare_get(machine, id, call.name, call.frame).into())
}
