//! When processors last flushed: the epoch by which the core knows that no stale
//! translation of a frame remains, without asking every time.
//!
//! A clock counts flushes. A frame whose reference goes is stamped with the clock; a
//! processor that flushes advances it. A frame is clean of a processor's cache when the
//! processor's last flush came after the stamp.
//!
//! When the clock wraps every processor flushes. A stamp from before the wrap may then look
//! newer than the clock: that costs a flush too many, never one too few.

use crate::machine::Machine;
use hypercall_abi::{Mfn, VirtAddr};

/// A value of the clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Epoch(u32);

impl Epoch {
    /// Of a frame that nothing has ever mapped.
    pub const NEVER: Epoch = Epoch(0);
    const FIRST: Epoch = Epoch(1);
}

/// The clock, and the processor's part in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tlb {
    clock: Epoch,
    flushed: Epoch,
    root: Option<Mfn>,
}

impl Tlb {
    pub(crate) fn new() -> Tlb {
        Tlb { clock: Epoch::FIRST, flushed: Epoch::FIRST, root: None }
    }

    /// The stamp for a reference that goes now.
    #[inline(always)]
    pub(crate) fn now(&self) -> Epoch {
        self.clock
    }

    /// The root that the processor translates through; `None` is the hypervisor's own.
    pub fn root(&self) -> Option<Mfn> {
        self.root
    }

    /// The root, for the tests of the audit to corrupt.
    #[cfg(test)]
    pub(crate) fn corrupt_root(&mut self) -> &mut Option<Mfn> {
        &mut self.root
    }

    /// Whether a processor may still hold what went at `stamp`.
    #[inline(always)]
    pub fn may_be_cached(&self, stamp: Epoch) -> bool {
        self.flushed <= stamp
    }

    #[inline(always)]
    fn flushed_now(&mut self) {
        self.clock = match self.clock.0.checked_add(1) {
            Some(next) => Epoch(next),
            None => Epoch::FIRST,
        };
        self.flushed = self.clock;
    }

    /// Flushes every guest translation.
    #[inline(always)]
    pub(crate) fn flush<M: Machine>(&mut self, machine: &mut M) {
        machine.flush_all();
        self.flushed_now();
    }

    /// Flushes unless it has happened since `stamp`.
    #[inline(always)]
    pub(crate) fn flush_since<M: Machine>(&mut self, machine: &mut M, stamp: Epoch) {
        if self.may_be_cached(stamp) {
            self.flush(machine);
        }
    }

    /// Flushes one page's translation, which does not count as a flush.
    #[inline(always)]
    pub(crate) fn flush_page<M: Machine>(&mut self, machine: &mut M, address: VirtAddr) {
        machine.flush_page(address);
    }

    /// Translates through `root`, if the processor does not already.
    #[inline(always)]
    pub(crate) fn load_root<M: Machine>(&mut self, machine: &mut M, root: Option<Mfn>) {
        if self.root != root {
            machine.load_root(root);
            self.root = root;
            self.flushed_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Advisories: XSA-241
    #[test]
    fn a_stamp_is_clean_only_after_a_flush() {
        let mut tlb = Tlb::new();
        assert!(!tlb.may_be_cached(Epoch::NEVER));
        let stamp = tlb.now();
        assert!(tlb.may_be_cached(stamp));
        tlb.flushed_now();
        assert!(!tlb.may_be_cached(stamp));
        assert!(tlb.may_be_cached(tlb.now()));
    }

    /// Clauses: FRAME.18
    /// Advisories: XSA-241
    #[test]
    fn a_wrap_of_the_clock_never_hides_a_stale_translation() {
        let last = Epoch(u32::MAX);
        let mut tlb = Tlb { clock: last, flushed: last, root: None };
        let before = tlb.now();
        tlb.flushed_now();
        let after = tlb.now();
        assert_eq!(after, Epoch::FIRST);
        // The stamp from before the wrap costs a flush too many; one made now is seen.
        assert!(tlb.may_be_cached(before));
        assert!(tlb.may_be_cached(after));
        tlb.flushed_now();
        assert!(!tlb.may_be_cached(after));
    }
}
