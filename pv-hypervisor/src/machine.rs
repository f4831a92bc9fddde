//! The core's view of this machine: frames through the direct map, the translation cache, the
//! clock, the console.
#![allow(unsafe_code, reason = "frames are reached by address")]

use crate::swap::Swap;
use crate::{arch, console};
use bare_machine::direct_map;
use core::sync::atomic::AtomicU64;
use hypercall_abi::calls::console_write::Stream;
use hypercall_abi::{DomainId, Mfn, PAGE_SHIFT, PAGE_SIZE, VirtAddr};
use pv_core::{ATOMIC_ORDER, FRAME_WORDS, Machine, Transfer};
use pv_wire::{Kind, Source};

/// Times in a second that the serial line is looked at, if anybody may type.
const POLLS_PER_SECOND: u64 = 100;

/// This machine. The core passes only frames that it was told of, all of which the direct map
/// covers: that is what every `SAFETY` below rests on. Guests may write frames at any time, so
/// that none is ever borrowed.
pub struct Hardware {
    /// Counter value at which the core wants its alarm; `u64::MAX` for none.
    alarm: u64,
    /// Counter value at which the serial line is looked at, whatever the alarm: domains that
    /// yield to each other put the end of a slice off for ever.
    poll: u64,
    /// Ticks between two looks.
    poll_ticks: u64,
    swap: Swap,
}

impl Hardware {
    /// The machine, without an alarm, and whether anybody may type.
    pub fn new(ticks_per_second: u64, typed: bool) -> Hardware {
        let poll_ticks = if typed { ticks_per_second / POLLS_PER_SECOND } else { u64::MAX };
        Hardware { alarm: u64::MAX, poll: poll_ticks, poll_ticks, swap: Swap::None }
    }

    /// Gives the machine a swap device.
    pub fn add_swap(&mut self, swap: Swap) {
        self.swap = swap;
    }

    /// The serial line has been looked at.
    pub fn polled(&mut self) {
        self.poll = arch::now().saturating_add(self.poll_ticks);
    }

    /// Whether the core's alarm is due, which forgets it. An interrupt may come early, because
    /// the timer cannot count that far, or for the serial line: then it is set again.
    pub fn take_alarm(&mut self) -> bool {
        let due = arch::now() >= self.alarm;
        if due {
            self.alarm = u64::MAX;
        }
        self.arm();
        due
    }

    /// Sleeps until the core's alarm, or until the serial line is to be looked at, and no longer
    /// than until the counter stands at `latest`.
    pub fn sleep(&mut self, latest: u64) {
        arch::set_alarm(self.alarm.min(self.poll).min(latest));
        arch::wait_for_interrupt();
    }

    fn arm(&self) {
        arch::set_alarm(self.alarm.min(self.poll));
    }
}

#[inline(always)]
fn word_of(frame: Mfn, word: usize) -> *mut u64 {
    debug_assert!(word < FRAME_WORDS);
    direct_map::pointer(frame.0 << PAGE_SHIFT).cast::<u64>().wrapping_add(word)
}

#[inline(always)]
fn atomic(frame: Mfn, word: usize) -> &'static AtomicU64 {
    // SAFETY: aligned, in the direct map, and written with atomics or volatile only.
    unsafe { AtomicU64::from_ptr(word_of(frame, word)) }
}

#[inline(always)]
fn read_word(frame: Mfn, word: usize) -> u64 {
    // SAFETY: aligned, in the direct map.
    unsafe { word_of(frame, word).read_volatile() }
}

#[inline(always)]
fn write_word(frame: Mfn, word: usize, value: u64) {
    // SAFETY: aligned, in the direct map.
    unsafe { word_of(frame, word).write_volatile(value) }
}

/// The bytes of a frame that the core has named.
pub fn frame_bytes(frame: Mfn) -> *mut [u8; PAGE_SIZE as usize] {
    word_of(frame, 0).cast()
}

/// Reads all of a frame that the core has named.
pub fn read_frame(frame: Mfn, words: &mut [u64; FRAME_WORDS]) {
    words.iter_mut().enumerate().for_each(|(word, value)| *value = read_word(frame, word));
}

/// Writes all of a frame that the core has named.
pub fn write_frame(frame: Mfn, words: &[u64; FRAME_WORDS]) {
    words.iter().enumerate().for_each(|(word, value)| write_word(frame, word, *value));
}

impl Machine for Hardware {
    #[inline(always)]
    fn read(&self, frame: Mfn, word: usize) -> u64 {
        read_word(frame, word)
    }

    #[inline(always)]
    fn write(&mut self, frame: Mfn, word: usize, value: u64) {
        write_word(frame, word, value);
    }

    #[inline(always)]
    fn exchange(&mut self, frame: Mfn, word: usize, value: u64) -> u64 {
        atomic(frame, word).swap(value, ATOMIC_ORDER)
    }

    #[inline(always)]
    fn fetch_or(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        atomic(frame, word).fetch_or(bits, ATOMIC_ORDER)
    }

    #[inline(always)]
    fn fetch_and(&mut self, frame: Mfn, word: usize, bits: u64) -> u64 {
        atomic(frame, word).fetch_and(bits, ATOMIC_ORDER)
    }

    fn swap_pages(&self) -> u64 {
        self.swap.pages()
    }

    fn swap_begin(&mut self, transfer: Transfer) -> bool {
        self.swap.begin(transfer)
    }

    fn swap_ended(&mut self) -> Option<(Transfer, bool)> {
        self.swap.ended()
    }

    fn zero(&mut self, frame: Mfn) {
        // SAFETY: a whole frame of the direct map, which no guest has mapped at this moment.
        unsafe { word_of(frame, 0).write_bytes(0, FRAME_WORDS) };
    }

    fn copy_in(&mut self, frame: Mfn, offset: usize, bytes: &[u8]) {
        assert!(bytes.len() <= PAGE_SIZE as usize && offset <= PAGE_SIZE as usize - bytes.len());
        let to = word_of(frame, 0).cast::<u8>().wrapping_add(offset);
        // SAFETY: inside one frame of the direct map; the bytes are the hypervisor's own and so
        // lie in no frame that the core hands out.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    fn root_entry(&self, slot: usize) -> u64 {
        assert!((FRAME_WORDS / 2..FRAME_WORDS).contains(&slot));
        // SAFETY: a slot of the hypervisor's own root.
        unsafe { direct_map::read(arch::own_root() + 8 * slot as u64) }
    }

    #[inline(always)]
    fn load_root(&mut self, root: Option<Mfn>) {
        let address = match root {
            Some(frame) => frame.0 << PAGE_SHIFT,
            None => arch::own_root(),
        };
        // SAFETY: the core loads validated roots only, whose upper half it wrote from
        // `root_entry` and never changes.
        unsafe { arch::load_root(address) };
    }

    #[inline(always)]
    fn flush_all(&mut self) {
        arch::flush_all();
    }

    #[inline(always)]
    fn flush_page(&mut self, address: VirtAddr) {
        arch::flush_page(address.0);
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        arch::now()
    }

    fn set_alarm(&mut self, deadline: u64) {
        self.alarm = deadline;
        self.arm();
    }

    fn console_write(&mut self, domain: DomainId, stream: Stream, bytes: &[u8]) {
        let kind = match stream {
            Stream::Text => Kind::Text,
            Stream::Log => Kind::Log,
            Stream::Report => Kind::GuestReport,
        };
        console::send(Source(domain.0), kind, bytes);
    }
}
