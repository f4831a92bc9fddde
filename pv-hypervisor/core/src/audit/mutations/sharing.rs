//! Faults that I20, I21 and I32 see.

use super::{OWN, PEER, RO, RW, Scene, leaf, speaks};
use crate::event::PortState;
use crate::grant::Grant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::{DomainId, Port};

fn grant(scene: &mut Scene, index: usize) -> &mut Grant {
    let number = scene.grants[index];
    scene.domain(PEER).grants.get_mut(number).unwrap()
}

#[test]
fn i20_a_grant_and_its_handle_disagree() {
    speaks([20], |scene| grant(scene, 0).mapped = false);
    speaks([20], |scene| grant(scene, 2).mapped = true);
}

#[test]
fn i20_a_grant_is_of_a_frame_of_another() {
    // It leaves a count behind on the frame that it was of.
    speaks([3, 20], |scene| grant(scene, 2).frame = scene.spare);
}

#[test]
fn i20_a_handle_goes_beyond_its_grant() {
    // A grant that does not permit writing holds no type.
    speaks([4, 20], |scene| grant(scene, 0).access = Access::Read);
}

#[test]
fn i20_a_grant_goes_under_its_handle() {
    speaks([3, 20], |scene| {
        let number = scene.grants[1];
        scene.domain(PEER).grants.remove(number);
    });
}

#[test]
fn i20_grants_are_miscounted() {
    speaks([20], |scene| *scene.domain(PEER).grants.corrupt_length() += 1);
}

#[test]
fn i21_a_handle_miscounts_its_entries() {
    speaks([21], |scene| {
        let given = scene.given;
        scene.domain(OWN).handles.of_frame(given).unwrap().entries += 1;
    });
}

#[test]
fn i21_a_foreign_frame_is_mapped_without_a_handle() {
    speaks([21], |scene| {
        scene.poke(scene.table, 100, leaf(scene.offered, RO));
        scene.owned(scene.offered).references += 1;
    });
}

#[test]
fn i21_an_entry_goes_beyond_its_handle() {
    // The frame is held writable by an entry, and not counted so.
    speaks([7, 21], |scene| scene.poke(scene.table, 2, leaf(scene.lent, RW)));
}

#[test]
fn i21_a_handle_is_of_another_granter() {
    speaks([20, 21], |scene| {
        let left = scene.left;
        scene.domain(OWN).handles.of_frame(left).unwrap().granter = DomainId(1);
    });
}

#[test]
fn i21_the_index_of_handles_is_wrong() {
    speaks([21], |scene| scene.domain(OWN).handles.corrupt_index().swap(0, 1));
    speaks([21], |scene| scene.domain(OWN).handles.corrupt_index()[0].1 += 1);
    speaks([21], |scene| {
        scene.domain(OWN).handles.corrupt_index().pop();
    });
}

#[test]
fn i32_a_channel_has_only_one_end() {
    speaks([32], |scene| {
        let port = scene.bound;
        scene.domain(OWN).ports.set(port, PortState::Unbound(DomainId(2)));
    });
}

#[test]
fn i32_two_ports_claim_one_end() {
    speaks([32], |scene| {
        let (bound, port) = (scene.bound, scene.unbound);
        let end = scene.domain(OWN).ports.get(bound).unwrap();
        scene.domain(OWN).ports.set(port, end);
    });
}

#[test]
fn i32_a_well_known_port_is_closed() {
    speaks([32], |scene| scene.domain(OWN).ports.set(Port::TIMER, PortState::Closed));
}

#[test]
fn i32_ports_are_miscounted() {
    speaks([32], |scene| *scene.domain(OWN).ports.corrupt_length() -= 1);
}
