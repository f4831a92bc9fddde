//! A machine some of whose words several processors use at the same time.

use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::{DomainId, Mfn, VirtAddr};
use loom::sync::{Arc, atomic::AtomicU64};
use pv_core::{ATOMIC_ORDER, Machine, Platform, model::ModelMachine};
use pv_guest::pending::EventWord;
use std::sync::atomic::Ordering;

/// A word that several processors use.
pub struct Word(AtomicU64);

impl EventWord for Word {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.0.swap(value, order)
    }

    fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.0.fetch_and(bits, order)
    }
}

impl Word {
    /// Writes it.
    pub fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    /// Sets bits in it if it is `old`, as a processor does in an entry that it uses.
    pub fn mark(&self, old: u64, bits: u64) -> bool {
        self.0.compare_exchange(old, old | bits, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// The words that are shared: each by its frame and its number there.
#[derive(Clone)]
pub struct Words(Arc<Vec<(Mfn, usize, Word)>>);

impl Words {
    /// Shared words with these values.
    pub fn new(words: impl IntoIterator<Item = (Mfn, usize, u64)>) -> Words {
        let atomic = |(frame, word, value)| (frame, word, Word(AtomicU64::new(value)));
        Words(Arc::new(words.into_iter().map(atomic).collect()))
    }

    /// The word, if it is one of them.
    pub fn get(&self, frame: Mfn, word: usize) -> Option<&Word> {
        self.0.iter().find(|(at, index, _)| (*at, *index) == (frame, word)).map(|(.., value)| value)
    }
}

/// One processor's view: the shared words, with the order that the image gives them, and the
/// rest of the machine, which is behind a lock or its own.
pub struct Shared<P: Platform> {
    /// The shared words.
    pub words: Words,
    /// The rest.
    pub rest: ModelMachine<P::Format>,
    /// The order of its atomic steps: [`ATOMIC_ORDER`], but where a test wants it wrong.
    pub order: Ordering,
}

impl<P: Platform> Shared<P> {
    /// A processor with those words in common with others.
    pub fn new(words: &Words, rest: ModelMachine<P::Format>) -> Self {
        Shared { words: words.clone(), rest, order: ATOMIC_ORDER }
    }

    /// The same, with its atomic steps in another order.
    pub fn ordered(words: &Words, order: Ordering) -> Self {
        Shared { words: words.clone(), rest: ModelMachine::default(), order }
    }
}

impl<P: Platform> Machine for Shared<P> {
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        match self.words.get(frame, word) {
            Some(Word(shared)) => shared.load(Ordering::Relaxed),
            None => self.rest.read(frame, word),
        }
    }

    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        match self.words.get(frame, word) {
            Some(Word(shared)) => shared.store(value, Ordering::Relaxed),
            None => self.rest.write(frame, word, value),
        }
    }

    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64 {
        match self.words.get(frame, word) {
            Some(Word(shared)) => shared.swap(value, self.order),
            None => self.rest.exchange(frame, word, value),
        }
    }

    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        match self.words.get(frame, word) {
            Some(Word(shared)) => shared.fetch_or(bits, self.order),
            None => self.rest.fetch_or(frame, word, bits),
        }
    }

    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        match self.words.get(frame, word) {
            Some(Word(shared)) => shared.fetch_and(bits, self.order),
            None => self.rest.fetch_and(frame, word, bits),
        }
    }

    fn zero(&mut self, frame: Mfn) {
        self.rest.zero(frame);
    }

    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]) {
        self.rest.copy_in(frame, offset, bytes);
    }

    fn root_entry(&self, slot: usize) -> u64 {
        self.rest.root_entry(slot)
    }

    fn load_root(&mut self, root: Option<Mfn>) {
        self.rest.load_root(root);
    }

    fn flush_all(&mut self) {
        self.rest.flush_all();
    }

    fn flush_page(&mut self, address: VirtAddr) {
        self.rest.flush_page(address);
    }

    fn now(&self) -> u64 {
        self.rest.now()
    }

    fn set_alarm(&mut self, deadline: u64) {
        self.rest.set_alarm(deadline);
    }

    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]) {
        self.rest.console_write(domain, stream, bytes);
    }
}
