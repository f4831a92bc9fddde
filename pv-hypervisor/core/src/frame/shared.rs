//! Frames that pages share: how a frame becomes one, gains and loses pages, and stops being one.

use super::{Frame, FrameTable, GroupKey, Owned, Shared};
use crate::share::SharingTotals;
use hypercall_abi::{DomainId, Mfn};

impl FrameTable {
    /// The state of a frame that pages share.
    pub(crate) fn shared(&self, frame: Mfn) -> Option<&Shared> {
        match self.get(frame) {
            Ok(Frame::Shared(shared)) => Some(shared),
            _ => None,
        }
    }

    /// The state of a frame that pages share, to be changed.
    pub(crate) fn shared_mut(&mut self, frame: Mfn) -> Option<&mut Shared> {
        match self.index(frame).map(|index| &mut self.frames[index]) {
            Some(Frame::Shared(shared)) => Some(shared),
            _ => None,
        }
    }

    /// Makes an owned frame one that pages share. The one page that it backs so far has all
    /// the references but the owner's, all for reading.
    pub(crate) fn begin_sharing(&mut self, frame: Mfn, group: GroupKey, zero: bool) {
        let owned = *self.held(frame);
        debug_assert!(owned.type_count == 0 && owned.kind == super::Type::None);
        let (entries, epoch) = (owned.references - 1, owned.epoch);
        let index = (frame.0 - self.base.0) as usize;
        self.frames[index] = Frame::Shared(Shared { sharers: 1, entries, epoch, group, zero });
        self.sharing.frames += 1;
        self.count_sharer(zero, true);
    }

    fn count_sharer(&mut self, zero: bool, more: bool) {
        let SharingTotals { pages, zero_pages, .. } = &mut self.sharing;
        for count in [Some(pages), zero.then_some(zero_pages)].into_iter().flatten() {
            *count = if more { *count + 1 } else { *count - 1 };
        }
    }

    /// Adds a page to a shared frame, with so many entries.
    pub(crate) fn add_sharer(&mut self, frame: Mfn, entries: u32) {
        let Some(shared) = self.shared_mut(frame) else { return };
        shared.sharers += 1;
        shared.entries += entries;
        let zero = shared.zero;
        self.count_sharer(zero, true);
    }

    /// Makes a frame that a single page is backed by the frame of that page's domain again,
    /// named by nothing.
    pub(crate) fn end_sharing(&mut self, frame: Mfn, owner: DomainId) {
        if let Some(Shared { sharers: 1, entries: 0, epoch, zero, .. }) =
            self.shared(frame).copied()
        {
            self.sharing.frames -= 1;
            self.count_sharer(zero, false);
            let index = (frame.0 - self.base.0) as usize;
            self.frames[index] = Frame::Owned(Owned { epoch, ..Owned::new(owner) });
        }
    }

    /// Takes one page away from a shared frame, which goes with the last.
    pub(crate) fn drop_sharer(&mut self, frame: Mfn) {
        let Some(shared) = self.shared_mut(frame) else { return };
        debug_assert!(shared.sharers > 0, "a sharer that it has not");
        shared.sharers -= 1;
        let Shared { sharers, entries, epoch, zero, .. } = *shared;
        self.count_sharer(zero, false);
        if sharers == 0 {
            self.sharing.frames -= 1;
            debug_assert!(entries == 0, "an entry without a sharer");
            self.push_dirty((frame.0 - self.base.0) as usize, epoch);
        }
    }
}
