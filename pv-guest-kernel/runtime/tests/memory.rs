//! The map and the page allocator against plain models of them.

use hypercall_abi::{Mfn, Pfn};
use proptest::prelude::*;
use pv_guest::{
    p2m::{MapConflict, P2m},
    pages::{NotTaken, PageAllocator},
};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Change {
    Hole(u64),
    Fill(u64, u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u64..70).prop_map(Change::Hole),
        (0u64..70, 0u64..90).prop_map(|(page, frame)| Change::Fill(page, frame)),
    ]
}

proptest! {
    #[test]
    fn the_map_and_its_inverse_agree(
        frames in prop::collection::btree_set(0u64..90, 1..64),
        spread in 1u64..1 << 33,
        changes in prop::collection::vec(change(), 0..200),
    ) {
        let mut slots: Vec<Mfn> = frames.iter().map(|n| Mfn(n * spread)).collect();
        let mut model: Vec<Option<Mfn>> = slots.iter().copied().map(Some).collect();
        let mut index = vec![0; P2m::index_slots(slots.len() as u64)];
        let mut map = P2m::new(&mut slots, &mut index).unwrap();
        for change in changes {
            match change {
                Change::Hole(page) => {
                    let expected = match model.get_mut(page as usize) {
                        None => Err(MapConflict::NoPage(Pfn(page))),
                        Some(slot) => slot.take().ok_or(MapConflict::Hole(Pfn(page))),
                    };
                    prop_assert_eq!(map.make_hole(Pfn(page)), expected);
                }
                Change::Fill(page, frame) => {
                    let frame = Mfn(frame * spread);
                    let expected = match model.get(page as usize) {
                        None => Err(MapConflict::NoPage(Pfn(page))),
                        Some(Some(_)) => Err(MapConflict::Backed(Pfn(page))),
                        Some(None) if model.contains(&Some(frame)) => {
                            Err(MapConflict::Used(frame))
                        }
                        Some(None) => {
                            model[page as usize] = Some(frame);
                            Ok(())
                        }
                    };
                    prop_assert_eq!(map.fill_hole(Pfn(page), frame), expected);
                }
            }
            for number in 0..90 {
                let frame = Mfn(number * spread);
                let page = model.iter().position(|slot| *slot == Some(frame));
                prop_assert_eq!(map.page_of(frame), page.map(|page| Pfn(page as u64)));
            }
            for (page, frame) in model.iter().enumerate() {
                prop_assert_eq!(map.frame_of(Pfn(page as u64)), *frame);
            }
            let hole = model.iter().position(Option::is_none);
            prop_assert_eq!(map.first_hole(), hole.map(|page| Pfn(page as u64)));
            prop_assert_eq!(map.holes(), model.iter().filter(|slot| slot.is_none()).count() as u64);
        }
        let in_runs: u64 = map.runs().map(|(_, _, pages)| pages).sum();
        prop_assert_eq!(in_runs + map.holes(), map.pages());
    }

    #[test]
    fn the_allocator_gives_each_page_once(
        pages in 1u64..300,
        actions in prop::collection::vec((0u8..4, 0u64..320), 0..300),
    ) {
        let mut words = vec![!0; PageAllocator::words_for(pages)];
        let mut allocator = PageAllocator::new(&mut words, pages);
        let mut free = BTreeSet::new();
        for (action, number) in actions {
            match action {
                0 => {
                    let page = allocator.take();
                    prop_assert_eq!(page, free.pop_first());
                }
                1 => {
                    let page = Pfn(number);
                    let fits = number < pages && !free.contains(&page);
                    let expected = if fits { Ok(()) } else { Err(NotTaken(page)) };
                    prop_assert_eq!(allocator.give(page), expected);
                    if fits {
                        free.insert(page);
                    }
                }
                2 => {
                    let mut taken = Vec::new();
                    allocator.take_all_but(number, |page| taken.push(page));
                    let mut expected = Vec::new();
                    while free.len() as u64 > number {
                        expected.extend(free.pop_last());
                    }
                    prop_assert_eq!(taken, expected);
                }
                _ => {
                    let count = number % 8;
                    let first = (0..pages).map(Pfn).find(|first| {
                        count > 0 && (0..count).all(|n| free.contains(&Pfn(first.0 + n)))
                    });
                    prop_assert_eq!(allocator.take_contiguous(count), first);
                    if let Some(first) = first {
                        (0..count).for_each(|n| { free.remove(&Pfn(first.0 + n)); });
                    }
                }
            }
            prop_assert_eq!(allocator.free_pages(), free.len() as u64);
        }
    }
}

#[test]
fn a_map_that_names_a_frame_twice_is_refused() {
    let mut slots = [Mfn(5), Mfn(6), Mfn(5)];
    let mut index = [0; P2m::index_slots(3)];
    assert_eq!(P2m::new(&mut slots, &mut index).unwrap_err(), MapConflict::Used(Mfn(5)));
    let mut slots = [Mfn(1 << 40)];
    let mut index = [0; P2m::index_slots(1)];
    let error = P2m::new(&mut slots, &mut index).unwrap_err();
    assert_eq!(error, MapConflict::BadFrame(Mfn(1 << 40)));
}

#[test]
fn runs_are_where_both_numbers_rise_together() {
    let mut slots = [Mfn(7), Mfn(8), Mfn(3), Mfn::NONE, Mfn(4), Mfn(5)];
    let mut index = [0; P2m::index_slots(6)];
    let map = P2m::new(&mut slots, &mut index).unwrap();
    let runs: Vec<_> = map.runs().collect();
    assert_eq!(runs, [(Pfn(0), Mfn(7), 2), (Pfn(2), Mfn(3), 1), (Pfn(4), Mfn(4), 2)]);
}
