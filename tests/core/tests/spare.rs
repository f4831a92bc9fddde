//! Pages in spare memory: what is put is found as long as nobody needs the memory, whoever needs it gets it
//! clean, and no domain sees what is another's.

use core_tests::World;
use hypercall_abi::calls::spare_put::SpareName;
use hypercall_abi::calls::{
    BalloonDeflate, BalloonInflate, SpareDrop, SpareGet, SparePut,
    pte_update::{Space, Target},
};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Error, Mfn};
use proptest::prelude::*;
use pv_core::format::{Format, Permissions};
use pv_core::frame::Frame;
use pv_core::{FRAME_WORDS, Machine, Platform, Riscv64Sv39, X86_64};

/// A page of each domain's that holds what is put, and one that what is got comes into.
const FROM: u64 = 60;
const TO: u64 = 61;

fn name(index: u64) -> SpareName {
    SpareName { object: 9, index }
}

/// So many domains, on a machine of 1,024 frames, with room for so many pages.
fn world<P: Platform>(domains: usize, pages: usize) -> World<P> {
    let mut world = World::new(domains, 96);
    assert!(world.state.enable_spare(pages, [5, 6]));
    world
}

/// What a page of that number holds in a word.
fn word_of(content: u64, word: usize) -> u64 {
    content << 32 | word as u64
}

fn fill<P: Platform>(world: &mut World<P>, frame: Mfn, content: u64) {
    (0..FRAME_WORDS).for_each(|word| world.machine.write(frame, word, word_of(content, word)));
}

fn holds<P: Platform>(world: &World<P>, frame: Mfn, content: u64) -> bool {
    (0..FRAME_WORDS).all(|word| world.machine.read(frame, word) == word_of(content, word))
}

/// Puts a page of that content under a name; whether it is kept.
fn put<P: Platform>(world: &mut World<P>, domain: usize, index: u64, content: u64) -> bool {
    let frame = world.p2m(domain, FROM);
    fill(world, frame, content);
    let kept = world.call(domain, &SparePut { frame, name: name(index) }).unwrap();
    assert!(holds(world, frame, content), "the page that was put has changed");
    kept == 1
}

/// Asks for a page: its content's number, if it is there.
fn get<P: Platform>(world: &mut World<P>, domain: usize, index: u64) -> Option<u64> {
    const NOTHING: u64 = 0xffff;
    let frame = world.p2m(domain, TO);
    fill(world, frame, NOTHING);
    let found = world.call(domain, &SpareGet { frame, name: name(index) }).unwrap();
    let content = world.machine.read(frame, 0) >> 32;
    assert!(holds(world, frame, content), "a page is mixed");
    assert_eq!(found == 1, content != NOTHING, "the value is wrong");
    (found == 1).then_some(content)
}

fn unmap<P: Platform>(world: &mut World<P>, domain: usize, pfn: u64) {
    let target = Target::Page { space: Space::Kernel, address: world.physmap(pfn), flush: false };
    world.update(domain, target, 0).unwrap();
}

fn give<P: Platform>(world: &mut World<P>, domain: usize, pfn: u64) -> Mfn {
    let frame = world.p2m(domain, pfn);
    unmap(world, domain, pfn);
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    world.machine.write(arguments, 0, frame.0);
    assert_eq!(world.call(domain, &BalloonInflate::frames(1)), Ok(1));
    frame
}

/// Frames that a domain gets, each of which it finds clean.
fn take<P: Platform>(world: &mut World<P>, domain: usize, frames: u64) -> u64 {
    let taken = match world.call(domain, &BalloonDeflate::frames(frames)) {
        Ok(taken) | Err((_, taken)) => taken,
    };
    let arguments = world.state.vcpu(world.slots[domain]).arguments;
    for at in 0..taken as usize {
        let frame = Mfn(world.machine.read(arguments, at));
        assert!(world.machine.is_zero(frame), "{frame:?} is not clean");
    }
    taken
}

for_each_platform! { what_is_put_is_found_until_it_is_dropped refusals_change_nothing an_end_takes_what_was_kept }

/// Clauses: SPARE_PUT.3 SPARE_PUT.4 SPARE_GET.4 SPARE_GET.5 SPARE_DROP.1 SPARE_DROP.2
fn what_is_put_is_found_until_it_is_dropped<P: Platform>() {
    let mut world = world::<P>(2, 64);
    let unowned = world.state.frames.unowned();
    assert_eq!(get(&mut world, 0, 1), None);
    assert!(put(&mut world, 0, 1, 11) && put(&mut world, 0, 2, 12) && put(&mut world, 1, 1, 21));
    // It counts as memory that nobody has.
    assert_eq!((world.state.frames.unowned(), world.state.spare_pages()), (unowned, 3));
    assert_eq!([get(&mut world, 0, 1), get(&mut world, 0, 1)], [Some(11); 2]);
    // Names are each domain's own.
    assert_eq!((get(&mut world, 1, 1), get(&mut world, 1, 2)), (Some(21), None));
    assert!(put(&mut world, 0, 1, 13), "in place of what was kept");
    assert_eq!((get(&mut world, 0, 1), world.state.spare_pages()), (Some(13), 3));
    assert_eq!(world.call(0, &SpareDrop { name: name(1) }), Ok(1));
    assert_eq!(world.call(0, &SpareDrop { name: name(1) }), Ok(0));
    assert_eq!((get(&mut world, 0, 1), get(&mut world, 0, 2)), (None, Some(12)));
    assert_eq!(get(&mut world, 1, 1), Some(21));
    let counters = world.state.spare_counters();
    assert_eq!((counters.put, counters.kept, counters.dropped, counters.most), (4, 4, 1, 3));
    assert_eq!((counters.asked, counters.found), (9, 6));
    world.finish();
}

/// Clauses: SPARE_PUT.1 SPARE_PUT.2 SPARE_GET.1 SPARE_GET.2 SPARE_GET.3
fn refusals_change_nothing<P: Platform>() {
    let mut world = world::<P>(2, 64);
    assert!(put(&mut world, 0, 1, 11));
    let read_only = world.p2m(0, 62);
    let target = Target::Page { space: Space::Kernel, address: world.physmap(62), flush: false };
    let entry = P::Format::leaf(read_only, Permissions { write: false, execute: false });
    world.update(0, target, entry).unwrap();
    unmap(&mut world, 0, 63);
    let (unmapped, foreign) = (world.p2m(0, 63), world.p2m(1, FROM));
    let table = world.state.vcpu(world.slots[0]).kernel_root.unwrap();
    for frame in [read_only, unmapped, foreign] {
        fill(&mut world, frame, 77);
    }
    let get_refusals = [
        (Mfn(0x120), Error::BadFrame),
        (Mfn(u64::MAX), Error::BadFrame),
        (Mfn(0x110), Error::NotOwner),
        (foreign, Error::NotOwner),
        (read_only, Error::TypeConflict),
        (unmapped, Error::TypeConflict),
        (table, Error::TypeConflict),
    ];
    for (frame, error) in get_refusals {
        let refused = world.call(0, &SpareGet { frame, name: name(1) });
        assert_eq!(refused, Err((error, 0)), "{frame:?}");
    }
    for (frame, error) in &get_refusals[..4] {
        let refused = world.call(0, &SparePut { frame: *frame, name: name(1) });
        assert_eq!(refused, Err((*error, 0)), "{frame:?}");
    }
    for frame in [read_only, unmapped, foreign] {
        assert!(holds(&world, frame, 77), "{frame:?}");
    }
    assert_eq!(get(&mut world, 0, 1), Some(11), "what was kept is still");
    // What cannot be written can be read.
    assert_eq!(world.call(0, &SparePut { frame: read_only, name: name(2) }), Ok(1));
    assert_eq!(get(&mut world, 0, 2), Some(77));
    assert_eq!(world.call(0, &SparePut { frame: table, name: name(3) }), Ok(1));
}

/// Clauses: SPARE_PUT.5
fn an_end_takes_what_was_kept<P: Platform>() {
    let mut world = world::<P>(2, 64);
    for index in 0..20 {
        assert!(put(&mut world, 0, index, index + 1) && put(&mut world, 1, index, index + 101));
    }
    world.destroy(world.slots[0]);
    assert_eq!(world.state.spare_pages(), 20);
    assert!((0..20).all(|index| get(&mut world, 1, index) == Some(index + 101)));
    world.finish();
}

/// Clauses: SPARE_PUT.5 SPARE_PUT.6
#[test]
fn whoever_needs_memory_has_it_as_if_nothing_were_kept() {
    let mut world = world::<X86_64>(1, 1024);
    let unowned = world.state.frames.unowned();
    for index in 0..1024 {
        let frame = world.p2m(0, FROM);
        world.machine.write(frame, 0, index << 32);
        world.quiet(0, &SparePut { frame, name: name(index) });
    }
    world.audit();
    // Sets are of eight: some are full sooner than the memory is.
    let kept = world.state.spare_pages();
    assert!((unowned * 9 / 10..=unowned).contains(&kept), "{kept} pages of {unowned} frames");
    // A domain more is built of frames that keep pages, and has all that it would have had.
    let heir = world.create(unowned - 40).expect("there is memory");
    world.audit();
    assert_eq!(world.state.domain(heir).frames, unowned - 40);
    assert!(world.state.spare_pages() <= 40);
    assert_eq!(take(&mut world, 0, 16), 16);
    assert_eq!(take(&mut world, 1, 16), 16);
    world.audit();
    let left = world.state.spare_pages();
    let found = (0..1024).filter(|index| {
        let frame = world.p2m(0, TO);
        world.call(0, &SpareGet { frame, name: name(*index) }) == Ok(1)
    });
    assert_eq!(found.count() as u64, left);
    world.finish();
}

/// Clauses: SPARE_PUT.5 BALLOON_DEFLATE.5
#[test]
fn an_extent_is_taken_of_frames_that_keep_pages() {
    let mut world = World::<X86_64>::with_memory(0, 0, 5 * EXTENT_FRAMES);
    world.create_contiguous(2 * EXTENT_FRAMES, 4 * EXTENT_FRAMES).unwrap();
    assert!(world.state.enable_spare(2 * EXTENT_FRAMES as usize, [5, 6]));
    for index in 0..4 * EXTENT_FRAMES {
        let frame = world.p2m(0, FROM);
        world.quiet(0, &SparePut { frame, name: name(index) });
    }
    let before = world.state.spare_pages();
    assert!(world.state.frames.whole_blocks().all(|first| {
        (0..EXTENT_FRAMES)
            .any(|at| matches!(world.state.frames.get(Mfn(first.0 + at)), Ok(Frame::Spare { .. })))
    }));
    assert_eq!(world.call(0, &BalloonDeflate::extents(1)), Ok(1));
    let arguments = world.state.vcpu(world.slots[0]).arguments;
    let first = Mfn(world.machine.read(arguments, 0));
    assert!((0..EXTENT_FRAMES).all(|at| world.machine.is_zero(Mfn(first.0 + at))));
    let counters = world.state.spare_counters();
    assert_eq!(before - world.state.spare_pages(), counters.evicted);
    assert!(counters.evicted > 0);
    world.audit();
}

/// Clauses: SPARE_PUT.6
#[test]
fn who_keeps_much_makes_room_for_who_keeps_little() {
    let mut world = world::<Riscv64Sv39>(2, 1024);
    let frame = world.p2m(0, FROM);
    for index in 0..2048 {
        world.quiet(0, &SparePut { frame, name: name(index) });
    }
    let all = world.state.spare_pages();
    for index in 0..100 {
        assert!(put(&mut world, 1, index, index + 1), "page {index} of the other is kept");
    }
    // However often the first one puts, the other has its own still.
    for index in 2048..6000 {
        world.quiet(0, &SparePut { frame, name: name(index) });
    }
    let found = (0..100).filter(|index| get(&mut world, 1, *index) == Some(index + 1)).count();
    assert!(found >= 95, "{found} of 100 pages of the other are left");
    assert!(world.state.spare_pages().abs_diff(all) < 100);
    world.audit();
}

/// Clauses: SPARE_PUT.4
#[test]
fn who_had_the_frame_cannot_change_what_is_kept_there() {
    let mut world = world::<X86_64>(2, 64);
    world.switch_to(0);
    // The processor has the page cached writable when its frame goes.
    let address = world.physmap(64);
    world.machine.access(address, pv_core::model::Access::Write(5)).unwrap();
    let frame = world.p2m(0, 64);
    give(&mut world, 0, 64);
    assert!(matches!(world.state.frames.get(frame), Ok(Frame::Dirty { .. })));
    assert!(put(&mut world, 0, 1, 11));
    assert!(matches!(world.state.frames.get(frame), Ok(Frame::Spare { .. })));
    assert!(world.machine.access(address, pv_core::model::Access::Write(6)).is_err());
    assert_eq!(get(&mut world, 0, 1), Some(11));
}

/// Without room nothing is kept, and every call is answered.
///
/// Clauses: SPARE_PUT.6
#[test]
fn without_spare_memory_nothing_is_kept() {
    let mut world = World::<X86_64>::new(1, 96);
    assert!(!put(&mut world, 0, 1, 11));
    assert_eq!(get(&mut world, 0, 1), None);
    assert_eq!(world.call(0, &SpareDrop { name: name(1) }), Ok(0));
    assert!(world.state.enable_spare(64, [5, 6]));
    let unowned = world.state.frames.unowned();
    let taken = world.create(unowned - 10).unwrap();
    while take(&mut world, 1, 8) > 0 {}
    take(&mut world, 0, 8);
    assert_eq!(world.state.frames.unowned(), 0);
    assert!(!put(&mut world, 0, 1, 11));
    world.destroy(taken);
    assert!(put(&mut world, 0, 1, 12));
    assert_eq!(get(&mut world, 0, 1), Some(12));
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Put(u64, u64),
    Get(u64),
    Drop(u64),
    Give(u64),
    Take(u64),
    End,
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        8 => (0..12u64, 1..1000u64).prop_map(|(index, content)| Op::Put(index, content)),
        6 => (0..12u64).prop_map(Op::Get),
        1 => (0..12u64).prop_map(Op::Drop),
        2 => (64..90u64).prop_map(Op::Give),
        2 => (1..16u64).prop_map(Op::Take),
        1 => Just(Op::End),
    ];
    (0..3usize, op)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]

    /// Whatever happens: a page that is found is the one that was put last under its name, and by its domain.
    ///
    /// Clauses: SPARE_PUT.3 SPARE_PUT.5 SPARE_PUT.6 SPARE_GET.4
    #[test]
    fn what_is_found_is_what_was_put_last(ops in prop::collection::vec(op(), 1..120)) {
        // A machine that is nearly full: pages are displaced and evicted.
        let mut world = World::<X86_64>::with_memory(3, 96, 3 * 96 + 6 + 12);
        prop_assert!(world.state.enable_spare(16, [5, 6]));
        let mut last = [[None; 12]; 3];
        let mut given = [[false; 100]; 3];
        for (domain, op) in ops {
            if !world.is_running(domain) {
                continue;
            }
            match op {
                Op::Put(index, content) => {
                    let kept = put(&mut world, domain, index, content);
                    last[domain][index as usize] = kept.then_some(content);
                }
                Op::Get(index) => {
                    if let Some(found) = get(&mut world, domain, index) {
                        prop_assert_eq!(Some(found), last[domain][index as usize]);
                    } else {
                        last[domain][index as usize] = None;
                    }
                }
                Op::Drop(index) => {
                    let dropped = world.call(domain, &SpareDrop { name: name(index) });
                    prop_assert!(dropped == Ok(0) || last[domain][index as usize].is_some());
                    last[domain][index as usize] = None;
                }
                Op::Give(pfn) => {
                    if !given[domain][pfn as usize] {
                        given[domain][pfn as usize] = true;
                        give(&mut world, domain, pfn);
                    }
                }
                Op::Take(frames) => {
                    let unowned = world.state.frames.unowned();
                    let (has, may) = {
                        let domain = world.state.domain(world.slots[domain]);
                        (domain.frames, domain.max_frames)
                    };
                    let taken = take(&mut world, domain, frames);
                    prop_assert_eq!(taken, frames.min(unowned).min(may - has));
                }
                Op::End => {
                    if domain == 2 {
                        world.destroy(world.slots[2]);
                    }
                }
            }
        }
        world.finish();
    }
}
