//! I34, I45, I46 and I48: vCPUs and domains as a whole.

use super::{Audit, domain_violation};
use crate::domain::Slot;
use crate::event::MAX_PORTS;
use crate::grant::{MAX_GRANTS, MAX_HANDLES};
use crate::platform::Platform;
use crate::state::State;
use crate::vcpu::RunState;

/// I34: a vCPU waits for the processor exactly when it is runnable and has it not, once.
pub(super) fn i34_no_lost_wakeup<P: Platform>(state: &State<P>) -> Audit {
    for (slot, vcpu) in state.vcpus() {
        let waiting = state.scheduler.waiting().filter(|waiting| *waiting == slot).count();
        let has_it = usize::from(state.scheduler.current() == Some(slot));
        let agrees = match vcpu.state {
            RunState::Runnable => waiting + has_it == 1,
            // It may hold the processor until the next look of the scheduler.
            RunState::Blocked | RunState::Stopped => waiting == 0,
        };
        if !agrees {
            let domain = state.domain(slot).id;
            return Err(domain_violation(34, "its vCPU is runnable and never runs", domain));
        }
    }
    Ok(())
}

/// I45: no domain holds more of anything than its quota.
pub(super) fn i45_quotas<P: Platform>(state: &State<P>) -> Audit {
    for (_, domain) in state.domains() {
        let within = domain.grants.len() <= MAX_GRANTS
            && domain.handles.len() <= MAX_HANDLES
            && domain.ports.len() < MAX_PORTS
            && domain.tables <= domain.frames;
        if !within {
            return Err(domain_violation(45, "it holds more than its quota", domain.id));
        }
    }
    Ok(())
}

/// I46: a domain that ends does not run, and nothing that is gone is named.
pub(super) fn i46_teardown<P: Platform>(state: &State<P>) -> Audit {
    let mut ending = 0;
    for (slot, domain) in state.domains() {
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
    }
    if ending != state.ending {
        let domain = hypercall_abi::DomainId(0);
        return Err(domain_violation(46, "domains that end are miscounted", domain));
    }
    for (slot, _) in state.vcpus() {
        if !state.domains().any(|(found, _)| found == slot) {
            let domain = hypercall_abi::DomainId(slot.0);
            return Err(domain_violation(46, "a vCPU has outlived its domain", domain));
        }
    }
    Ok(())
}

/// I48: a domain sits in the slot that its identity names, under the identity given last.
pub(super) fn i48_generations<P: Platform>(state: &State<P>) -> Audit {
    for (slot, domain) in state.domains() {
        let last = state.identities[slot.index()];
        if Slot::of(domain.id) != Some(slot) || last != Some(domain.id) {
            return Err(domain_violation(48, "its identity is not the one given last", domain.id));
        }
    }
    Ok(())
}
