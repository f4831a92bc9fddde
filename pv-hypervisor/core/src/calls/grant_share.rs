//! `grant_share`. Checks, in order: the grantee is a running domain (`NoDomain`) and not the
//! caller (`BadArgument`); the frame is memory (`BadFrame`) and the caller's (`NotOwner`), not
//! one mapped through a handle; for writing, it is not a page table (`TypeConflict`); it can
//! take a reference (`CountOverflow`); the caller may give one more grant (`QuotaExceeded`).
//! Effect: the grant, and its reference on the frame.

use crate::domain::Slot;
use crate::frame::Type;
use crate::grant::Grant;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::Error;
use hypercall_abi::calls::GrantShare;
use hypercall_abi::calls::grant_share::Access;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &mut State<P>,
    machine: &mut M,
    slot: Slot,
    call: &GrantShare,
) -> Result<u64, Error> {
    let grantee = state.slot_named(slot, call.domain)?;
    if grantee == slot {
        return Err(Error::BadArgument);
    }
    let owned = state.frames.owned_by(call.frame, state.domain(slot).id)?;
    match call.access {
        Access::ReadWrite => owned.check_writable().map(|_| ())?,
        Access::Read => owned.check_reference()?,
    }
    let (was_table, epoch) = (owned.kind == Type::WasTable, owned.epoch);
    let number = state.domain(slot).grants.check_insert()?;

    match call.access {
        Access::ReadWrite => {
            if was_table {
                state.tlb.flush_since(machine, epoch);
            }
            state.frames.held(call.frame).add_writable();
        }
        Access::Read => state.frames.held(call.frame).add_reference(),
    }
    let grant =
        Grant { grantee: call.domain, frame: call.frame, access: call.access, mapped: false };
    state.domain_mut(slot).grants.insert(number, grant);
    Ok(u64::from(number.0))
}
