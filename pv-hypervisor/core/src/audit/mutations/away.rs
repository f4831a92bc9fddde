//! Faults that I50 sees, and what I14 and I25 see of pages that are away.

use super::{OWN, Scene, speaks};
use crate::audit::mutations::common::World;
use crate::format::{Format, X86_64 as Layout};
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::X86_64;
use crate::share::{Away, Backing, EntryPlace, PageIndex, PageName};
use hypercall_abi::calls::ShareAdvise;
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::{DomainId, Mfn, Pfn};

/// Pages of the first domain that are away: compressed, and on the swap device.
const PACKED: [Pfn; 2] = [Pfn(88), Pfn(89)];
const SWAPPED: [Pfn; 2] = [Pfn(90), Pfn(91)];

/// Puts pages of the first domain away.
pub(super) fn put_pages_away(world: &mut World<X86_64>) {
    world.machine.swap_pages = 10;
    assert!(world.state.enable_reclaim(1 << 14, 10, 1));
    let advise = ShareAdvise { first: PACKED[0], count: 4, advice: Advice::Share, content: 0 };
    world.call(OWN, &advise).unwrap();
    for page in PACKED.iter().chain(&SWAPPED) {
        let frame = world.p2m(OWN, page.0);
        for word in 0..FRAME_WORDS {
            // Squares of large odd numbers do not compress.
            let noise = (word as u64 | 1 << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let value = if PACKED.contains(page) { page.0 } else { noise.wrapping_mul(noise) };
            world.machine.write(frame, word, value);
        }
    }
    // The first time the accessed bits, which the builder set, are cleared.
    for _ in 0..2 {
        for page in PACKED.iter().chain(&SWAPPED) {
            world.state.want_away(&world.machine, PageName { domain: DomainId(1), page: *page });
        }
        while world.state.merge_step(&mut world.machine) {}
    }
    while world.state.reclaim_step(&mut world.machine) {}
    let counters = world.state.reclaim.counters;
    assert_eq!((counters.compressed, counters.swapped), (2, 2));
    world.audit();
}

impl Scene {
    fn away(&self, page: Pfn) -> PageIndex {
        self.world.state.sharing.records.find_page(self.slot(OWN), page).unwrap()
    }

    fn set_backing(&mut self, page: Pfn, backing: Backing) {
        let index = self.away(page);
        self.world.state.sharing.records.set_backing(index, backing);
    }

    fn backing(&self, page: Pfn) -> Backing {
        self.world.state.sharing.records.page(self.away(page)).backing
    }

    /// The entry of a page that is away, in the first domain's map of memory.
    fn away_entry(&self) -> (EntryPlace, u64) {
        let mut entries = self.world.state.sharing.records.entries_of(self.away(PACKED[0]));
        let place = entries.next().unwrap().place;
        (place, self.world.machine.read(place.table, place.index.into()))
    }
}

#[test]
fn i50_a_page_that_is_away_is_mapped() {
    // The frame that it maps has one reference more than it counts.
    speaks([3, 50], |scene| {
        let (place, value) = scene.away_entry();
        let spare = scene.spare;
        scene.poke(place.table, place.index.into(), Layout::back(value, spare));
    });
}

#[test]
fn i50_a_mark_has_no_record() {
    speaks([50], |scene| {
        let (place, value) = scene.away_entry();
        scene.poke(place.table, usize::from(place.index) | 0x100, value);
    });
    speaks([50], |scene| {
        let (place, _) = scene.away_entry();
        let records = &mut scene.world.state.sharing.records;
        let (index, _) = records.find_entry(place).unwrap();
        records.corrupt_entry(index).place.index += 40;
    });
}

#[test]
fn i14_a_mark_names_a_frame() {
    speaks([14], |scene| {
        let (place, value) = scene.away_entry();
        scene.poke(place.table, place.index.into(), Layout::with_frame(value, Mfn(0x200)));
    });
}

#[test]
fn i50_two_pages_have_one_parcel() {
    speaks([50], |scene| {
        let other = scene.backing(PACKED[1]);
        scene.set_backing(PACKED[0], other);
    });
}

#[test]
fn i50_a_parcel_is_lost() {
    speaks([50], |scene| scene.set_backing(PACKED[0], Backing::Away(Away::Zeros)));
}

#[test]
fn i50_two_pages_have_one_place_of_swap() {
    speaks([50], |scene| {
        let other = scene.backing(SWAPPED[1]);
        scene.set_backing(SWAPPED[0], other);
    });
}

#[test]
fn i50_a_place_of_swap_is_lost() {
    speaks([50], |scene| scene.set_backing(SWAPPED[0], Backing::Away(Away::Zeros)));
}

#[test]
fn i25_a_page_that_is_away_is_in_no_shared_frame() {
    speaks([25, 50], |scene| {
        let spare = scene.spare;
        scene.set_backing(SWAPPED[0], Backing::Away(Away::Frame(spare)));
    });
}

#[test]
fn i50_a_page_is_written_where_another_is() {
    speaks([50], |scene| {
        let Backing::Away(Away::Swapped(place)) = scene.backing(SWAPPED[0]) else { panic!() };
        let (spare, name) = (scene.spare, PageName { domain: DomainId(1), page: PACKED[0] });
        scene.world.state.reclaim.corrupt_writing(name, spare, place);
    });
}

#[test]
fn i50_what_is_being_read_is_of_no_page() {
    speaks([50], |scene| {
        let Backing::Away(Away::Swapped(place)) = scene.backing(SWAPPED[0]) else { panic!() };
        let index = scene.away(SWAPPED[0]);
        scene.world.state.reclaim.corrupt_reading(index, place);
    });
}

#[test]
fn i50_a_page_waits_for_what_nobody_reads() {
    speaks([25, 50], |scene| {
        let Backing::Away(Away::Swapped(place)) = scene.backing(SWAPPED[0]) else { panic!() };
        let frame = scene.spare;
        scene.set_backing(SWAPPED[0], Backing::Away(Away::Reading { place, frame }));
    });
}
