//! Rings at random: whatever stands in them, the device does not panic, comes to an end, is never wrong
//! about a page, and loses no frame.

use super::arena::{DRIVERS, PAGE, PAGES};
use super::driver::Link;
use super::rings::{ARRAYS, Descriptor, NEXT, PLACES, Rings, WRITE, buffer};
use balloon::policy::Pages;
use balloon::virtio::Step;
use hypercall_abi::Pfn;
use proptest::prelude::*;
use virtio_drivers::transport::{DeviceStatus, Transport};

#[derive(Clone, Debug)]
enum Op {
    /// What a driver would send, but for the pages: an array, or a run to a queue of reports.
    Send(u16, u16, Vec<u32>),
    Array(u64, Vec<u32>),
    Describe(u16, u16, Descriptor),
    Offer(u16, u16),
    Index(u16, u16),
    Kick(u16),
    Step(u8),
    Run,
    Touch(u32),
    Ask(u64),
    Target(u64),
    Config(usize, Vec<u8>),
    Busy(u32),
    Most(usize),
    Elsewhere(u64),
    Back,
    Reset,
}

/// Most are pages that come up again and again, some are any.
fn page() -> impl Strategy<Value = u32> {
    prop_oneof![20 => 100..140u32, 2 => 0..PAGES as u32, 1 => any::<u32>()]
}

fn descriptor() -> impl Strategy<Value = Descriptor> {
    let address = prop_oneof![
        8 => (0..8u64).prop_map(|at| ARRAYS + 64 * at),
        6 => page().prop_map(|page| u64::from(page) * PAGE),
        1 => any::<u64>(),
    ];
    let length = prop_oneof![
        8 => (0..17u32).prop_map(|numbers| 4 * numbers),
        4 => (0..600u32).prop_map(|pages| 4096 * pages),
        1 => any::<u32>(),
    ];
    let flags = prop_oneof![
        6 => Just(0),
        4 => Just(WRITE),
        2 => Just(NEXT),
        2 => Just(NEXT | WRITE),
        1 => any::<u16>(),
    ];
    let next = prop_oneof![20 => 0..PLACES, 1 => any::<u16>()];
    (address, length, flags, next).prop_map(|(address, length, flags, next)| Descriptor {
        address,
        length,
        flags,
        next,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let queue = 0..5u16;
    let place = 0..PLACES;
    let numbers = || prop::collection::vec(page(), 1..17);
    prop_oneof![
        12 => (queue.clone(), place.clone(), numbers()).prop_map(|(q, p, n)| Op::Send(q, p, n)),
        6 => (0..8u64, numbers()).prop_map(|(at, pages)| Op::Array(64 * at, pages)),
        6 => (queue.clone(), place.clone(), descriptor()).prop_map(|(q, p, d)| Op::Describe(q, p, d)),
        8 => (queue.clone(), place).prop_map(|(q, head)| Op::Offer(q, head)),
        1 => (queue.clone(), any::<u16>()).prop_map(|(q, index)| Op::Index(q, index)),
        8 => queue.prop_map(Op::Kick),
        3 => any::<u8>().prop_map(|steps| Op::Step(steps % 4)),
        6 => Just(Op::Run),
        4 => page().prop_map(Op::Touch),
        1 => any::<u64>().prop_map(Op::Ask),
        1 => any::<u64>().prop_map(Op::Target),
        1 => (0..20usize, prop::collection::vec(any::<u8>(), 0..8)).prop_map(|(at, b)| Op::Config(at, b)),
        1 => page().prop_map(Op::Busy),
        1 => (0..20usize).prop_map(Op::Most),
        1 => (0..50u64).prop_map(Op::Elsewhere),
        1 => Just(Op::Back),
        2 => Just(Op::Reset),
    ]
}

fn act(rings: &mut Rings, op: Op, elsewhere: &mut u64) -> bool {
    let (device, machine) = (rings.link.device.clone(), rings.link.machine.clone());
    match op {
        Op::Send(queue, place, pages) => {
            let descriptor = match queue {
                0..=2 => rings.array(0, &pages),
                _ => {
                    let run = buffer(u64::from(pages[0]) * PAGE, pages.len() as u32 * PAGE as u32);
                    Descriptor { flags: WRITE, ..run }
                }
            };
            rings.describe(queue, place, descriptor);
            rings.offer(queue, place);
            rings.link.notify(queue);
        }
        Op::Array(at, pages) => _ = rings.array(at, &pages),
        Op::Describe(queue, place, descriptor) => rings.describe(queue, place, descriptor),
        Op::Offer(queue, head) => rings.offer(queue, head),
        Op::Index(queue, index) => rings.set_index(queue, index),
        Op::Kick(queue) => rings.link.notify(queue),
        Op::Step(steps) => {
            for _ in 0..steps {
                device.borrow_mut().step(&mut *machine.borrow_mut());
            }
        }
        Op::Run => return matches!(rings.link.run(), Step::Broken(_)),
        Op::Touch(page) => _ = rings.link.touch(page),
        Op::Ask(now) => _ = device.borrow_mut().ask_statistics(&mut *machine.borrow_mut(), now),
        Op::Target(target) => _ = device.borrow_mut().set_target(Pages(target)),
        Op::Config(at, bytes) => device.borrow_mut().write_config(at, &bytes),
        Op::Busy(page) => _ = machine.borrow_mut().busy.insert(Pfn(page.into())),
        Op::Most(most) => machine.borrow_mut().most = most,
        Op::Elsewhere(frames) => {
            let frames = frames.min(machine.borrow().pool);
            machine.borrow_mut().use_frames(frames);
            *elsewhere += frames;
        }
        Op::Back => machine.borrow_mut().return_frames(std::mem::take(elsewhere)),
        Op::Reset => return true,
    }
    false
}

/// Plays, and resets a device that is broken; in the end every page can be had back. How many frames
/// moved.
fn play(ops: Vec<Op>) -> u64 {
    let mut rings = Rings::new();
    let mut elsewhere = 0;
    for op in ops {
        let reset = act(&mut rings, op, &mut elsewhere);
        rings.link.check();
        if reset {
            let mut link: Link = rings.link.clone();
            link.set_status(DeviceStatus::empty());
            // The pages of the rings are touched as the next driver writes them.
            (0..DRIVERS as u32).for_each(|page| _ = link.touch(page));
            rings = Rings::on(link);
            rings.link.check();
        }
    }
    let link = rings.link;
    link.machine.borrow_mut().return_frames(elsewhere);
    link.machine.borrow_mut().most = usize::MAX;
    assert!((0..PAGES as u32).all(|page| link.touch(page)));
    link.check();
    assert_eq!((link.machine.borrow().pool, link.device.borrow().owned().0), (0, PAGES));
    let counters = link.device.borrow().counters();
    counters.taken + counters.given + counters.reported
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_ring_is_harmless(ops in prop::collection::vec(op(), 1..120)) {
        play(ops);
    }
}

/// The random rings do reach what they are to test: most plays move frames.
#[test]
fn random_rings_move_frames() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let ops = prop::collection::vec(op(), 120);
    let moved =
        (0..20).filter(|_| play(ops.new_tree(&mut runner).expect("a play").current()) > 0).count();
    assert!(moved >= 10, "{moved} of 20");
}
