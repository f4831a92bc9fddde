//! A machine that writes down what is done to it, in order: what tests and traces of the order of
//! things stand on. What the core does to the machine is all that a guest could see of it.

use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::{DomainId, Mfn, VirtAddr};
use pv_core::format::Format;
use pv_core::model::ModelMachine;
use pv_core::{FRAME_WORDS, Machine};
use std::cell::RefCell;
use std::vec::Vec;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Words of a frame were read one by one, so many until something was changed.
    Read {
        /// The frame.
        frame: Mfn,
        /// Reads of its words.
        words: usize,
    },
    /// Bits were taken from an entry of a table, in one step with reading it.
    Masked {
        /// The table.
        table: Mfn,
        /// What the entry was.
        old: u64,
        /// The bits that it keeps.
        kept: u64,
    },
    /// Bits were given to an entry of a table, in one step with reading it.
    Permitted {
        /// The table.
        table: Mfn,
        /// What the entry was.
        old: u64,
        /// The bits that it has now.
        bits: u64,
    },
    /// An entry of a table was exchanged for another.
    Exchanged {
        /// The table.
        table: Mfn,
        /// What the entry was.
        old: u64,
        /// What it is.
        new: u64,
    },
    /// A word was written.
    Written {
        /// The frame.
        frame: Mfn,
        /// The word.
        word: usize,
        /// What is in it.
        value: u64,
    },
    /// Words one after another were written, up to the end of the frame.
    Filled(Mfn),
    /// The processor forgot all translations of guests.
    Flushed,
    /// A frame was filled with zeros.
    Scrubbed(Mfn),
}

/// A model machine, and what was done to it.
pub struct Recorder<'a, F: Format> {
    machine: &'a mut ModelMachine<F>,
    events: RefCell<Vec<Event>>,
}

impl<'a, F: Format> Recorder<'a, F> {
    /// Writes down what is done from now on.
    pub fn new(machine: &'a mut ModelMachine<F>) -> Self {
        Recorder { machine, events: RefCell::default() }
    }

    /// What was done, in order. Flushes that follow one another are one.
    pub fn into_events(self) -> Vec<Event> {
        self.events.into_inner()
    }

    fn note(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        if event != Event::Flushed || events.last() != Some(&event) {
            events.push(event);
        }
    }

    /// Reads that nothing comes between are counted together, as the words of two frames are read
    /// in turn when these are compared.
    fn note_read(&self, from: Mfn) {
        let mut events = self.events.borrow_mut();
        let reads = events.iter_mut().rev().map_while(|event| match event {
            Event::Read { frame, words } => Some((*frame, words)),
            _ => None,
        });
        match reads.into_iter().find(|(frame, _)| *frame == from) {
            Some((_, words)) => *words += 1,
            None => events.push(Event::Read { frame: from, words: 1 }),
        }
    }
}

impl<F: Format> Machine for Recorder<'_, F> {
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        self.note_read(frame);
        self.machine.read(frame, word)
    }

    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        self.note(Event::Written { frame, word, value });
        self.machine.write(frame, word, value);
    }

    fn exchange(&mut self, table: Mfn, word: usize, new: u64) -> u64 {
        let old = self.machine.exchange(table, word, new);
        self.note(Event::Exchanged { table, old, new });
        old
    }

    fn fetch_or(&mut self, table: Mfn, word: usize, bits: u64) -> u64 {
        let old = self.machine.fetch_or(table, word, bits);
        self.note(Event::Permitted { table, old, bits });
        old
    }

    fn fetch_and(&mut self, table: Mfn, word: usize, kept: u64) -> u64 {
        let old = self.machine.fetch_and(table, word, kept);
        self.note(Event::Masked { table, old, kept });
        old
    }

    fn read_block(&self, frame: Mfn, word: usize, words: &mut [u64]) {
        self.machine.read_block(frame, word, words);
    }

    fn write_block(&mut self, frame: Mfn, word: usize, words: &[u64]) {
        if word + words.len() == FRAME_WORDS {
            self.note(Event::Filled(frame));
        }
        self.machine.write_block(frame, word, words);
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
