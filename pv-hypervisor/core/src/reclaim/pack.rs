//! What was put away is compressed, a block at a time, and its frame goes.
//!
//! A page that does not get small enough, or for which there is no room, goes to the swap device;
//! without one it comes back, and its domain keeps the frame.

use super::parcels::MAX_PARCEL;
use crate::domain::Slot;
use crate::machine::{FRAME_WORDS, Machine};
use crate::platform::Platform;
use crate::share::{Away, Backing, PageIndex, PageName};
use crate::state::State;
use alloc::vec::Vec;
use hypercall_abi::Mfn;
use zerocopy::IntoBytes;

/// Blocks of a page, each compressed by itself, so that one step of the hypervisor's is short.
pub(super) const BLOCKS: usize = 16;

/// Words and bytes of a block.
pub(super) const BLOCK_WORDS: usize = FRAME_WORDS / BLOCKS;
pub(super) const BLOCK_BYTES: usize = 8 * BLOCK_WORDS;

/// A parcel begins with the lengths of its blocks; one of [`BLOCK_BYTES`] is not compressed.
pub(super) const HEADER: usize = 2 * BLOCKS;

/// Bytes that the compressor may want for a block.
const ROOM: usize = 320;
const _: () = assert!(ROOM >= 20 + BLOCK_BYTES * 11 / 10);

/// A page that is being compressed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Packing {
    pub(super) name: PageName,
    frame: Mfn,
    block: usize,
    bytes: Vec<u8>,
    /// It is not kept compressed: the next step swaps it.
    swaps: bool,
}

impl<P: Platform> State<P> {
    /// One bounded step of packing. False when there is nothing to pack.
    pub(super) fn pack_step<M: Machine>(&mut self, machine: &mut M) -> bool {
        let Some(mut packing) = self.reclaim.packing.take().or_else(|| self.next_packing()) else {
            return false;
        };
        // It may have come back, or its domain may have ended.
        let Some(index) = self.still_in(packing.name, packing.frame) else { return true };
        if packing.swaps {
            return self.swap_out(machine, index, packing);
        }
        let mut words = [0; BLOCK_WORDS];
        machine.read_block(packing.frame, packing.block * BLOCK_WORDS, &mut words);
        let whole = packing.add(words.as_bytes());
        if whole && let Some(parcel) = self.reclaim.parcels.keep(&packing.bytes) {
            self.reclaim.counters.compressed += 1;
            self.reclaim.counters.compressed_bytes += packing.bytes.len() as u64;
            self.leave_frame(index, packing.frame, Away::Parcel(parcel));
        } else {
            packing.swaps = whole || packing.bytes.len() > MAX_PARCEL;
            self.reclaim.packing = Some(packing);
        }
        true
    }

    fn next_packing(&mut self) -> Option<Packing> {
        let mut bytes = Vec::new();
        if self.reclaim.waiting.is_empty()
            || bytes.try_reserve_exact(HEADER + BLOCKS * BLOCK_BYTES).is_err()
        {
            return None;
        }
        let name = self.reclaim.waiting.pop()?;
        let slot = Slot::of(name.domain)?;
        let index = self.sharing.records.find_page(slot, name.page)?;
        let Backing::Away(Away::Frame(frame)) = self.sharing.records.page(index).backing else {
            return None;
        };
        bytes.resize(HEADER, 0);
        Some(Packing { name, frame, block: 0, bytes, swaps: false })
    }

    /// The record of a page that is away, in that frame.
    pub(super) fn still_in(&self, name: PageName, frame: Mfn) -> Option<PageIndex> {
        let slot = Slot::of(name.domain)?;
        self.domain_of(name.domain)?;
        let index = self.sharing.records.find_page(slot, name.page)?;
        let backing = self.sharing.records.page(index).backing;
        (backing == Backing::Away(Away::Frame(frame))).then_some(index)
    }

    /// Begins to write a page to the swap device. False: it has to wait for the device.
    fn swap_out<M: Machine>(
        &mut self,
        machine: &mut M,
        index: PageIndex,
        packing: Packing,
    ) -> bool {
        let Some(place) = self.reclaim.swap.take() else {
            self.stays(machine, index);
            return true;
        };
        let begun = self.begin_writing(machine, packing.name, packing.frame, place);
        if !begun {
            self.reclaim.swap.give_back(place);
            self.reclaim.packing = Some(packing);
        }
        begun
    }

    /// A page that can be kept nowhere else comes back.
    pub(super) fn stays<M: Machine>(&mut self, machine: &mut M, index: PageIndex) {
        self.reclaim.counters.refused += 1;
        // It has its frame, so that this takes none; if another page shares it, it stays.
        let _ = self.unshare(machine, index);
    }

    pub(super) fn leave_frame(&mut self, index: PageIndex, frame: Mfn, away: Away) {
        self.reclaim.fruitless = 0;
        self.sharing.records.set_backing(index, Backing::Away(away));
        self.frames.drop_sharer(frame);
    }
}

impl Packing {
    /// Compresses the next block; whether it was the last.
    fn add(&mut self, block: &[u8]) -> bool {
        let mut room = [0; ROOM];
        let length = match lz4_flex::block::compress_into(block, &mut room) {
            Ok(length) if length < BLOCK_BYTES => {
                self.bytes.extend_from_slice(&room[..length]);
                length
            }
            _ => {
                self.bytes.extend_from_slice(block);
                BLOCK_BYTES
            }
        };
        let at = 2 * self.block;
        self.bytes[at..at + 2].copy_from_slice(&(length as u16).to_le_bytes());
        self.block += 1;
        self.block == BLOCKS
    }
}
