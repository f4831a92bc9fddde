//! I20, I21 and I32: grants, handles and ports.

use super::{Audit, Truth, domain_violation, frame_violation};
use crate::domain::Domain;
use crate::event::PortState;
use crate::grant::{Grant, Handle};
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{GrantRef, Port};

/// I20: a grant is of its granter's own frame, and is mapped exactly when its grantee has a
/// handle on it; the handle does not go beyond it, and is not without it while the granter
/// runs.
pub(super) fn i20_grant_pins<P: Platform>(state: &State<P>) -> Audit {
    for (_, domain) in state.domains() {
        for (number, grant) in domain.grants.iter() {
            i20_grant(state, domain, number, grant)?;
        }
        if domain.grants.iter().count() != domain.grants.len() {
            return Err(domain_violation(20, "it does not give the grants it counts", domain.id));
        }
        for (_, handle) in domain.handles.iter() {
            let granter = state.domain_of(handle.granter).filter(|granter| granter.is_running());
            // A granter that ends takes its grants back; the handle keeps the frame.
            let given = granter.is_none_or(|granter| {
                granter.grants.get(handle.grant).is_ok_and(|grant| {
                    grant.mapped && grant.grantee == domain.id && grant.frame == handle.frame
                })
            });
            if !given {
                return Err(frame_violation(20, "a handle is without its grant", handle.frame));
            }
        }
    }
    Ok(())
}

fn i20_grant<P: Platform>(
    state: &State<P>,
    granter: &Domain,
    number: GrantRef,
    grant: &Grant,
) -> Audit {
    if state.frames.owned_by(grant.frame, granter.id).is_err() {
        return Err(frame_violation(20, "a grant is of a frame of another", grant.frame));
    }
    let handle = state.domain_of(grant.grantee).and_then(|grantee| {
        let on_it = |handle: &Handle| handle.granter == granter.id && handle.grant == number;
        grantee.handles.iter().map(|(_, handle)| handle).find(|handle| on_it(handle))
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
    Ok(())
}

/// I21: every entry that names a foreign frame is counted by exactly one handle, which permits
/// it, and every handle counts its entries and is on a frame of its granter's.
pub(super) fn i21_handles_and_entries<P: Platform>(state: &State<P>, truth: &Truth) -> Audit {
    for entry in &truth.foreign {
        let Some(domain) = state.domain_of(entry.domain) else { continue };
        let mut handles = domain.handles.iter().filter(|(_, handle)| handle.frame == entry.frame);
        let (Some((_, handle)), None) = (handles.next(), handles.next()) else {
            let what = "a foreign frame is mapped without one handle";
            return Err(frame_violation(21, what, entry.frame));
        };
        if entry.writable && handle.access == Access::Read {
            return Err(frame_violation(21, "an entry goes beyond its handle", entry.frame));
        }
    }
    for (_, domain) in state.domains() {
        for (_, handle) in domain.handles.iter() {
            let of_it = truth
                .foreign
                .iter()
                .filter(|entry| (entry.domain, entry.frame) == (domain.id, handle.frame));
            if of_it.count() != handle.entries as usize {
                return Err(frame_violation(21, "a handle miscounts its entries", handle.frame));
            }
            if state.frames.owned_by(handle.frame, handle.granter).is_err() {
                let what = "a handle is on a frame that is not its granter's";
                return Err(frame_violation(21, what, handle.frame));
            }
        }
        let live = domain.handles.iter().count();
        if live != domain.handles.len() || !domain.handles.is_index_exact() {
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
