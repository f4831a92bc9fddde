//! The order in which two pages become one: each step as the machine sees it.

use crate::sharing::{advise, register};
use core_tests::World;
use core_tests::recorder::{Event, Recorder};
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::{DomainId, Mfn, Pfn};
use pv_core::share::{PageName, Side};
use pv_core::{FRAME_WORDS, X86_64};

/// What was done to the machine, as far as the order matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// An entry became read-only.
    Protected(Mfn),
    Flushed,
    /// A frame was read as a whole.
    Compared(Mfn),
    /// An entry was given another frame.
    Rewritten(Mfn),
    /// A slot of the P2M was written.
    Slot(Mfn, u64),
    Scrubbed(Mfn),
}

impl Step {
    fn of(event: Event) -> Option<Step> {
        match event {
            Event::Masked { table, .. } => Some(Step::Protected(table)),
            Event::Flushed => Some(Step::Flushed),
            Event::Read { frame, words } => (words >= FRAME_WORDS).then_some(Step::Compared(frame)),
            Event::Exchanged { table, .. } => Some(Step::Rewritten(table)),
            Event::Written { frame, value, .. } => Some(Step::Slot(frame, value)),
            Event::Scrubbed(frame) => Some(Step::Scrubbed(frame)),
            Event::Permitted { .. } | Event::Filled(_) => panic!("{event:?} is no part of a merge"),
        }
    }
}

/// Clauses: SHARE.3 SHARE.4
#[test]
fn protect_flush_compare_rewrite_release_flush_scrub() {
    let mut world = World::<X86_64>::new(2, 128);
    assert!(world.state.enable_sharing(100, 0));
    for domain in 0..2 {
        world.state.set_sharing_group(world.slots[domain], 1);
        register(&mut world, domain);
        advise(&mut world, domain, Advice::Share);
    }
    let name = |domain| PageName { domain: DomainId(domain), page: Pfn(100) };
    let (kept, gone) = (world.p2m(0, 100), world.p2m(1, 100));
    let slots = world.p2m(1, 3);
    // Nothing waits to be scrubbed but what is to come.
    while world.state.scrub(&mut world.machine) {}
    let mut recorder = Recorder::new(&mut world.machine);
    assert!(world.state.want_merge(&recorder, Side::Page(name(1)), name(2)));
    while world.state.sharing.counters.merged == 0 {
        assert!(world.state.merge_step(&mut recorder));
    }
    let free = world.state.frames.list_lengths();
    assert!(world.state.scrub(&mut recorder));
    assert_eq!(world.state.frames.list_lengths(), (free.0 + 1, free.1 - 1), "the free list grows");
    let events: Vec<Step> = recorder.into_events().into_iter().filter_map(Step::of).collect();
    let tables: Vec<Mfn> = events
        .iter()
        .filter_map(|step| match step {
            Step::Protected(table) => Some(*table),
            _ => None,
        })
        .collect();
    let [first, second] = tables[..] else { panic!("one entry of each page: {tables:?}") };
    let expected = [
        Step::Protected(first),
        Step::Protected(second),
        Step::Flushed,
        Step::Compared(kept),
        Step::Compared(gone),
        Step::Rewritten(second),
        Step::Slot(slots, kept.0),
        Step::Flushed,
        Step::Scrubbed(gone),
    ];
    assert_eq!(events, expected);
}
