//! Frames and what is cached of them, as bytes.

use super::{Encoder, NO_LABEL, SLOTS};
use crate::domain::Slot;
use crate::format::Format;
use crate::frame::{Frame, Hold, Owned, Type};
use crate::machine::Machine;
use crate::model::ModelMachine;
use crate::platform::Platform;
use alloc::vec::Vec;
use hypercall_abi::Mfn;

impl<P: Platform> Encoder<'_, P> {
    /// Every frame, in the order of the labels. When those met so far are written, the next is
    /// the one that looks least.
    pub(super) fn frames(&mut self) {
        let mut written = 0;
        loop {
            while let Some(index) = self.met.get(written).copied() {
                self.one_frame(usize::from(index));
                written += 1;
            }
            let unmet =
                (0..self.state.frames.len()).filter(|index| self.labels[*index] == NO_LABEL);
            let Some(next) = unmet.min_by_key(|index| self.sketch(*index)) else { break };
            let _ = self.label(self.number_of(next));
        }
    }

    fn number_of(&self, index: usize) -> Mfn {
        Mfn(self.state.frames.base().0 + index as u64)
    }

    fn one_frame(&mut self, index: usize) {
        let frame = self.number_of(index);
        match self.state.frames.get(frame) {
            Err(_) => self.byte(0),
            Ok(Frame::Reserved) => self.byte(1),
            Ok(Frame::Hypervisor) => self.byte(2),
            Ok(Frame::Free { next: _, previous: _ }) => self.byte(3),
            Ok(Frame::Dirty { next: _, previous: _, epoch }) => {
                self.byte(4);
                let stale = self.state.tlb.may_be_cached(*epoch);
                self.flag(stale);
                if stale {
                    // It may still be walked as a table. Otherwise nobody sees it again.
                    self.entries(frame);
                }
            }
            Ok(Frame::Spare { .. }) => unreachable!("nothing is kept in a search"),
            Ok(Frame::Shared(_)) => unreachable!("nothing is shared in a search"),
            Ok(Frame::Owned(owned)) => {
                let Owned { references, type_count, epoch, owner, kind, hold } = owned;
                self.byte(5);
                self.domain_id(*owner);
                self.number(u64::from(*references));
                self.number(u64::from(*type_count));
                self.flag(self.state.tlb.may_be_cached(*epoch));
                self.byte(kind_code(*kind));
                self.byte(hold_code(*hold));
                if !self.is_interface(frame) {
                    self.entries(frame);
                }
            }
        }
    }

    /// A vCPU page or an argument frame: what of it matters is written with the vCPU.
    fn is_interface(&self, frame: Mfn) -> bool {
        let vcpus = self.state.vcpus[..SLOTS].iter().flatten();
        vcpus.into_iter().any(|vcpu| vcpu.page == frame || vcpu.arguments == frame)
    }

    fn entries(&mut self, frame: Mfn) {
        for word in 0..P::Format::ENTRIES {
            let value = self.machine.read(frame, word);
            self.word(value);
        }
    }

    /// How a frame looks that nothing so far has named.
    fn sketch(&self, index: usize) -> [u8; 16] {
        let frame = self.number_of(index);
        let mut sketch = [0; 16];
        if let Ok(Frame::Owned(owned)) = self.state.frames.get(frame) {
            let place = Slot::of(owned.owner).and_then(|slot| self.place.get(slot.index()));
            sketch[0] = place.map_or(NO_LABEL, |place| *place);
            sketch[1] = kind_code(owned.kind);
            sketch[2] = hold_code(owned.hold);
            sketch[3] = owned.references as u8;
            sketch[4] = owned.type_count as u8;
            sketch[5] = u8::from(self.state.tlb.may_be_cached(owned.epoch));
        }
        for word in 0..P::Format::ENTRIES.min(2) {
            let value = self.machine.read(frame, word);
            let named = Mfn(value >> 8);
            sketch[6 + 2 * word] = value as u8;
            sketch[7 + 2 * word] = match self.index(named) {
                _ if named == frame => 0xfd,
                Some(index) if self.labels[index] == NO_LABEL => 0xfe,
                Some(index) => self.labels[index],
                None => 0xfc,
            };
        }
        for cached in self.machine.cached().filter(|cached| cached.frame == frame) {
            sketch[10] |= 1 << (2 * cached.page.0.min(3) + u64::from(cached.writable));
        }
        sketch
    }

    /// What the processor has cached; every frame has its label by now.
    pub(super) fn cache(&mut self) {
        let mut rows: Vec<[u8; 5]> = Vec::new();
        let ModelMachine {
            frames: _,
            root,
            leaves,
            tables,
            clock: _,
            alarm: _,
            console: _,
            flushes: _,
            swap_pages: _,
            swap_depth: _,
            swap_waits: _,
            swap_fails: _,
            transfers: _,
            swapped: _,
            format: _,
        } = self.machine;
        let name = |frame: Mfn| self.index(frame).map_or(NO_LABEL, |index| self.labels[index]);
        rows.push([0, root.map_or(NO_LABEL, name), 0, 0, 0]);
        for cached in leaves {
            let page = cached.page.0 as u8;
            let (root, frame) = (name(cached.root), name(cached.frame));
            rows.push([1 + u8::from(cached.writable), root, page, frame, 0]);
        }
        for ((root, level, prefix), table) in tables {
            rows.push([3, name(*root), level.number(), *prefix as u8, name(*table)]);
        }
        rows.sort_unstable();
        rows.iter().for_each(|row| self.out.extend_from_slice(row));
    }
}

fn kind_code(kind: Type) -> u8 {
    match kind {
        Type::None => 0,
        Type::WasTable => 1,
        Type::Writable => 2,
        Type::Table(level) => 3 + level.number(),
    }
}

fn hold_code(hold: Hold) -> u8 {
    match hold {
        Hold::Unheld => 0,
        Hold::Promoting => 1,
        Hold::Valid => 2,
        Hold::Pinned => 3,
        Hold::Demoting => 4,
    }
}
