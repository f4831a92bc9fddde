//! Where the frames of a new domain come from: scattered ones, or whole blocks.

use super::BuildError;
use super::layout::{Layout, P2M_PFN};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::state::State;
use alloc::vec::Vec;
use core::ops::Range;
use hypercall_abi::Mfn;
use hypercall_abi::extent::EXTENT_FRAMES;

/// Blocks that were taken for a domain and how far they are used. Empty: frames are taken one by one.
pub(super) struct Supply {
    /// The first frames of blocks, the last of which is used first, for 512 pages in a row each.
    runs: Vec<Mfn>,
    /// The page from which on runs are used, and the first that has no run any more.
    pages: Range<u64>,
    /// What is left of the block that single pages come from.
    rest: Range<u64>,
    contiguous: bool,
}

impl Supply {
    /// Takes the runs first of all: single frames would break the blocks.
    pub(super) fn new<P: Platform, M: Machine>(
        state: &mut State<P>,
        machine: &mut M,
        slot: Slot,
        layout: &Layout,
        contiguous: bool,
    ) -> Result<Supply, BuildError> {
        let start = (P2M_PFN + layout.p2m_pages).next_multiple_of(EXTENT_FRAMES);
        let mut supply = Supply { runs: Vec::new(), pages: start..start, rest: 0..0, contiguous };
        let wanted = layout.frames.saturating_sub(start) / EXTENT_FRAMES;
        if contiguous {
            supply.runs.try_reserve_exact(wanted as usize).map_err(|_| BuildError::NoHeap)?;
            while (supply.runs.len() as u64) < wanted
                && let Some(first) = state.take_block_now(machine, slot)
            {
                supply.runs.push(first);
            }
            supply.pages.end += supply.runs.len() as u64 * EXTENT_FRAMES;
        }
        Ok(supply)
    }

    /// The frame of a page; pages are asked for in order.
    pub(super) fn page<P: Platform, M: Machine>(
        &mut self,
        state: &mut State<P>,
        machine: &mut M,
        slot: Slot,
        pfn: u64,
    ) -> Option<Mfn> {
        if !self.pages.contains(&pfn) {
            return self.single(state, machine, slot);
        }
        let run = self.runs[((pfn - self.pages.start) / EXTENT_FRAMES) as usize];
        Some(Mfn(run.0 + pfn % EXTENT_FRAMES))
    }

    /// A frame for a page of its own.
    pub(super) fn single<P: Platform, M: Machine>(
        &mut self,
        state: &mut State<P>,
        machine: &mut M,
        slot: Slot,
    ) -> Option<Mfn> {
        if self.contiguous
            && self.rest.is_empty()
            && let Some(first) = state.take_block_now(machine, slot)
        {
            self.rest = first.0..first.0 + EXTENT_FRAMES;
        }
        self.rest.next().map(Mfn).or_else(|| state.take_frame(machine, slot))
    }

    /// Gives back what no page needed.
    pub(super) fn give_rest_back<P: Platform>(self, state: &mut State<P>, slot: Slot) {
        for frame in self.rest {
            state.frames.release(Mfn(frame));
            state.domain_mut(slot).frames -= 1;
        }
        let domain = state.domain_mut(slot);
        domain.counters.peak_frames = domain.frames;
    }
}
