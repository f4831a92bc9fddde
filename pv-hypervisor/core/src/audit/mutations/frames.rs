//! Faults that I1 to I7, I17 and I27 see.

use super::{HYPERVISOR, OWN, RESERVED, RO, RW, leaf, speaks};
use crate::frame::{COUNT_MAX, Frame, Type};
use crate::machine::Machine;
use crate::tlb::Epoch;
use hypercall_abi::DomainId;

#[test]
fn i1_a_list_is_longer_than_it_says() {
    speaks([1], |scene| *scene.world.state.frames.corrupt_length(false) -= 1);
    speaks([1], |scene| *scene.world.state.frames.corrupt_length(true) -= 1);
}

#[test]
fn i1_a_frame_is_on_no_list() {
    speaks([1], |scene| {
        let frame = scene.find(|frame| *frame == Frame::Hypervisor);
        let lost = Frame::Dirty { next: None, previous: None, epoch: Epoch::NEVER };
        *scene.world.state.frames.corrupt(frame) = lost;
    });
}

#[test]
fn i1_a_list_holds_a_frame_of_another_state() {
    speaks([1], |scene| {
        let frame = scene.dirty();
        scene.world.machine.zero(frame);
        *scene.world.state.frames.corrupt(frame) = Frame::Free { next: None, previous: None };
    });
}

#[test]
fn i1_a_list_is_a_ring() {
    speaks([1], |scene| {
        let frames = &mut scene.world.state.frames;
        let head = frames.walk_list(false).next().unwrap();
        let last = frames.walk_list(false).last().unwrap();
        let ring = core::num::NonZeroU32::new((head.0 - frames.base().0) as u32 + 1);
        *frames.corrupt(last) = Frame::Dirty { next: ring, previous: None, epoch: Epoch::NEVER };
    });
}

#[test]
fn i1_a_list_is_another_backwards() {
    speaks([1], |scene| {
        let frames = &mut scene.world.state.frames;
        let second = frames.walk_list(false).nth(1).unwrap();
        let Frame::Dirty { previous, .. } = frames.corrupt(second) else { unreachable!() };
        *previous = None;
    });
}

#[test]
fn i1_a_block_is_miscounted_or_not_listed() {
    speaks([1], |scene| *scene.world.state.frames.corrupt_blocks().0 += 1);
    speaks([1], |scene| {
        *scene.world.state.frames.corrupt_blocks().1 = core::num::NonZeroU32::new(1);
    });
}

#[test]
fn i5_a_domain_has_reported_more_than_it_could_have_had() {
    speaks([5], |scene| {
        let domain = scene.domain(OWN);
        domain.balloon.reported_frames = domain.max_frames - domain.frames + 1;
    });
}

#[test]
fn i2_a_mapped_frame_is_given_back() {
    // The entry that still maps it is no valid entry any more.
    speaks([2, 9], |scene| {
        let frame = scene.writable;
        let owned = scene.owned(frame);
        (owned.kind, owned.type_count, owned.references) = (Type::None, 0, 1);
        scene.world.state.frames.release(frame);
        scene.domain(OWN).frames -= 1;
    });
}

#[test]
fn i3_a_reference_is_counted_twice_or_not() {
    speaks([3], |scene| scene.owned(scene.spare).references += 1);
    speaks([3], |scene| scene.owned(scene.read_only).references -= 1);
}

#[test]
fn i3_an_entry_goes_and_its_reference_stays() {
    speaks([3], |scene| scene.poke(scene.table, 0, 0));
    speaks([3, 4], |scene| {
        scene.poke(scene.table, 1, 0);
        // The handle's count is put right: only the frame's own are not.
        let given = scene.given;
        scene.domain(OWN).handles.of_frame(given).unwrap().entries -= 1;
    });
}

#[test]
fn i4_a_type_is_held_that_nothing_holds() {
    speaks([4], |scene| scene.owned(scene.writable).type_count += 1);
    speaks([4], |scene| scene.owned(scene.spare).type_count = 1);
    speaks([4], |scene| scene.owned(scene.empty).type_count += 1);
}

#[test]
fn i5_a_domain_miscounts_what_it_owns() {
    speaks([5], |scene| scene.domain(OWN).frames += 1);
    speaks([5], |scene| scene.domain(OWN).tables -= 1);
}

#[test]
fn i5_a_domain_owns_more_than_it_may() {
    speaks([5], |scene| {
        let domain = scene.domain(OWN);
        domain.max_frames = domain.frames - 1;
    });
}

#[test]
fn i5_an_owner_that_does_not_exist() {
    speaks([5], |scene| scene.owned(scene.spare).owner = DomainId(99));
}

#[test]
fn i6_a_count_passes_its_largest_value() {
    speaks([3, 6], |scene| scene.owned(scene.spare).references = COUNT_MAX + 1);
    speaks([6, 21], |scene| {
        let given = scene.given;
        scene.domain(OWN).handles.of_frame(given).unwrap().entries = COUNT_MAX + 1;
    });
}

#[test]
fn i7_a_page_table_is_mapped_writable() {
    speaks([7], |scene| {
        let table = scene.empty;
        scene.poke(scene.table, 100, leaf(table, RW));
        scene.owned(table).references += 1;
    });
}

#[test]
fn i7_a_frame_is_mapped_writable_and_not_counted_so() {
    speaks([7], |scene| {
        let owned = scene.owned(scene.writable);
        (owned.kind, owned.type_count) = (Type::None, 0);
    });
}

#[test]
fn i17_a_free_frame_is_not_scrubbed() {
    speaks([17], |scene| {
        let frame = scene.free();
        scene.poke(frame, 511, 1);
    });
}

#[test]
fn i17_a_free_frame_is_not_flushed() {
    speaks([17], |scene| {
        let (root, frame) = (scene.tables()[0], scene.free());
        scene.world.machine.corrupt_page(root, frame, false);
    });
}

#[test]
fn i27_a_frame_that_is_no_domains_is_mapped() {
    // The entry that maps it is no valid entry either.
    speaks([9, 27], |scene| scene.poke(scene.table, 100, leaf(HYPERVISOR, RO)));
    speaks([9, 27], |scene| scene.poke(scene.table, 100, leaf(RESERVED, RO)));
}
