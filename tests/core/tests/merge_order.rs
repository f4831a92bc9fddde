//! The order in which two pages become one: each step as the machine sees it.

use crate::sharing::{advise, register};
use core_tests::World;
use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::{DomainId, Mfn, Pfn, VirtAddr};
use pv_core::model::ModelMachine;
use pv_core::share::{PageName, Side};
use pv_core::{Machine, X86_64};
use std::cell::RefCell;

/// What was done to the machine, as far as the order matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
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

struct Recorder<'a> {
    machine: &'a mut ModelMachine<pv_core::format::X86_64>,
    events: RefCell<Vec<Event>>,
}

impl Recorder<'_> {
    fn note(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        if events.last() != Some(&event) {
            events.push(event);
        }
    }
}

impl Machine for Recorder<'_> {
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        if word == 511 {
            self.note(Event::Compared(frame));
        }
        self.machine.read(frame, word)
    }

    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        self.note(Event::Slot(frame, value));
        self.machine.write(frame, word, value);
    }

    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64 {
        self.note(Event::Rewritten(frame));
        self.machine.exchange(frame, word, value)
    }

    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        self.machine.fetch_or(frame, word, bits)
    }

    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        self.note(Event::Protected(frame));
        self.machine.fetch_and(frame, word, bits)
    }

    fn read_block(&self, frame: Mfn, word: usize, words: &mut [u64]) {
        self.machine.read_block(frame, word, words);
    }

    fn zero(&mut self, frame: Mfn) {
        self.note(Event::Scrubbed(frame));
        self.machine.zero(frame);
    }

    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]) {
        self.machine.copy_in(frame, offset, bytes);
    }

    fn root_entry(&self, slot: usize) -> u64 {
        self.machine.root_entry(slot)
    }

    fn load_root(&mut self, root: Option<Mfn>) {
        self.note(Event::Flushed);
        self.machine.load_root(root);
    }

    fn flush_all(&mut self) {
        self.note(Event::Flushed);
        self.machine.flush_all();
    }

    fn flush_page(&mut self, address: VirtAddr) {
        self.machine.flush_page(address);
    }

    fn now(&self) -> u64 {
        self.machine.now()
    }

    fn set_alarm(&mut self, deadline: u64) {
        self.machine.set_alarm(deadline);
    }

    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]) {
        self.machine.console_write(domain, stream, bytes);
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
    let mut recorder = Recorder { machine: &mut world.machine, events: RefCell::default() };
    assert!(world.state.want_merge(&recorder, Side::Page(name(1)), name(2)));
    while world.state.sharing.counters.merged == 0 {
        assert!(world.state.merge_step(&mut recorder));
    }
    let free = world.state.frames.list_lengths();
    assert!(world.state.scrub(&mut recorder));
    assert_eq!(world.state.frames.list_lengths(), (free.0 + 1, free.1 - 1), "the free list grows");
    let events = recorder.events.into_inner();
    let tables: Vec<Mfn> = events
        .iter()
        .filter_map(|event| match event {
            Event::Protected(table) => Some(*table),
            _ => None,
        })
        .collect();
    let [first, second] = tables[..] else { panic!("one entry of each page: {tables:?}") };
    let expected = [
        Event::Protected(first),
        Event::Protected(second),
        Event::Flushed,
        Event::Compared(kept),
        Event::Compared(gone),
        Event::Rewritten(second),
        Event::Slot(slots, kept.0),
        Event::Flushed,
        Event::Scrubbed(gone),
    ];
    assert_eq!(events, expected);
}
