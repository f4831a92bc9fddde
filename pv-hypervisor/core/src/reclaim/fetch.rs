//! A page that is away comes back into a frame, a block at a time; then it is in the state in which it
//! was put away, and whoever uses it has it at once.

use super::pack::{BLOCK_BYTES, BLOCK_WORDS, BLOCKS, HEADER};
use super::{Parcel, Reclaim};
use crate::domain::Slot;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::share::{Away, Backing, Page, PageIndex, PageName};
use crate::state::State;
use hypercall_abi::{Error, Mfn};
use zerocopy::IntoBytes;

impl<P: Platform> State<P> {
    /// One bounded piece of bringing a page back that is away and in no frame.
    ///
    /// # Errors
    /// [`Error::NoMemory`], with nothing changed.
    pub(crate) fn fetch_piece<M: Machine>(
        &mut self,
        machine: &mut M,
        index: PageIndex,
    ) -> Result<(), Error> {
        let Page { backing, slot, .. } = *self.sharing.records.page(index);
        let Backing::Away(away) = backing else { return Ok(()) };
        let away = match away {
            Away::Frame(frame) => Away::Frame(frame),
            // What is taken is zeros.
            Away::Zeros => Away::Frame(self.frame_for_fetch(machine, slot)?),
            Away::Swapped(place) => self.begin_reading(machine, index, place)?,
            // The device says when it has ended.
            Away::Reading { .. } => return Ok(()),
            Away::Parcel(parcel) => {
                let frame = self.frame_for_fetch(machine, slot)?;
                Away::Unpacking { parcel, frame, blocks: 0 }
            }
            Away::Unpacking { parcel, frame, blocks } => {
                self.unpack(machine, parcel, frame, usize::from(blocks));
                if usize::from(blocks) + 1 == BLOCKS {
                    self.reclaim.parcels.drop(parcel);
                    Away::Frame(frame)
                } else {
                    Away::Unpacking { parcel, frame, blocks: blocks + 1 }
                }
            }
        };
        self.sharing.records.set_backing(index, Backing::Away(away));
        Ok(())
    }

    /// A frame of zeros that backs one page, which no entry names.
    pub(super) fn frame_for_fetch<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
    ) -> Result<Mfn, Error> {
        let frame = self.take_frame(machine, slot).ok_or(Error::NoMemory)?;
        let group = self.group_of(slot);
        self.frames.begin_sharing(frame, group, false);
        // The page is counted as one without a frame of its own.
        self.domain_mut(slot).frames -= 1;
        Ok(frame)
    }

    fn unpack<M: Machine>(&mut self, machine: &mut M, parcel: Parcel, frame: Mfn, block: usize) {
        let mut lengths = [[0u8; 2]; BLOCKS];
        self.reclaim.parcels.read(parcel, 0, lengths.as_mut_bytes());
        let length = |at: usize| usize::from(u16::from_le_bytes(lengths[at]));
        let offset = HEADER + (0..block).map(length).sum::<usize>();
        let mut packed = [0; BLOCK_BYTES];
        let packed = &mut packed[..length(block).min(BLOCK_BYTES)];
        self.reclaim.parcels.read(parcel, offset, packed);
        let mut words = [0u64; BLOCK_WORDS];
        if packed.len() == BLOCK_BYTES {
            words.as_mut_bytes().copy_from_slice(packed);
        } else {
            let unpacked = lz4_flex::block::decompress_into(packed, words.as_mut_bytes());
            debug_assert!(unpacked.is_ok_and(|length| length == BLOCK_BYTES), "it was packed so");
        }
        machine.write_block(frame, block * BLOCK_WORDS, &words);
    }

    /// Gives up what is in a page without a frame of its own: its domain ends.
    pub(crate) fn forget_content(&mut self, page: &Page) {
        match page.backing {
            Backing::Shared(_) | Backing::Away(Away::Frame(_) | Away::Zeros) => {}
            Backing::Away(Away::Parcel(parcel) | Away::Unpacking { parcel, .. }) => {
                self.reclaim.parcels.drop(parcel);
            }
            Backing::Away(Away::Swapped(place)) => self.reclaim.swap.give_back(place),
            Backing::Away(Away::Reading { .. }) => {
                unreachable!("the end of a domain waits for the device")
            }
        }
        if let Some(frame) = page.frame() {
            self.frames.drop_sharer(frame);
        }
    }
}

impl Reclaim {
    /// A page has its frame again. What was compressed of it so far, or is being written, is not what may be in it when it
    /// is put away the next time.
    pub(crate) fn came_back(&mut self, name: PageName) {
        self.counters.returned += 1;
        if self.packing.as_ref().is_some_and(|packing| packing.name == name) {
            self.packing = None;
        }
        for writing in self.writing.iter_mut().filter(|writing| writing.name == name) {
            writing.used = true;
        }
    }
}
