//! `grant_unmap`. Checks, in order: the handle is live (`NoHandle`); no entry names its frame
//! (`Busy`). Effect: cached translations of the frame are flushed, then the handle and its
//! reference go, and the grant is free to be revoked.

use crate::domain::Life;
use crate::domain::Slot;
use crate::machine::Machine;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::GrantUnmap;
use hypercall_abi::{Error, GrantHandle};

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &GrantUnmap,
) -> Result<u64, Error> {
    if state.domain(slot).handles.get(call.handle)?.entries != 0
        && !state.planted.has(Bug::UnmapWhileMapped)
    {
        return Err(Error::Busy);
    }
    state.close_handle(machine, slot, call.handle);
    Ok(0)
}

impl<P: Platform> State<P> {
    /// Closes a handle that no entry uses.
    pub(crate) fn close_handle<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        name: GrantHandle,
    ) {
        let Some(mut handle) = self.domain_mut(slot).handles.remove(name) else { return };
        // The granter may do as it likes with the frame from now on: no processor may still
        // reach it for the grantee.
        let epoch = self.frames.held(handle.frame).epoch;
        if !self.planted.has(Bug::UnmapWithoutFlush) {
            self.tlb.flush_since(machine, epoch);
        }
        if let Some(granter) = Slot::of(handle.granter)
            && let Some(domain) = &mut self.domains[granter.index()]
            && domain.id == handle.granter
            && matches!(domain.life, Life::Running | Life::Ending { .. })
            && let Some(grant) = domain.grants.get_mut(handle.grant)
            && grant.frame == handle.frame
        {
            grant.mapped = false;
            if self.planted.has(Bug::UnmapByWrongFlag) {
                handle.access = grant.access;
            }
        }
        self.release_hold(handle.frame, handle.access);
    }
}
