//! `grant_map`. Checks, in order: the granter is a running domain (`NoDomain`); it gives such
//! a grant, to the caller (`NoGrant`, the same for both: a caller learns nothing of grants
//! that are not for it); the grant permits the access (`ReadOnlyGrant`); the caller has no
//! handle on the frame (`AlreadyMapped`) and may have one more (`QuotaExceeded`); the frame
//! can take a reference (`CountOverflow`). Effect: a handle, and its reference on the frame.

use crate::domain::Slot;
use crate::grant::Handle;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::GrantMap;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &GrantMap,
) -> Result<u64, Error> {
    let granter = state.slot_named(slot, call.domain)?;
    let granter_id = state.domain(granter).id;
    let grant = *state.domain(granter).grants.get(call.grant)?;
    if grant.grantee != state.domain(slot).id {
        return Err(Error::NoGrant);
    }
    if call.access == Access::ReadWrite && grant.access == Access::Read {
        return Err(Error::ReadOnlyGrant);
    }
    let name = state.domain_mut(slot).handles.check_insert(grant.frame)?;
    let frame = state.frames.owned_mut(grant.frame)?;
    frame.check_reference()?;

    match call.access {
        // The grant holds the frame writable already, so that no flush is due.
        Access::ReadWrite => frame.add_writable(),
        Access::Read => frame.add_reference(),
    }
    if let Some(grant) = state.domain_mut(granter).grants.get_mut(call.grant) {
        grant.mapped = true;
    }
    let handle = Handle {
        granter: granter_id,
        grant: call.grant,
        frame: grant.frame,
        access: call.access,
        entries: 0,
    };
    state.domain_mut(slot).handles.insert(name, handle);
    Ok(MappedGrant { handle: name, frame: grant.frame }.to_value())
}
