//! `grant_revoke`. Checks, in order: the caller gives such a grant (`NoGrant`); nobody has it
//! mapped (`Busy`). Effect: the grant and its reference go.

use crate::domain::Slot;
use crate::planted::Bug;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::GrantRevoke;

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &GrantRevoke,
) -> Result<u64, Error> {
    let grant = *state.domain(slot).grants.get(call.grant)?;
    if grant.mapped && !state.planted.has(Bug::RevokeWhileMapped) {
        return Err(Error::Busy);
    }
    state.domain_mut(slot).grants.remove(call.grant);
    state.release_hold(grant.frame, grant.access);
    Ok(0)
}
