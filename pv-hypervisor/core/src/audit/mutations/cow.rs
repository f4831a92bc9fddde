//! Faults that I25 and I26 see, and what I3, I5 and I16 see of pages that share a frame.

use super::{OWN, PEER, Scene, speaks};
use crate::audit::mutations::common::World;
use crate::format::{Format, X86_64 as Layout};
use crate::frame::{Frame, Shared};
use crate::machine::Machine;
use crate::platform::X86_64;
use crate::share::{Backing, EntryPlace, PageName, Side};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::calls::{P2mRegister, ShareAdvise};
use hypercall_abi::{DomainId, Mfn, Pfn};

const PAGE: Pfn = Pfn(86);

/// Makes page 86 of the first domain and of its peer share a frame.
pub(super) fn share_a_page(world: &mut World<X86_64>) -> Mfn {
    assert!(world.state.enable_sharing(10, 0));
    for domain in [OWN, PEER] {
        let slot = world.slots[domain];
        world.state.set_sharing_group(slot, 1);
        let (arguments, map) = (world.state.vcpu(slot).arguments, world.p2m(domain, 3));
        world.machine.write(arguments, 0, map.0);
        world.call(domain, &P2mRegister { count: 1 }).unwrap();
        let advise = ShareAdvise { first: PAGE, count: 1, advice: Advice::Share, content: 0 };
        world.call(domain, &advise).unwrap();
    }
    let name = |domain| PageName { domain: DomainId(domain), page: PAGE };
    assert!(world.state.want_merge(&world.machine, Side::Page(name(1)), name(2)));
    while world.state.merge_step(&mut world.machine) {}
    assert_eq!(world.state.sharing.counters.merged, 1);
    world.p2m(OWN, PAGE.0)
}

impl Scene {
    fn shared(&mut self) -> &mut Shared {
        let shared = self.shared;
        match self.world.state.frames.corrupt(shared) {
            Frame::Shared(shared) => shared,
            other => panic!("{other:?}"),
        }
    }

    /// The entry that maps the shared page in the first domain's map of memory.
    fn shared_entry(&self) -> (EntryPlace, u64) {
        let records = &self.world.state.sharing.records;
        let page = records.find_page(self.slot(OWN), PAGE).unwrap();
        let place = records.entries_of(page).next().unwrap().place;
        (place, self.world.machine.read(place.table, place.index.into()))
    }
}

#[test]
fn i25_a_shared_frame_is_mapped_writable() {
    speaks([25], |scene| {
        let (place, value) = scene.shared_entry();
        scene.poke(place.table, place.index.into(), value | Layout::WRITE);
    });
}

#[test]
fn i25_a_frame_miscounts_its_pages() {
    speaks([25], |scene| scene.shared().sharers += 1);
}

#[test]
fn i3_a_shared_frame_miscounts_its_entries() {
    speaks([3], |scene| scene.shared().entries += 1);
}

#[test]
fn i25_an_entry_has_no_record() {
    speaks([25], |scene| {
        let (place, _) = scene.shared_entry();
        let records = &mut scene.world.state.sharing.records;
        let (index, _) = records.find_entry(place).unwrap();
        records.remove_entry(index);
    });
}

#[test]
fn i25_a_record_is_of_no_entry() {
    speaks([3, 25], |scene| {
        let (place, _) = scene.shared_entry();
        scene.poke(place.table, place.index.into(), 0);
    });
    speaks([25], |scene| {
        let (place, _) = scene.shared_entry();
        let records = &mut scene.world.state.sharing.records;
        let (index, _) = records.find_entry(place).unwrap();
        records.corrupt_entry(index).place.index += 1;
    });
}

#[test]
fn i25_the_list_of_a_pages_entries_is_torn() {
    speaks([25], |scene| {
        let (place, _) = scene.shared_entry();
        let records = &mut scene.world.state.sharing.records;
        let (index, _) = records.find_entry(place).unwrap();
        records.corrupt_link(index);
    });
}

#[test]
fn i25_it_backs_a_page_of_another_group() {
    speaks([25], |scene| scene.domain(PEER).movable.group = 2);
}

#[test]
fn i25_a_page_shares_what_is_no_shared_frame() {
    speaks([25], |scene| {
        let (slot, spare) = (scene.slot(OWN), scene.spare);
        let records = &mut scene.world.state.sharing.records;
        let page = records.find_page(slot, PAGE).unwrap();
        records.corrupt_page(page).backing = Backing::Shared(spare);
    });
}

#[test]
fn i26_a_page_shares_two_frames() {
    speaks([26], |scene| {
        let slot = scene.slot(OWN);
        let records = &mut scene.world.state.sharing.records;
        let page = records.find_page(slot, PAGE).unwrap();
        records.corrupt_page(page).page += 1;
    });
}

#[test]
fn i26_shared_pages_are_miscounted() {
    speaks([26], |scene| scene.domain(OWN).movable.shared_pages += 1);
    speaks([5, 26], |scene| scene.domain(OWN).movable.shared_pages += 1000);
}

#[test]
fn i26_it_backs_a_page_that_has_no_slot() {
    // The frame of the map stays held.
    speaks([3, 4, 26], |scene| {
        scene.domain(OWN).movable.unregister();
    });
}

#[test]
fn i26_a_slot_lies_in_a_frame_of_another() {
    speaks([3, 4, 26], |scene| {
        let given = scene.given;
        scene.domain(OWN).movable.unregister();
        scene.domain(OWN).movable.register(given);
    });
}

#[test]
fn i16_a_shared_frame_is_cached_writable() {
    speaks([16], |scene| {
        let (root, shared) = (scene.tables()[0], scene.shared);
        scene.world.machine.corrupt_page(root, shared, true);
    });
}
