//! `event_close`. Checks, in order: the port is open (`NoPort`) and not a well-known one
//! (`PortState`). Effect: it is closed, the other end unbound and reserved for the caller.

use crate::domain::Slot;
use crate::event::PortState;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::EventClose;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &EventClose,
) -> Result<u64, Error> {
    if state.domain(slot).ports.get(call.port)? == PortState::WellKnown {
        return Err(Error::PortState);
    }
    state.close_port(machine, slot, call.port);
    Ok(0)
}
