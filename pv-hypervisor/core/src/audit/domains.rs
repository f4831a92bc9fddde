//! I45, I46 and I48: domains as a whole.

use super::{Audit, Violation, domain_violation, frame_violation};
use crate::domain::{CONSOLE_INPUT_BYTES, Domain, Life, NOBODY, Slot};
use crate::event::{MAX_PORTS, PortState};
use crate::frame::Frame;
use crate::grant::{MAX_GRANTS, MAX_HANDLES};
use crate::platform::Platform;
use crate::state::State;
use crate::teardown::Teardown;
use crate::vcpu::RunState;
use hypercall_abi::DomainId;

/// I45: no domain holds more of anything than its quota.
pub(super) fn i45_quotas<P: Platform>(state: &State<P>) -> Audit {
    for (_, domain) in state.domains() {
        let within = domain.grants.len() <= MAX_GRANTS
            && domain.handles.len() <= MAX_HANDLES
            && domain.ports.len() < MAX_PORTS
            && domain.console_input.len() <= CONSOLE_INPUT_BYTES
            && domain.tables <= domain.frames;
        if !within {
            return Err(domain_violation(45, "it holds more than its quota", domain.id));
        }
    }
    Ok(())
}

/// I46: a domain that ends does not run, what is gone is named by nothing, and what lingers
/// does so only for the frames that others have mapped.
pub(super) fn i46_teardown<P: Platform>(state: &State<P>) -> Audit {
    let mut ending = 0;
    for (slot, domain) in state.domains() {
        i46_names(state, domain)?;
        let vcpu = state.vcpus().find(|(found, _)| *found == slot).map(|(_, vcpu)| vcpu);
        if domain.is_running() {
            if vcpu.is_none() {
                return Err(domain_violation(46, "it runs without a vCPU", domain.id));
            }
            continue;
        }
        ending += 1;
        if vcpu.is_some_and(|vcpu| vcpu.state != RunState::Stopped) {
            return Err(domain_violation(46, "it ends and its vCPU runs", domain.id));
        }
        if matches!(&domain.life, Life::Ending { teardown: Teardown::Lingering, .. }) {
            i46_lingering(state, slot, domain)?;
        }
    }
    if ending != state.ending {
        return Err(domain_violation(46, "domains that end are miscounted", NOBODY));
    }
    for (slot, _) in state.vcpus() {
        if !state.domains().any(|(found, _)| found == slot) {
            let domain = DomainId(slot.0);
            return Err(domain_violation(46, "a vCPU has outlived its domain", domain));
        }
    }
    Ok(())
}

/// Every domain that a grant, a handle or a port names exists.
fn i46_names<P: Platform>(state: &State<P>, domain: &Domain) -> Audit {
    let is_gone = |id: DomainId| id != NOBODY && state.domain_of(id).is_none();
    let grantees = domain.grants.iter().map(|(_, grant)| grant.grantee);
    let granters = domain.handles.iter().map(|(_, handle)| handle.granter);
    let ends = domain.ports.iter().filter_map(|(_, port)| match port {
        PortState::Unbound(other) => Some(other),
        // An end whose domain ends too is closed by that domain's own teardown.
        PortState::Bound(other, _) => domain.is_running().then_some(other),
        PortState::Closed | PortState::WellKnown => None,
    });
    if grantees.chain(granters).chain(ends).any(is_gone) {
        return Err(domain_violation(46, "it names a domain that is gone", domain.id));
    }
    Ok(())
}

fn i46_lingering<P: Platform>(state: &State<P>, slot: Slot, domain: &Domain) -> Audit {
    let bare = state.vcpus().all(|(found, _)| found != slot)
        && domain.grants.is_empty()
        && domain.handles.is_empty()
        && domain.ports.first_dynamic().is_none();
    if !bare {
        return Err(domain_violation(46, "it lingers with more than frames", domain.id));
    }
    for (frame, entry) in state.frames.iter() {
        if let Frame::Owned(owned) = entry
            && owned.owner == domain.id
            && owned.is_unreferenced()
        {
            return Err(frame_violation(46, "it lingers though nobody has it mapped", frame));
        }
    }
    Ok(())
}

/// I48: a domain sits in the slot that its identity names, under the identity given last. Slots that are
/// said to be unused are empty: nothing else looks there.
pub(super) fn i48_generations<P: Platform>(state: &State<P>) -> Audit {
    let unused = state.used_slots..;
    if state.domains[unused.clone()].iter().any(Option::is_some)
        || state.vcpus[unused].iter().any(Option::is_some)
    {
        return Err(Violation {
            invariant: 48,
            what: "a slot that is not in use has a domain or a vCPU",
            frame: None,
            domain: None,
        });
    }
    for (slot, domain) in state.domains() {
        let last = state.identities[slot.index()];
        if Slot::of(domain.id) != Some(slot) || last != Some(domain.id) {
            return Err(domain_violation(48, "its identity is not the one given last", domain.id));
        }
    }
    Ok(())
}
