//! The driver: inflate, deflate, follow the target.

use crate::{Answer, BalloonPort, Report, Statistics, Stop};
use heapless::Vec;
use hypercall_abi::{Error, Mfn, Pfn, calls::balloon_inflate};

/// Pages that one step moves at most: what one call takes.
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
    statistics: Statistics,
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
            statistics: Statistics {
                inflated: 0,
                deflated: 0,
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

    /// Goes one bounded step, of at most [`STEP_PAGES`], towards the target. `None`: the guest
    /// owns what it should.
    pub fn follow_target<P: BalloonPort>(&mut self, port: &mut P) -> Option<Report> {
        let owned = port.owned_frames();
        let target = port.target_frames();
        let step = |pages: u64| usize::try_from(pages).unwrap_or(STEP_PAGES).min(STEP_PAGES);
        if owned > target {
            Some(self.inflate(port, step(owned - target)))
        } else if owned < target && self.holes > 0 {
            Some(self.deflate(port, step(target - owned)))
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
        self.give_away(port, pages, P::release)
    }

    /// As [`inflate`](Self::inflate), for free memory that is offered and not asked for.
    pub fn report<P: BalloonPort>(&mut self, port: &mut P, pages: usize) -> Report {
        self.give_away(port, pages, P::report)
    }

    fn give_away<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: usize,
        call: fn(&mut P, &[Mfn]) -> Answer,
    ) -> Report {
        let mut left = pages;
        let mut moved = 0;
        let retry: Pages = self.set_aside.iter().copied().take(left).collect();
        self.set_aside.retain(|page| !retry.contains(page));
        if !retry.is_empty() {
            let (done, stop) = self.release(port, &retry, call);
            moved += done;
            left -= done as usize;
            if let Some(stop) = stop {
                return Report { moved, stop };
            }
        }
        while left > 0 {
            let mut batch = Pages::new();
            while batch.len() < left.min(STEP_PAGES) {
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
            let (done, stop) = self.release(port, &batch[..unmapped], call);
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
        let waiting = core::mem::take(&mut self.set_aside);
        if !self.restore(port, &waiting) {
            return Report { moved: 0, stop: Stop::MapFailed };
        }
        let mut left = u64::try_from(pages).unwrap_or(u64::MAX);
        let mut moved = 0;
        while left > 0 {
            if self.holes == 0 {
                return Report { moved, stop: Stop::NoHole };
            }
            let wanted = left.min(self.holes).min(STEP_PAGES as u64);
            let mut frames = [Mfn::NONE; STEP_PAGES];
            let frames = &mut frames[..wanted as usize];
            self.statistics.deflate_calls += 1;
            let Answer { done, refused } = port.obtain(frames);
            let mut filled = Pages::new();
            let mut nonsense = done > wanted || (done < wanted && refused.is_none());
            for &frame in frames.iter().take(done.min(wanted) as usize) {
                match port.fill_hole(frame) {
                    Some(page) => {
                        // There is room: no more are asked for than the list holds.
                        let _ = filled.push(page);
                    }
                    None => {
                        self.statistics.rejected += 1;
                        nonsense = true;
                    }
                }
            }
            let came = filled.len() as u64;
            moved += came;
            left -= came;
            self.holes -= came;
            self.statistics.deflated += came;
            let mapped = self.give_back(port, &filled);
            if nonsense {
                return Report { moved, stop: Stop::Nonsense };
            }
            if !mapped {
                return Report { moved, stop: Stop::MapFailed };
            }
            if let Some(error) = refused {
                return Report { moved, stop: Stop::Refused(error) };
            }
        }
        Report { moved, stop: Stop::Complete }
    }

    /// Gives unmapped pages to the hypervisor: how many went, and why it cannot go on.
    fn release<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: &[Pfn],
        call: fn(&mut P, &[Mfn]) -> Answer,
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
            let Answer { done, refused } = call(port, &frames);
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
