//! The driver: inflate, deflate, follow the target. Much memory goes in whole extents where the
//! kernel has such, see [`extents`]; here is how single pages go.

mod extents;

pub use extents::STEP_EXTENTS;

use crate::{Answer, BalloonPort, Report, Statistics, Stop};
use heapless::Vec;
use hypercall_abi::{Error, Mfn, Pfn, calls::balloon_inflate};

/// Single pages that one step moves at most: what one call takes.
pub const STEP_PAGES: usize = balloon_inflate::MAX_FRAMES as usize;

/// Pages refused as `Busy` that the balloon holds at most until they can go.
pub const MAX_SET_ASIDE: usize = 64;

type Pages = Vec<Pfn, STEP_PAGES>;

/// The balloon of one guest.
///
/// It holds no list of its holes, which the guest's map knows already, but only how many
/// there are, and the pages that were refused as `Busy`: they are unmapped, have their frame,
/// are tried again first when the balloon inflates, and are the first to go back when it
/// deflates.
#[derive(Debug, Default)]
pub struct Balloon {
    holes: u64,
    set_aside: Vec<Pfn, MAX_SET_ASIDE>,
    /// Steps that ask for single frames alone, as there was no extent to be had.
    singles: u8,
    statistics: Statistics,
}

/// How frames go: by the balloon's call, or by the one that offers them.
#[derive(Clone, Copy, Debug)]
enum Way {
    Release,
    Report,
}

impl Way {
    fn pages<P: BalloonPort>(self, port: &mut P, frames: &[Mfn]) -> Answer {
        match self {
            Way::Release => port.release(frames),
            Way::Report => port.report(frames),
        }
    }

    fn extents<P: BalloonPort>(self, port: &mut P, firsts: &[Mfn]) -> Answer {
        match self {
            Way::Release => port.release_extents(firsts),
            Way::Report => port.report_extents(firsts),
        }
    }
}

impl Balloon {
    /// A balloon that has taken so many pages before anybody knew of it: holes with which the
    /// guest started.
    pub fn with_holes(holes: u64) -> Balloon {
        Balloon { holes, ..Balloon::new() }
    }

    /// An empty balloon.
    pub const fn new() -> Balloon {
        Balloon {
            holes: 0,
            set_aside: Vec::new(),
            singles: 0,
            statistics: Statistics {
                inflated: 0,
                deflated: 0,
                extents_inflated: 0,
                extents_deflated: 0,
                inflate_calls: 0,
                deflate_calls: 0,
                set_aside: 0,
                returned: 0,
                rejected: 0,
                stranded: 0,
            },
        }
    }

    /// Pages whose frames the hypervisor has.
    pub const fn size(&self) -> u64 {
        self.holes
    }

    /// Pages that wait, unmapped, until nothing refers to their frames any more.
    pub fn set_aside(&self) -> &[Pfn] {
        &self.set_aside
    }

    /// Counts since the beginning.
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Goes one bounded step towards the target, of at most [`STEP_EXTENTS`] extents or
    /// [`STEP_PAGES`] pages. `None`: the guest owns what it should.
    pub fn follow_target<P: BalloonPort>(&mut self, port: &mut P) -> Option<Report> {
        let owned = port.owned_frames();
        let target = port.target_frames();
        if owned > target {
            Some(self.inflate_step(port, owned - target))
        } else if owned < target && self.holes > 0 {
            Some(self.deflate_step(port, target - owned))
        } else {
            None
        }
    }

    /// Gives up to `pages` frames to the hypervisor.
    ///
    /// Goes on after a page that is `Busy`, which it sets aside; stops at the first other
    /// refusal. Whatever it says, a page that was taken and did not become a hole is set aside
    /// or with the allocator again.
    pub fn inflate<P: BalloonPort>(&mut self, port: &mut P, pages: usize) -> Report {
        repeat(pages as u64, |left| self.inflate_step(port, left))
    }

    /// [`inflate`](Self::inflate), by what becomes of the memory: the hypervisor reclaims it.
    pub fn reclaim<P: BalloonPort>(&mut self, port: &mut P, pages: usize) -> Report {
        self.inflate(port, pages)
    }

    /// One bounded step of [`inflate`](Self::inflate): whole extents if `pages` are that many and
    /// the kernel has some, else single pages. It is [`Stop::Complete`] when nothing is in the way
    /// of the next.
    pub fn inflate_step<P: BalloonPort>(&mut self, port: &mut P, pages: u64) -> Report {
        match self.give_extents(port, pages, Way::Release) {
            Some(report) => report,
            None => self.give_pages(port, bounded(pages), Way::Release),
        }
    }

    /// One bounded step, as [`inflate_step`](Self::inflate_step), of free memory that is offered
    /// and not asked for; of extents alone, if it is not to be of single pages.
    pub fn report_step<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: u64,
        singles: bool,
    ) -> Report {
        match self.give_extents(port, pages, Way::Report) {
            Some(report) => report,
            None if singles => self.give_pages(port, bounded(pages), Way::Report),
            None => Report { moved: 0, stop: Stop::GuestEmpty },
        }
    }

    /// Gives single pages, at most [`STEP_PAGES`]; those set aside first.
    #[inline(never)]
    fn give_pages<P: BalloonPort>(&mut self, port: &mut P, pages: usize, way: Way) -> Report {
        let mut left = pages;
        let mut moved = 0;
        let retry: Pages = self.set_aside.iter().copied().take(left).collect();
        self.set_aside.retain(|page| !retry.contains(page));
        if !retry.is_empty() {
            let (done, stop) = self.release(port, &retry, way);
            moved += done;
            left -= done as usize;
            if let Some(stop) = stop {
                return Report { moved, stop };
            }
        }
        while left > 0 {
            let mut batch = Pages::new();
            while batch.len() < left {
                let Some(page) = port.take_page() else { break };
                // There is room: the loop's bound is not above the capacity.
                let _ = batch.push(page);
            }
            if batch.is_empty() {
                return Report { moved, stop: Stop::GuestEmpty };
            }
            let unmapped = port.unmap(&batch).min(batch.len());
            for &page in &batch[unmapped..] {
                self.statistics.returned += 1;
                port.give_page(page);
            }
            port.flush();
            let (done, stop) = self.release(port, &batch[..unmapped], way);
            moved += done;
            left -= done as usize;
            if let Some(stop) = stop {
                return Report { moved, stop };
            }
            if unmapped < batch.len() {
                return Report { moved, stop: Stop::MapFailed };
            }
        }
        Report { moved, stop: Stop::Complete }
    }

    /// Takes up to `pages` frames back. Pages that were set aside go back first; they are not
    /// counted, as they never left.
    pub fn deflate<P: BalloonPort>(&mut self, port: &mut P, pages: usize) -> Report {
        repeat(pages as u64, |left| self.deflate_step(port, left))
    }

    /// [`deflate`](Self::deflate), by what becomes of the memory: the hypervisor gives it back.
    pub fn give<P: BalloonPort>(&mut self, port: &mut P, pages: usize) -> Report {
        self.deflate(port, pages)
    }

    /// One bounded step of [`deflate`](Self::deflate): whole extents if `pages` are that many, the
    /// holes have room for them and the hypervisor has some, else single frames. It is
    /// [`Stop::Complete`] when nothing is in the way of the next.
    pub fn deflate_step<P: BalloonPort>(&mut self, port: &mut P, pages: u64) -> Report {
        let waiting = core::mem::take(&mut self.set_aside);
        if !self.restore(port, &waiting) {
            return Report { moved: 0, stop: Stop::MapFailed };
        }
        match self.take_extents(port, pages) {
            Some(report) => report,
            None => self.take_pages(port, bounded(pages) as u64),
        }
    }

    /// Takes single frames, at most [`STEP_PAGES`].
    #[inline(never)]
    fn take_pages<P: BalloonPort>(&mut self, port: &mut P, pages: u64) -> Report {
        let mut left = pages;
        let mut moved = 0;
        while left > 0 {
            if self.holes == 0 {
                return Report { moved, stop: Stop::NoHole };
            }
            let wanted = left.min(self.holes);
            let mut frames = [Mfn::NONE; STEP_PAGES];
            let frames = &mut frames[..wanted as usize];
            self.statistics.deflate_calls += 1;
            let Answer { done, refused } = port.obtain(frames);
            let nonsense = done > wanted || (done < wanted && refused.is_none());
            let come = frames[..done.min(wanted) as usize].iter().copied();
            let (came, fate) = self.fill(port, come);
            moved += came;
            left -= came;
            let stop = match (fate, refused) {
                _ if nonsense => Some(Stop::Nonsense),
                (Some(stop), _) => Some(stop),
                (None, refused) => refused.map(Stop::Refused),
            };
            if let Some(stop) = stop {
                return Report { moved, stop };
            }
        }
        Report { moved, stop: Stop::Complete }
    }

    /// Backs holes with at most [`STEP_PAGES`] frames that came, maps them and gives them to the
    /// allocator: how many, and what was wrong.
    #[inline(never)]
    fn fill<P: BalloonPort>(
        &mut self,
        port: &mut P,
        frames: impl Iterator<Item = Mfn>,
    ) -> (u64, Option<Stop>) {
        let mut filled = Pages::new();
        let mut stop = None;
        for frame in frames {
            match port.fill_hole(frame) {
                Some(page) => {
                    // There is room: no more come than the list holds.
                    let _ = filled.push(page);
                }
                None => {
                    self.statistics.rejected += 1;
                    stop = Some(Stop::Nonsense);
                }
            }
        }
        let came = filled.len() as u64;
        self.holes -= came;
        self.statistics.deflated += came;
        if !self.give_back(port, &filled) {
            stop = stop.or(Some(Stop::MapFailed));
        }
        (came, stop)
    }

    /// Gives unmapped pages to the hypervisor: how many went, and why it cannot go on.
    #[inline(never)]
    fn release<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: &[Pfn],
        way: Way,
    ) -> (u64, Option<Stop>) {
        let mut moved = 0;
        let mut rest = pages;
        while !rest.is_empty() {
            let frames: Vec<Mfn, STEP_PAGES> =
                rest.iter().map_while(|&page| port.frame_of(page)).collect();
            if frames.is_empty() {
                // The kernel gave a page that has no frame: there is nothing to release.
                self.restore(port, &rest[1..]);
                return (moved, Some(Stop::Nonsense));
            }
            self.statistics.inflate_calls += 1;
            let asked = frames.len() as u64;
            let Answer { done, refused } = way.pages(port, &frames);
            let taken = done.min(asked) as usize;
            for &page in &rest[..taken] {
                port.make_hole(page);
            }
            self.holes += taken as u64;
            self.statistics.inflated += taken as u64;
            moved += taken as u64;
            rest = &rest[taken..];
            let short = (taken as u64) < asked;
            if done > asked || (!short && refused.is_some()) || (short && refused.is_none()) {
                self.restore(port, rest);
                return (moved, Some(Stop::Nonsense));
            }
            match refused {
                None => {}
                Some(Error::Busy) => {
                    self.statistics.set_aside += 1;
                    if self.set_aside.push(rest[0]).is_err() {
                        self.restore(port, rest);
                        return (moved, Some(Stop::Refused(Error::Busy)));
                    }
                    rest = &rest[1..];
                }
                Some(error) => {
                    self.restore(port, rest);
                    return (moved, Some(Stop::Refused(error)));
                }
            }
        }
        (moved, None)
    }

    /// Gives pages that were taken and not released back, as [`give_back`](Self::give_back).
    fn restore<P: BalloonPort>(&mut self, port: &mut P, pages: &[Pfn]) -> bool {
        self.statistics.returned += pages.len() as u64;
        self.give_back(port, pages)
    }

    /// Maps pages that have their frames and gives them to the allocator. `false`: some could
    /// not be mapped. They are kept as pages set aside are; those that the list has no room
    /// for are of no more use to the guest, which still owns their frames.
    fn give_back<P: BalloonPort>(&mut self, port: &mut P, pages: &[Pfn]) -> bool {
        let mapped = port.map(pages).min(pages.len());
        for &page in &pages[..mapped] {
            port.give_page(page);
        }
        for &page in &pages[mapped..] {
            if self.set_aside.push(page).is_err() {
                self.statistics.stranded += 1;
            }
        }
        mapped == pages.len()
    }
}

/// As many pages as a step of single pages moves.
fn bounded(pages: u64) -> usize {
    usize::try_from(pages).unwrap_or(STEP_PAGES).min(STEP_PAGES)
}

/// Goes steps until so many pages have moved, or one is stopped.
fn repeat(pages: u64, mut step: impl FnMut(u64) -> Report) -> Report {
    let mut moved = 0;
    loop {
        let report = step(pages - moved);
        moved += report.moved;
        if report.stop != Stop::Complete || moved >= pages {
            return Report { moved, stop: report.stop };
        }
    }
}
