//! I20, I21, I32 and I33: grants, handles, ports and interface frames.

use super::{Audit, Truth, domain_violation, frame_violation};
use crate::event::PortState;
use crate::frame::Type;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Port};

/// I20: a grant is mapped exactly when its grantee has a handle on it, and the handle does not
/// go beyond it.
pub(super) fn i20_grant_pins<P: Platform>(state: &State<P>) -> Audit {
    for (_, domain) in state.domains() {
        for (number, grant) in domain.grants.iter() {
            let handle = state.domain_of(grant.grantee).and_then(|grantee| {
                let matches = |handle: &crate::grant::Handle| {
                    handle.granter == domain.id && handle.grant == number
                };
                grantee.handles.iter().find(|(_, handle)| matches(handle)).map(|(_, found)| found)
            });
            if handle.is_some() != grant.mapped {
                return Err(frame_violation(20, "a grant and its handle disagree", grant.frame));
            }
            let exceeds = handle.is_some_and(|handle| {
                handle.frame != grant.frame
                    || (handle.access == Access::ReadWrite && grant.access == Access::Read)
            });
            if exceeds {
                return Err(frame_violation(20, "a handle goes beyond its grant", grant.frame));
            }
        }
        if domain.grants.iter().count() != domain.grants.len() {
            return Err(domain_violation(20, "it does not give the grants it counts", domain.id));
        }
    }
    Ok(())
}

/// I21: every entry that names a foreign frame is counted by exactly one handle, and every
/// handle counts its entries.
pub(super) fn i21_handles_and_entries<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for (domain, frame) in &truth.foreign {
        let handles = state.domain_of(*domain).map_or(0, |domain| {
            domain.handles.iter().filter(|(_, handle)| handle.frame == *frame).count()
        });
        if handles != 1 {
            return Err(frame_violation(21, "a foreign frame is mapped without a handle", *frame));
        }
    }
    for (_, domain) in state.domains() {
        for (_, handle) in domain.handles.iter() {
            let same = |entry: &&(DomainId, _)| **entry == (domain.id, handle.frame);
            if truth.foreign.iter().filter(same).count() != handle.entries as usize {
                return Err(frame_violation(21, "a handle miscounts its entries", handle.frame));
            }
        }
        if domain.handles.iter().count() != domain.handles.len() {
            return Err(domain_violation(21, "it has not the handles it counts", domain.id));
        }
    }
    Ok(())
}

/// I32: channels are mutual, unless the other end's domain is gone.
pub(super) fn i32_port_table<P: Platform>(state: &State<P>) -> Audit {
    for (_, domain) in state.domains() {
        for (port, end) in domain.ports.iter() {
            let PortState::Bound(other, other_port) = end else { continue };
            let Some(other) = state.domain_of(other).filter(|other| other.is_running()) else {
                continue;
            };
            let mutual = PortState::Bound(domain.id, port);
            if domain.is_running() && other.ports.get(other_port) != Ok(mutual) {
                return Err(domain_violation(32, "a channel has only one end", domain.id));
            }
        }
        let well_known = [Port::TIMER, Port::CONSOLE, Port::BALLOON];
        if well_known.iter().any(|port| domain.ports.get(*port) != Ok(PortState::WellKnown)) {
            return Err(domain_violation(32, "a well-known port is not open", domain.id));
        }
        if domain.ports.iter().count() != domain.ports.len() {
            return Err(domain_violation(32, "it has not the ports it counts", domain.id));
        }
    }
    Ok(())
}

/// I33: the frames that the hypervisor writes for a vCPU are its domain's, and held writable.
pub(super) fn i33_interface_frames<P: Platform>(state: &State<P>) -> Audit {
    for (slot, vcpu) in state.vcpus() {
        let id = state.domain(slot).id;
        for frame in [vcpu.page, vcpu.arguments] {
            let held =
                state.frames.owned_by(frame, id).is_ok_and(|owned| owned.kind == Type::Writable);
            if !held {
                return Err(frame_violation(33, "an interface frame is not held", frame));
            }
        }
    }
    Ok(())
}
