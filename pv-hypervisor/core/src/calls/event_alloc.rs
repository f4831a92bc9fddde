//! `event_alloc`. Checks, in order: the domain that may bind is a running one (`NoDomain`);
//! the caller may open one more port (`QuotaExceeded`). Effect: an unbound port.

use crate::domain::Slot;
use crate::event::PortState;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::EventAlloc;

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &EventAlloc,
) -> Result<u64, Error> {
    let binder = state.slot_named(slot, call.domain)?;
    let port = state.domain(slot).ports.check_open()?;
    let binder = state.domain(binder).id;
    state.domain_mut(slot).ports.set(port, PortState::Unbound(binder));
    Ok(u64::from(port.0))
}
