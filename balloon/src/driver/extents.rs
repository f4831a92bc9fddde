//! Much memory at once: 512 frames for each number that a call carries.
//!
//! An extent goes as a page does: taken, unmapped, flushed, released. What goes wrong with one is
//! settled page by page. When the hypervisor refuses an extent its frames are released one by one,
//! so that a single busy frame keeps one page and not 512; when one comes for which there is no run
//! of holes, its frames back single ones.
//!
//! A kernel's stack is small, and the lists here are not: what holds one is not inlined, so that no
//! two of them are there at once without need.

use super::{Balloon, Way};
use crate::{Answer, BalloonPort, Report, Stop};
use heapless::Vec;
use hypercall_abi::{Mfn, Pfn, extent::EXTENT_FRAMES};

/// Extents that one step moves at most: 512 MiB, so that 1 GiB goes in two calls.
pub const STEP_EXTENTS: usize = 256;

/// Steps that ask for single frames after an extent was refused, so that a machine without any
/// is not asked each time.
const SINGLE_STEPS: u8 = 16;

/// Pages of an extent that are handed to the kernel at once: what a list on its stack holds well.
const PIECE: usize = 128;

/// The pages of an extent, in pieces.
fn pieces(first: Pfn) -> impl Iterator<Item = [Pfn; PIECE]> {
    (0..EXTENT_FRAMES)
        .step_by(PIECE)
        .map(move |from| core::array::from_fn(|at| Pfn(first.0 + from + at as u64)))
}

/// How many extents a step moves of so many pages.
fn bounded(pages: u64) -> usize {
    (pages / EXTENT_FRAMES).min(STEP_EXTENTS as u64) as usize
}

impl Balloon {
    /// Gives extents, if `pages` are that many; `None`, and nothing has changed, if the kernel has
    /// none.
    #[inline(never)]
    pub(super) fn give_extents<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: u64,
        way: Way,
    ) -> Option<Report> {
        let mut extents = Vec::<Pfn, STEP_EXTENTS>::new();
        while extents.len() < bounded(pages) {
            let Some(first) = port.take_extent() else { break };
            // There is room: the loop's bound is not above the capacity.
            let _ = extents.push(first);
        }
        if extents.is_empty() {
            return None;
        }
        let unmapped = self.unmap_extents(port, &extents);
        port.flush();
        let (moved, stop) = self.release_extents(port, &extents[..unmapped], way);
        let failed = (unmapped < extents.len()).then_some(Stop::MapFailed);
        Some(Report { moved, stop: stop.or(failed).unwrap_or(Stop::Complete) })
    }

    /// Takes extents out of the kernel's map: how many, from the first. The others are with the
    /// allocator again.
    #[inline(never)]
    fn unmap_extents<P: BalloonPort>(&mut self, port: &mut P, extents: &[Pfn]) -> usize {
        let whole = port.unmap_extents(extents).min(extents.len());
        for (index, &first) in extents.iter().enumerate().skip(whole) {
            let count = unmap_extent(port, first);
            if count == EXTENT_FRAMES {
                continue;
            }
            let mut out = count as usize;
            for pages in pieces(first) {
                let (unmapped, mapped) = pages.split_at(out.min(PIECE));
                self.restore(port, unmapped);
                out -= unmapped.len();
                self.statistics.returned += mapped.len() as u64;
                mapped.iter().for_each(|&page| port.give_page(page));
            }
            let later = extents[index + 1..].iter();
            self.statistics.returned += later.len() as u64 * EXTENT_FRAMES;
            later.for_each(|&first| port.give_extent(first));
            return index;
        }
        extents.len()
    }

    /// Gives unmapped extents to the hypervisor: how many pages went, and why it cannot go on.
    #[inline(never)]
    fn release_extents<P: BalloonPort>(
        &mut self,
        port: &mut P,
        extents: &[Pfn],
        way: Way,
    ) -> (u64, Option<Stop>) {
        let mut moved = 0;
        let mut rest = extents;
        while !rest.is_empty() {
            let frames: Vec<Mfn, STEP_EXTENTS> =
                rest.iter().map_while(|&first| port.frame_of(first)).collect();
            self.statistics.inflate_calls += 1;
            let asked = frames.len() as u64;
            let Answer { done, refused } = way.extents(port, &frames);
            let taken = done.min(asked) as usize;
            for first in &rest[..taken] {
                (first.0..first.0 + EXTENT_FRAMES).for_each(|page| port.make_hole(Pfn(page)));
            }
            let pages = taken as u64 * EXTENT_FRAMES;
            self.holes += pages;
            self.statistics.inflated += pages;
            self.statistics.extents_inflated += taken as u64;
            moved += pages;
            rest = &rest[taken..];
            let short = (taken as u64) < asked;
            if done > asked || short != refused.is_some() {
                self.restore_extents(port, rest);
                return (moved, Some(Stop::Nonsense));
            }
            let Some((&first, others)) = rest.split_first() else { break };
            // Its frames say for themselves what is wrong with it.
            rest = others;
            let mut stop = None;
            for pages in pieces(first) {
                if stop.is_some() {
                    self.restore(port, &pages);
                    continue;
                }
                let (done, why) = self.release(port, &pages, way);
                moved += done;
                stop = why;
            }
            if stop.is_some() {
                self.restore_extents(port, rest);
                return (moved, stop);
            }
        }
        (moved, None)
    }

    fn restore_extents<P: BalloonPort>(&mut self, port: &mut P, extents: &[Pfn]) {
        self.statistics.returned += extents.len() as u64 * EXTENT_FRAMES;
        self.give_extents_back(port, extents);
    }

    /// Maps extents, by whole tables or else page by page, and gives them to the allocator; whether all
    /// could be mapped.
    fn give_extents_back<P: BalloonPort>(&mut self, port: &mut P, firsts: &[Pfn]) -> bool {
        let (mut rest, mut all) = (firsts, true);
        while !rest.is_empty() {
            let (mapped, others) = rest.split_at(port.map_extents(rest).min(rest.len()));
            mapped.iter().for_each(|&first| port.give_extent(first));
            let Some((&first, later)) = others.split_first() else { break };
            all &= self.give_extent_back(port, first);
            rest = later;
        }
        all
    }

    /// Maps the pages of an extent and gives them to the allocator; whether all could be mapped.
    #[inline(never)]
    fn give_extent_back<P: BalloonPort>(&mut self, port: &mut P, first: Pfn) -> bool {
        let mut all = true;
        for pages in pieces(first) {
            let mapped = if all { port.map(&pages).min(PIECE) } else { 0 };
            if all && mapped < PIECE {
                // The pieces before this one are mapped, and no extent any more.
                (first.0..pages[0].0).for_each(|page| port.give_page(Pfn(page)));
                all = false;
            }
            if !all {
                pages[..mapped].iter().for_each(|&page| port.give_page(page));
                self.give_back(port, &pages[mapped..]);
            }
        }
        if all {
            port.give_extent(first);
        }
        all
    }

    /// Takes extents, if `pages` are that many and there is room for them; `None`, and nothing has
    /// changed, if the hypervisor has none.
    #[inline(never)]
    pub(super) fn take_extents<P: BalloonPort>(
        &mut self,
        port: &mut P,
        pages: u64,
    ) -> Option<Report> {
        let room = bounded(pages.min(self.holes)).min(port.extent_room() as usize);
        if room == 0 {
            return None;
        }
        if self.singles > 0 {
            self.singles -= 1;
            return None;
        }
        let mut frames = [Mfn::NONE; STEP_EXTENTS];
        let frames = &mut frames[..room];
        self.statistics.deflate_calls += 1;
        let wanted = frames.len() as u64;
        let Answer { done, refused } = port.obtain_extents(frames);
        let nonsense = done > wanted || (done < wanted) != refused.is_some();
        let mut moved = 0;
        let mut stop = nonsense.then_some(Stop::Nonsense);
        let mut firsts = Vec::<Pfn, STEP_EXTENTS>::new();
        for &frame in &frames[..done.min(wanted) as usize] {
            match port.fill_extent(frame) {
                Some(first) => {
                    // There is room: no more came than were asked for.
                    let _ = firsts.push(first);
                }
                None => {
                    let numbers = frame.0..frame.0.saturating_add(EXTENT_FRAMES);
                    let (came, fate) = self.fill(port, numbers.map(Mfn));
                    moved += came;
                    stop = stop.or(fate);
                }
            }
        }
        let pages = firsts.len() as u64 * EXTENT_FRAMES;
        moved += pages;
        self.holes -= pages;
        self.statistics.deflated += pages;
        self.statistics.extents_deflated += firsts.len() as u64;
        if !self.give_extents_back(port, &firsts) {
            stop = stop.or(Some(Stop::MapFailed));
        }
        if refused.is_some() {
            self.singles = SINGLE_STEPS;
        }
        match (moved, stop) {
            (0, None) => None,
            (_, stop) => Some(Report { moved, stop: stop.unwrap_or(Stop::Complete) }),
        }
    }
}

/// Takes an extent out of the kernel's map: how many of its pages, from the first.
#[inline(never)]
fn unmap_extent<P: BalloonPort>(port: &mut P, first: Pfn) -> u64 {
    let mut count = 0;
    for pages in pieces(first) {
        let unmapped = port.unmap(&pages).min(PIECE);
        count += unmapped as u64;
        if unmapped < PIECE {
            break;
        }
    }
    count
}
