//! `spare_drop`. No checks. Effect: no page of that name is kept.

use crate::domain::Slot;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::SpareDrop;

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &SpareDrop,
) -> Result<u64, Error> {
    let id = state.domain(slot).id;
    Ok(state.frames.spare_drop(id, call.name).into())
}
