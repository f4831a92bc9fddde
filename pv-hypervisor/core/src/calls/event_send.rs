//! `event_send`. Checks, in order: the port is open (`NoPort`) and bound (`PortState`).
//! Effect: the other end is pending. If its domain ends, nothing.

use crate::domain::Slot;
use crate::event::PortState;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::EventSend;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &EventSend,
) -> Result<u64, Error> {
    let PortState::Bound(domain, port) = state.domain(slot).ports.get(call.port)? else {
        return Err(Error::PortState);
    };
    if let Ok(other) = state.slot_of(domain) {
        state.raise(machine, other, port);
    }
    Ok(0)
}
