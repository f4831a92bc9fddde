//! What a guest kernel lends to its balloon.

use hypercall_abi::{Error, Mfn, Pfn, balloon_statistics::BalloonStatistics};

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
