//! What a guest kernel lends to its balloon.

use hypercall_abi::{
    Error, Mfn, Pfn, balloon_statistics::BalloonStatistics, extent::EXTENT_FRAMES,
};

/// How far a call of the hypervisor came: a prefix of what was asked took effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Elements that took effect, counted from the first.
    pub done: u64,
    /// Why it was not all of them; `None` when it was.
    pub refused: Option<Error>,
}

/// The guest kernel as its balloon sees it.
///
/// A page is in one place at a time: with the allocator, with its user, or with the balloon
/// (between [`take_page`](Self::take_page) and [`give_page`](Self::give_page)). A page of the
/// balloon is a hole, or it has a frame.
///
/// # Extents
///
/// An extent is 512 frames that the hypervisor takes and gives by one number. A kernel that knows
/// which of its pages have one behind them says so in the methods about extents; the frames go up by
/// one as the pages do. A kernel that leaves them as they are has none, and moves single pages.
pub trait BalloonPort {
    /// Takes a free page, which has a frame and is mapped by nothing but the kernel's own map
    /// of memory. `None`: the kernel has none to spare.
    fn take_page(&mut self) -> Option<Pfn>;

    /// Gives a page that has a frame and is mapped back to the allocator.
    fn give_page(&mut self, page: Pfn);

    /// The frame behind a page; `None` for a hole.
    fn frame_of(&self, page: Pfn) -> Option<Mfn>;

    /// Takes the pages out of the kernel's own map of memory. They are pages of the balloon.
    /// Returns how many, from the first, are out of it now; the others are as they were.
    fn unmap(&mut self, pages: &[Pfn]) -> usize;

    /// Forgets cached translations of pages that were unmapped.
    fn flush(&mut self);

    /// Puts pages that have frames back into the kernel's own map. Returns how many, from the
    /// first, are in it now; the others are as they were.
    fn map(&mut self, pages: &[Pfn]) -> usize;

    /// `balloon_inflate` of these frames, in order; at most [`STEP_PAGES`](crate::STEP_PAGES).
    fn release(&mut self, frames: &[Mfn]) -> Answer;

    /// The page has no frame any more: makes it a hole.
    fn make_hole(&mut self, page: Pfn);

    /// `balloon_deflate`: writes the frames that came to the front of `frames`, which is as
    /// long as the number wanted.
    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer;

    /// Backs a hole with a frame and says which page it is. `None`: there is no hole, or the
    /// frame is one that the guest has already, or no frame at all.
    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn>;

    /// `balloon_report` of free memory: as [`release`](Self::release). A kernel that does not report
    /// refuses.
    fn report(&mut self, frames: &[Mfn]) -> Answer {
        let _ = frames;
        Answer { done: 0, refused: Some(Error::UnknownCall) }
    }

    /// Takes 512 free pages that follow one another and have an extent behind them: the first. What it
    /// costs must not grow with the memory that there is. `None`: the kernel knows of none to spare.
    fn take_extent(&mut self) -> Option<Pfn> {
        None
    }

    /// Whether extents are worth waiting for: some of the kernel's pages have one behind them, in use
    /// as they may be.
    fn knows_extents(&self) -> bool {
        false
    }

    /// Gives the pages of an extent back, as [`give_page`](Self::give_page) does each.
    fn give_extent(&mut self, first: Pfn) {
        (first.0..first.0 + EXTENT_FRAMES).for_each(|page| self.give_page(Pfn(page)));
    }

    /// As [`unmap`](Self::unmap), of the pages of the extents that begin there, and by whole tables: how
    /// many extents, from the first, are out of the map now. The others are as they were, and are unmapped
    /// page by page; a kernel that does not do this does none.
    fn unmap_extents(&mut self, firsts: &[Pfn]) -> usize {
        let _ = firsts;
        0
    }

    /// As [`map`](Self::map), of extents: as [`unmap_extents`](Self::unmap_extents).
    fn map_extents(&mut self, firsts: &[Pfn]) -> usize {
        let _ = firsts;
        0
    }

    /// `balloon_inflate` of the extents that begin there, in order; at most
    /// [`STEP_EXTENTS`](crate::STEP_EXTENTS).
    fn release_extents(&mut self, firsts: &[Mfn]) -> Answer {
        let _ = firsts;
        Answer { done: 0, refused: Some(Error::UnknownCall) }
    }

    /// `balloon_report` of free memory in extents: as [`release_extents`](Self::release_extents).
    fn report_extents(&mut self, firsts: &[Mfn]) -> Answer {
        let _ = firsts;
        Answer { done: 0, refused: Some(Error::UnknownCall) }
    }

    /// Extents that the holes have room for.
    fn extent_room(&self) -> u64 {
        0
    }

    /// `balloon_deflate` of extents: as [`obtain`](Self::obtain), with the first frame of each.
    fn obtain_extents(&mut self, firsts: &mut [Mfn]) -> Answer {
        let _ = firsts;
        Answer { done: 0, refused: Some(Error::UnknownCall) }
    }

    /// Backs 512 holes that follow one another with an extent, and says which is the first. `None`,
    /// and nothing has changed: there are none, or one of the frames is no new frame.
    fn fill_extent(&mut self, first: Mfn) -> Option<Pfn> {
        let _ = first;
        None
    }

    /// `balloon_report` of statistics; whether they were taken.
    fn tell(&mut self, statistics: &BalloonStatistics) -> bool {
        let _ = statistics;
        false
    }

    /// Frames that the guest owns now.
    fn owned_frames(&mut self) -> u64;

    /// Frames that the operator would like it to own (`target_frames` of `domain_query`).
    fn target_frames(&mut self) -> u64;
}
