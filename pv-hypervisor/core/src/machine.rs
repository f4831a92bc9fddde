//! The machine as the core sees it: words of frames, the translation cache, a clock.
//!
//! The image implements it over its map of all memory, the tests over a model. Nothing here
//! takes a guest's virtual address to memory, and nothing decides.

use core::sync::atomic::Ordering;
use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::{DomainId, Mfn, VirtAddr};

/// Words of eight bytes in a frame.
pub const FRAME_WORDS: usize = 512;

/// Words of a frame that are copied at a time.
const COPIED: usize = 64;

/// The order of the atomic steps of a [`Machine`]: `exchange`, `fetch_or`, `fetch_and`. What one
/// processor wrote before such a step is seen by another after its own step on the same word.
/// Plain reads and writes have no order but that of the word itself.
pub const ATOMIC_ORDER: Ordering = Ordering::AcqRel;

/// A page on its way between a frame and a place of the swap device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transfer {
    /// Number of the place, from 0 on and below [`Machine::swap_pages`].
    pub place: u64,
    /// The frame. When it is written out it may be changed meanwhile: then what arrives counts for
    /// nothing.
    pub frame: Mfn,
    /// Which way.
    pub direction: Direction,
}

/// Which way a page goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// To the swap device.
    Out,
    /// From it.
    In,
}

/// What the core asks of the machine. Frames are those that [`crate::State`] was told of;
/// the core passes no other.
pub trait Machine {
    /// One word of a frame. The guest may write it at the same time: each call reads once.
    fn read(&self, frame: Mfn, word: usize) -> u64;

    /// Writes one word of a frame.
    fn write(&mut self, frame: Mfn, word: usize, value: u64);

    /// Writes one word and returns what it was, as one atomic step: the processor may set
    /// accessed and dirty bits of a page-table entry at the same time. [`ATOMIC_ORDER`].
    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64;

    /// Sets bits of one word and returns what it was, as one atomic step. [`ATOMIC_ORDER`].
    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64;

    /// Keeps only `bits` of one word and returns what it was, as one atomic step.
    /// [`ATOMIC_ORDER`].
    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64;

    /// Reads words one after another, each once.
    fn read_block(&self, frame: Mfn, word: usize, words: &mut [u64]) {
        for (index, to) in words.iter_mut().enumerate() {
            *to = self.read(frame, word + index);
        }
    }

    /// Writes words one after another.
    fn write_block(&mut self, frame: Mfn, word: usize, words: &[u64]) {
        for (index, from) in words.iter().enumerate() {
            self.write(frame, word + index, *from);
        }
    }

    /// Copies a frame's content into another, which a guest may change or read meanwhile.
    fn copy_frame(&mut self, from: Mfn, to: Mfn) {
        let mut words = [0; COPIED];
        for start in (0..FRAME_WORDS).step_by(COPIED) {
            self.read_block(from, start, &mut words);
            self.write_block(to, start, &words);
        }
    }

    /// Fills a frame with zeros.
    fn zero(&mut self, frame: Mfn);

    /// Copies bytes of the hypervisor's into a frame, from byte `offset` on.
    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]);

    /// Pages that the swap device holds. Without one it is none.
    fn swap_pages(&self) -> u64 {
        0
    }

    /// Begins a transfer; the frame and the place are the device's until [`swap_ended`] names it.
    /// False, and nothing has begun: the device has as many under way as it can.
    ///
    /// [`swap_ended`]: Self::swap_ended
    fn swap_begin(&mut self, _transfer: Transfer) -> bool {
        false
    }

    /// A transfer that has ended, each once and in any order, and whether it went well.
    fn swap_ended(&mut self) -> Option<(Transfer, bool)> {
        None
    }

    /// The canonical entry of a root's slot in the hypervisor's range.
    fn root_entry(&self, slot: usize) -> u64;

    /// Translates through this root from now on; `None` is the hypervisor's own. Flushes
    /// every guest translation of this processor.
    fn load_root(&mut self, root: Option<Mfn>);

    /// Flushes every guest translation of this processor.
    fn flush_all(&mut self);

    /// Flushes the translation of one page of the current address space.
    fn flush_page(&mut self, address: VirtAddr);

    /// The architecture's counter.
    fn now(&self) -> u64;

    /// Asks for one interrupt when the counter reaches `deadline`; `u64::MAX` for none.
    fn set_alarm(&mut self, deadline: u64);

    /// Sends bytes of a domain's stream to its operator.
    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]);
}
