//! Faults that I51 sees, and what other invariants see of frames that keep pages.

use super::{OWN, PEER, RO, Scene, leaf, speaks};
use crate::audit::mutations::common::World;
use crate::frame::Frame;
use crate::platform::X86_64;
use crate::spare::RecordIndex;
use hypercall_abi::calls::SparePut;
use hypercall_abi::calls::spare_put::SpareName;
use hypercall_abi::{DomainId, Mfn};

const FIRST: SpareName = SpareName { object: 1, index: 1 };
const SECOND: SpareName = SpareName { object: 1, index: 2 };

/// Keeps three pages: two of the first domain, one of the peer.
pub(super) fn keep_pages(world: &mut World<X86_64>) {
    assert!(world.state.enable_spare(64, [1, 2]));
    for (domain, name) in [(OWN, FIRST), (PEER, FIRST), (OWN, SECOND)] {
        let frame = world.p2m(domain, 79);
        assert_eq!(world.call(domain, &SparePut { frame, name }), Ok(1));
    }
}

impl Scene {
    fn record(&self, domain: u16, name: SpareName) -> RecordIndex {
        self.world.state.frames.kept.find(DomainId(domain), name).unwrap()
    }

    fn keeper(&self, record: RecordIndex) -> Mfn {
        self.find(|frame| matches!(frame, Frame::Spare { record: found, .. } if *found == record))
    }
}

#[test]
fn i51_a_record_names_a_frame_that_keeps_another_page() {
    speaks([51], |scene| {
        let (first, second) = (scene.record(1, FIRST), scene.record(1, SECOND));
        let kept = &mut scene.world.state.frames.kept;
        let frame = kept.get(second).unwrap().frame;
        kept.corrupt(first).as_mut().unwrap().frame = frame;
    });
}

#[test]
fn i51_a_page_has_a_name_that_leads_elsewhere() {
    speaks([51], |scene| {
        let first = scene.record(1, FIRST);
        let kept = &mut scene.world.state.frames.kept;
        // Some names lead to the same set.
        for object in 2.. {
            let name = SpareName { object, index: 1 };
            kept.corrupt(first).as_mut().unwrap().name = name;
            if kept.find(DomainId(1), name).is_none() {
                break;
            }
        }
    });
}

#[test]
fn i51_two_records_have_one_name() {
    speaks([51], |scene| {
        let second = scene.record(1, SECOND);
        scene.world.state.frames.kept.corrupt(second).as_mut().unwrap().name = FIRST;
    });
}

#[test]
fn i51_a_page_of_a_domain_that_is_gone() {
    speaks([51], |scene| {
        let first = scene.record(1, FIRST);
        scene.world.state.frames.kept.corrupt(first).as_mut().unwrap().domain = DomainId(77);
    });
}

#[test]
fn i51_a_record_is_lost() {
    speaks([51], |scene| {
        let first = scene.record(1, FIRST);
        *scene.world.state.frames.kept.corrupt(first) = None;
    });
}

#[test]
fn i51_a_domain_keeps_more_than_is_counted() {
    speaks([51], |scene| *scene.world.state.frames.kept.corrupt_held(DomainId(2)) = 0);
    speaks([51], |scene| *scene.world.state.frames.corrupt_queue_length() += 1);
}

#[test]
fn i51_the_queue_is_broken() {
    speaks([51], |scene| {
        let second = scene.keeper(scene.record(1, SECOND));
        if let Frame::Spare { previous, .. } = scene.world.state.frames.corrupt(second) {
            *previous = None;
        }
    });
    speaks([51], |scene| {
        let first = scene.keeper(scene.record(1, FIRST));
        if let Frame::Spare { next, .. } = scene.world.state.frames.corrupt(first) {
            *next = None;
        }
    });
}

#[test]
fn i2_an_entry_maps_a_frame_that_keeps_a_page() {
    // The entry is no valid entry either.
    speaks([2, 9], |scene| {
        let keeper = scene.keeper(scene.record(1, FIRST));
        let table = scene.table;
        scene.poke(table, 10, leaf(keeper, RO));
    });
}

#[test]
fn i1_a_frame_that_keeps_a_page_is_lost() {
    speaks([1, 51], |scene| {
        let keeper = scene.keeper(scene.record(1, FIRST));
        *scene.world.state.frames.corrupt(keeper) = Frame::Hypervisor;
    });
}
