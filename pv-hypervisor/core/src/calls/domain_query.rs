//! `domain_query`. Checks: the domain is the caller (`NotPermitted`, whether there is another
//! of that identity or not). Effect: its counts lie in the argument frame.

use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::DomainQuery;
use hypercall_abi::domain_info::DomainInfo;
use hypercall_abi::{DomainId, Error};
use zerocopy::IntoBytes;

#[inline(never)]
pub(super) fn run<P: Platform, M: Machine>(
    state: &State<P>,
    machine: &mut M,
    slot: Slot,
    call: &DomainQuery,
) -> Result<u64, Error> {
    let domain = state.domain(slot);
    if call.domain != DomainId::SELF && call.domain != domain.id {
        return Err(Error::NotPermitted);
    }
    let info = DomainInfo {
        domain: domain.id,
        reserved: [0; 3],
        frames: domain.frames,
        max_frames: domain.max_frames,
        table_frames: domain.tables,
        pinned_tables: domain.pinned,
        grants: domain.grants.len() as u64,
        handles: domain.handles.len() as u64,
        ports: domain.ports.len() as u64,
        calls: state.total_calls(slot),
        refusals: domain.counters.total_refusals(),
        traps: domain.counters.traps,
        target_frames: domain.balloon.target_frames,
        reported_frames: domain.balloon.reported_frames,
    };
    machine.copy_in(state.vcpu(slot).arguments, 0, info.as_bytes());
    Ok(0)
}
