//! `pt_create`. Checks, in order: the level is one of the format (`BadLevel`); the frame is
//! memory (`BadFrame`), the caller's (`NotOwner`), can take a reference (`CountOverflow`), and
//! is neither mapped writable nor a page table (`TypeConflict`). Effect: an empty, validated,
//! pinned table.
//!
//! The flush comes before the frame is cleared: a processor with a writable translation could
//! write after it.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::PtCreate;

use crate::format::Format;
use crate::frame::Hold;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &PtCreate,
) -> Result<u64, Error> {
    state.claim_table(machine, slot, call.frame, call.level)?;
    machine.zero(call.frame);
    if call.level == P::Format::ROOT {
        state.write_reserved_slots(machine, call.frame);
    }
    state.frames.held(call.frame).hold = Hold::Valid;
    state.pin_validated(slot, call.frame);
    Ok(0)
}
