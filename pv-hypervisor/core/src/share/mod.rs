//! Pages that share a frame: which domains may, which pages, and how a page gets into that state
//! and out of it.
//!
//! - `merge`: two pages with the same content are backed by one frame.
//! - `sweep`: the entries that map a page are found, by a look at every level-1 table.
//! - `unshare`: a page that is written, or that its domain asks for, gets a frame of its own.
//! - `scan`, `hints`, `hash`, `xxh3`: pages that are alike are found by their hashes.
//! - `records`: what is known of pages that share, and of their entries.
//!
//! A guest takes part by registering its P2M and by advising which pages may be shared; what it
//! says is never believed further than the frame table bears out. What follows from the guest's
//! own tables is rewritten there: the guest keeps its page tables as the processor has them, and
//! names frames in them by number, or pages where the frame may change.

mod candidates;
mod hash;
mod hints;
mod look;
mod merge;
mod movable;
mod records;
mod scan;
mod sweep;
mod unshare;
mod xxh3;

pub(crate) use candidates::Candidates;
pub use candidates::{PageName, Side};
pub use hash::HashKind;
pub use hints::{RECORD_BYTES, Record};
pub(crate) use look::{Look, Looked};
pub use merge::Unmerged;
pub use movable::Movable;
pub(crate) use movable::NextPage;
pub(crate) use records::{Away, Backing, EntryPlace, Index as PageIndex, Page, Records};
pub(crate) use scan::is_zero;
pub use scan::{ScanConfig, ScanCounters};

use crate::domain::Slot;
use crate::frame::GroupKey;
use crate::platform::Platform;
use crate::state::State;
use scan::Scanner;

/// What is shared on the whole machine, and what is under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sharing {
    pub(crate) records: Records,
    pub(crate) candidates: Candidates,
    /// Frames that are kept for pages that are written: with fewer, nothing more is merged and
    /// no balloon gets one.
    pub(crate) reserve: u64,
    /// Whether a vCPU may be waiting for a frame, or the swap device is at work.
    pub(crate) waiting: bool,
    /// Who looks for pages that are alike; nobody without it.
    pub(crate) scanner: Option<Scanner>,
    /// What was shared when most was saved.
    pub(crate) peak: SharingTotals,
    /// What has been done.
    pub counters: SharingCounters,
}

/// What sharing has done since the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SharingCounters {
    /// Pages that were merged into a frame of another page.
    pub merged: u64,
    /// Pages that got a frame of their own again.
    pub broken: u64,
    /// Pairs that were compared and differed.
    pub differed: u64,
    /// Pairs of which a page had changed its frame, was not to be shared any more or was held by
    /// more than the entries that map it.
    pub unmovable: u64,
    /// Pairs for which there was no room, or no reserve.
    pub no_room: u64,
    /// Times that a vCPU had to wait for a frame.
    pub waits: u64,
}

/// What is shared now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SharingTotals {
    /// Frames that back pages of which each could have had its own.
    pub frames: u64,
    /// Pages that they back.
    pub pages: u64,
    /// Of these, pages of zeros.
    pub zero_pages: u64,
}

impl SharingTotals {
    /// Frames that are not needed because of it.
    pub fn saved(&self) -> u64 {
        self.pages.saturating_sub(self.frames)
    }
}

impl Sharing {
    pub(crate) const OFF: Sharing = Sharing {
        records: Records::NONE,
        candidates: Candidates::NONE,
        reserve: 0,
        waiting: false,
        scanner: None,
        peak: SharingTotals { frames: 0, pages: 0, zero_pages: 0 },
        counters: SharingCounters {
            merged: 0,
            broken: 0,
            differed: 0,
            unmovable: 0,
            no_room: 0,
            waits: 0,
        },
    };
}

impl<P: Platform> State<P> {
    /// Lets pages share frames from now on: as many as `pages` at most, and `reserve` frames are
    /// kept for when they are written. False when the heap has no room for it.
    pub fn enable_sharing(&mut self, pages: usize, reserve: u64) -> bool {
        let made = Records::new(pages, pages.saturating_mul(2)).zip(Candidates::new());
        let Some((records, candidates)) = made else { return false };
        self.sharing = Sharing { records, candidates, reserve, ..Sharing::OFF };
        true
    }

    /// Puts a domain into a sharing group, 1 to [`MAX_GROUP`](crate::frame::MAX_GROUP); 0 is a group of its own.
    pub fn set_sharing_group(&mut self, slot: Slot, group: u8) {
        self.domain_mut(slot).movable.group = group.min(crate::frame::MAX_GROUP);
    }

    /// What was shared when most was saved.
    pub fn sharing_peak(&self) -> SharingTotals {
        self.sharing.peak
    }

    /// What is shared now.
    pub fn sharing_totals(&self) -> SharingTotals {
        self.frames.sharing
    }

    /// Whose pages a page of that domain's may share a frame with.
    pub(crate) fn group_of(&self, slot: Slot) -> GroupKey {
        match self.domain(slot).movable.group {
            0 => GroupKey::alone(slot),
            group => GroupKey::of_group(group),
        }
    }

    /// Whether the hypervisor has so many frames to give away beyond its reserve.
    pub(crate) fn has_spare_frames(&self, frames: u64) -> bool {
        self.frames.unowned().saturating_sub(self.sharing.reserve) >= frames
    }
}
