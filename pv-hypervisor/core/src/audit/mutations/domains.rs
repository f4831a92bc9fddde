//! Faults that I45, I46 and I48 see.

use super::{ENDING, LINGERING, OWN, PEER, speaks};
use crate::domain::CONSOLE_INPUT_BYTES;
use crate::event::{MAX_PORTS, PortState};
use crate::vcpu::{RunState, Vcpu};
use hypercall_abi::{DomainId, Port};

/// A domain that there is not.
const GONE: DomainId = DomainId(99);

#[test]
fn i45_a_domain_has_more_than_its_quota() {
    speaks([45], |scene| {
        let input = &mut scene.domain(OWN).console_input;
        input.extend(core::iter::repeat_n(0, CONSOLE_INPUT_BYTES + 1));
    });
    speaks([45], |scene| {
        let ports = &mut scene.domain(OWN).ports;
        let first = ports.iter().last().unwrap().0.0 + 1;
        for port in first..=MAX_PORTS as u32 {
            ports.set(Port(port), PortState::Unbound(DomainId(2)));
        }
    });
}

#[test]
fn i45_a_domain_has_more_tables_than_frames() {
    speaks([5, 45], |scene| {
        let domain = scene.domain(OWN);
        domain.tables = domain.frames + 1;
    });
}

#[test]
fn i46_domains_that_end_are_miscounted() {
    speaks([46], |scene| scene.world.state.ending += 1);
}

#[test]
fn i46_a_domain_that_ends_runs() {
    speaks([46], |scene| {
        let slot = scene.slot(ENDING);
        scene.vcpu(ENDING).state = RunState::Runnable;
        scene.world.state.scheduler.enqueue(slot);
    });
}

#[test]
fn i46_a_domain_runs_without_a_vcpu() {
    // What the vCPU held is counted and not held.
    speaks([3, 4, 11, 46], |scene| {
        let slot = scene.slot(PEER);
        scene.world.state.scheduler.remove(slot);
        scene.world.state.vcpus[slot.index()] = None;
    });
}

#[test]
fn i46_a_vcpu_outlives_its_domain() {
    // Its frames, which are another's, are held once more than they are counted.
    speaks([3, 4, 46], |scene| {
        let vcpu = scene.vcpu(PEER).clone();
        scene.world.state.vcpus[100] = Some(Vcpu { state: RunState::Stopped, ..vcpu });
        scene.world.state.used_slots = 101;
    });
}

#[test]
fn i46_a_domain_that_is_gone_is_named() {
    speaks([46], |scene| {
        let number = scene.grants[2];
        scene.domain(PEER).grants.get_mut(number).unwrap().grantee = GONE;
    });
    speaks([46], |scene| {
        let port = scene.unbound;
        scene.domain(OWN).ports.set(port, PortState::Unbound(GONE));
    });
    speaks([46], |scene| {
        let port = scene.unbound;
        scene.domain(OWN).ports.set(port, PortState::Bound(GONE, Port(4)));
    });
    speaks([21, 46], |scene| {
        let left = scene.left;
        scene.domain(OWN).handles.of_frame(left).unwrap().granter = GONE;
    });
}

#[test]
fn i46_a_domain_lingers_for_nothing() {
    speaks([3, 46], |scene| scene.owned(scene.left).references = 1);
    speaks([46], |scene| {
        scene.domain(LINGERING).ports.set(Port(4), PortState::Unbound(DomainId(2)));
    });
}

#[test]
fn i48_a_slot_with_a_domain_is_said_to_be_unused() {
    // What it left with others has no end that could be found.
    speaks([46, 48], |scene| scene.world.state.used_slots = LINGERING);
}

#[test]
fn i48_an_identity_is_not_the_one_given_last() {
    speaks([48], |scene| {
        let slot = scene.slot(OWN);
        scene.world.state.identities[slot.index()] = Some(DomainId(129));
    });
}
