//! `event_bind`. Checks, in order: the domain is a running one (`NoDomain`); it has such a
//! port open (`NoPort`), unbound and for the caller (`PortState`); the caller may open one
//! more (`QuotaExceeded`). Effect: both ends are bound, and the new one is pending once.

use crate::domain::Slot;
use crate::event::PortState;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::EventBind;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &EventBind,
) -> Result<u64, Error> {
    let other = state.slot_named(slot, call.domain)?;
    let caller = state.domain(slot).id;
    match state.domain(other).ports.get(call.port)? {
        PortState::Unbound(binder) if binder == caller => {}
        _ => return Err(Error::PortState),
    }
    let port = state.domain(slot).ports.check_open()?;

    let other_id = state.domain(other).id;
    state.domain_mut(slot).ports.set(port, PortState::Bound(other_id, call.port));
    state.domain_mut(other).ports.set(call.port, PortState::Bound(caller, port));
    state.raise(machine, slot, port);
    Ok(u64::from(port.0))
}
