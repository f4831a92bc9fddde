//! Taking the events that are pending in a vCPU page, so that none is lost that comes meanwhile.
//!
//! The hypervisor may make ports pending on another processor while the guest runs. It sets the
//! port's bit and then the summary, each by an atomic step; the guest goes the other way round.
//! This is apart from [`events`](crate) so that it can be tested on a host, against all that the
//! memory of a weakly ordered machine may do.

use core::sync::atomic::{AtomicU64, Ordering};
use hypercall_abi::{Port, vcpu_page::EVENT_WORDS};

/// A word of the vCPU page.
pub trait EventWord {
    /// Reads it.
    fn load(&self, order: Ordering) -> u64;
    /// Writes it and returns what it was, as one atomic step.
    fn swap(&self, value: u64, order: Ordering) -> u64;
    /// Keeps only `bits` and returns what it was, as one atomic step.
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64;
}

impl EventWord for AtomicU64 {
    #[inline(always)]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }

    #[inline(always)]
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        AtomicU64::swap(self, value, order)
    }

    #[inline(always)]
    fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        AtomicU64::fetch_and(self, bits, order)
    }
}

/// The words of a vCPU page that say what is pending.
pub trait EventPage {
    /// A word.
    type Word: EventWord;
    /// Not 0: some unmasked port became pending.
    fn events_pending(&self) -> &Self::Word;
    /// Not 0: no event traps.
    fn events_masked(&self) -> &Self::Word;
    /// Pending bits of ports `64 * index..64 * index + 64`.
    fn pending(&self, index: usize) -> &Self::Word;
    /// Mask bits of the same ports.
    fn mask(&self, index: usize) -> &Self::Word;
}

/// Takes every unmasked pending port, and hands each to `handle`.
///
/// The summary is cleared first, by a step that acquires: whoever set it has set its port's bit
/// before, and that is seen from here on. An event that comes later sets the summary again. A
/// plain write would not do: the processor may keep it back until after it has looked at the
/// bits, and then wipes out a summary whose bit it has not seen.
#[inline(always)]
pub fn take<P: EventPage>(page: &P, mut handle: impl FnMut(Port)) {
    page.events_pending().swap(0, Ordering::AcqRel);
    for index in 0..EVENT_WORDS {
        if page.pending(index).load(Ordering::Relaxed) == 0 {
            continue;
        }
        let masked = page.mask(index).load(Ordering::Acquire);
        // Acquires: what the sender wrote before it sent is seen by the handler.
        let mut bits = page.pending(index).fetch_and(masked, Ordering::AcqRel) & !masked;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            handle(Port(index as u32 * 64 + bit));
        }
    }
}

/// Unmasks events, and has those handled that came while they were masked. `dispatch` calls
/// [`take`].
#[inline(always)]
pub fn unmask<P: EventPage>(page: &P, mut dispatch: impl FnMut()) {
    loop {
        page.events_masked().swap(0, Ordering::SeqCst);
        if page.events_pending().load(Ordering::SeqCst) == 0 {
            return;
        }
        page.events_masked().swap(1, Ordering::SeqCst);
        dispatch();
    }
}
