//! `event_mask`. Checks: the port is open (`NoPort`). Effect: its mask bit; a pending port that
//! is unmasked makes an event due.

use crate::domain::Slot;
use crate::event;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::EventMask;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &EventMask,
) -> Result<u64, Error> {
    state.domain(slot).ports.get(call.port)?;
    let page = state.vcpu(slot).page;
    if event::set_mask(machine, page, call.port, call.masked) {
        state.wake(slot);
    }
    Ok(0)
}
