//! Much memory moves in whole extents, and what cannot falls back to single frames: nothing is
//! lost on the way, whatever is busy, unmappable or refused.

use crate::conservation::is_what_was_asked;
use balloon::{Answer, Balloon, BalloonPort, Follower, STEP_EXTENTS, STEP_PAGES, Step, Stop};
use hypercall_abi::extent::EXTENT_FRAMES;
use hypercall_abi::{Error, Mfn, Pfn};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A kernel whose pages begin as whole extents, and a hypervisor that has the other frames.
#[derive(Debug, Default)]
struct Fake {
    p2m: Vec<Option<u64>>,
    free: BTreeSet<u64>,
    mapped: BTreeSet<u64>,
    pool: BTreeSet<u64>,
    busy: BTreeSet<u64>,
    /// Pages that the next unmapping leaves alone, from this many on.
    unmap_limit: Option<usize>,
    map_limit: Option<usize>,
    /// Extents that go out of the map and into it by whole tables, of each list.
    by_table: usize,
    /// Calls for single pages of the map.
    by_page: u64,
    /// What every call about extents is refused with.
    refuses: Option<Error>,
    /// Says that one extent less moved, and gives no reason.
    silent: bool,
    /// Calls about extents.
    calls: u64,
    target: u64,
}

impl Fake {
    /// So many runs of pages, of which the last are holes; as many extents are in the pool.
    fn new(runs: u64, holes: u64) -> Fake {
        let (pages, backed) = (runs * EXTENT_FRAMES, (runs - holes) * EXTENT_FRAMES);
        // The runs of frames lie the other way round than those of pages.
        let frame = |page: u64| 10_240 - (page / EXTENT_FRAMES) * 512 + page % EXTENT_FRAMES;
        Fake {
            p2m: (0..pages).map(|page| (page < backed).then(|| frame(page))).collect(),
            free: (0..backed).collect(),
            mapped: (0..backed).collect(),
            pool: (backed..pages).map(frame).collect(),
            target: backed,
            ..Fake::default()
        }
    }

    fn starts(&self) -> impl Iterator<Item = u64> {
        (0..self.p2m.len() as u64).step_by(EXTENT_FRAMES as usize)
    }

    fn is_extent(&self, first: u64) -> bool {
        let head = self.p2m[first as usize];
        head.is_some_and(|head| {
            head % EXTENT_FRAMES == 0
                && (0..EXTENT_FRAMES).all(|at| self.p2m[(first + at) as usize] == Some(head + at))
        })
    }

    fn is_hollow(&self, first: u64) -> bool {
        (first..first + EXTENT_FRAMES).all(|page| self.p2m[page as usize].is_none())
    }

    fn take_frame(&mut self, frame: u64) {
        let page = self.p2m.iter().position(|slot| *slot == Some(frame));
        let page = page.expect("a frame is released by its owner") as u64;
        assert!(!self.mapped.contains(&page), "unmapped before it is released");
        assert!(self.pool.insert(frame), "released once");
    }

    /// Every frame and every page is in one place.
    fn check(&self, balloon: &Balloon, total: usize) {
        let backed: BTreeSet<u64> = self.p2m.iter().flatten().copied().collect();
        let holes = self.p2m.iter().filter(|slot| slot.is_none()).count();
        assert_eq!(balloon.size(), holes as u64);
        assert_eq!(backed.len() + holes, self.p2m.len(), "no frame backs two pages");
        assert!(backed.is_disjoint(&self.pool));
        assert_eq!(backed.len() + self.pool.len(), total, "no frame is lost");
        assert!(self.free.is_subset(&self.mapped), "what is free is mapped");
        let aside: BTreeSet<u64> = balloon.set_aside().iter().map(|page| page.0).collect();
        assert!(aside.is_disjoint(&self.mapped) && aside.is_disjoint(&self.free));
        let known = self.free.len() + aside.len() + holes;
        let stranded = balloon.statistics().stranded as usize;
        assert_eq!(known + stranded, self.p2m.len(), "no page is forgotten");
    }
}

impl BalloonPort for Fake {
    fn take_page(&mut self) -> Option<Pfn> {
        self.free.pop_first().map(Pfn)
    }
    fn give_page(&mut self, page: Pfn) {
        assert!(self.mapped.contains(&page.0) && self.free.insert(page.0));
    }
    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.p2m[page.0 as usize].map(Mfn)
    }
    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        self.by_page += u64::from(!pages.is_empty());
        let count = pages.len().min(self.unmap_limit.take().unwrap_or(usize::MAX));
        pages[..count].iter().for_each(|page| assert!(self.mapped.remove(&page.0)));
        count
    }
    fn flush(&mut self) {}
    fn map(&mut self, pages: &[Pfn]) -> usize {
        self.by_page += u64::from(!pages.is_empty());
        let count = pages.len().min(self.map_limit.take().unwrap_or(usize::MAX));
        pages[..count].iter().for_each(|page| assert!(self.mapped.insert(page.0)));
        count
    }
    fn unmap_extents(&mut self, firsts: &[Pfn]) -> usize {
        let count = firsts.len().min(self.by_table);
        let pages = firsts[..count].iter().flat_map(|first| first.0..first.0 + EXTENT_FRAMES);
        pages.for_each(|page| assert!(self.mapped.remove(&page)));
        count
    }
    fn map_extents(&mut self, firsts: &[Pfn]) -> usize {
        let count = firsts.len().min(self.by_table);
        for page in firsts[..count].iter().flat_map(|first| first.0..first.0 + EXTENT_FRAMES) {
            assert!(self.p2m[page as usize].is_some() && self.mapped.insert(page));
        }
        count
    }
    fn release(&mut self, frames: &[Mfn]) -> Answer {
        let busy = frames.iter().position(|frame| self.busy.contains(&frame.0));
        let done = busy.unwrap_or(frames.len());
        frames[..done].iter().for_each(|frame| self.take_frame(frame.0));
        Answer { done: done as u64, refused: busy.map(|_| Error::Busy) }
    }
    fn make_hole(&mut self, page: Pfn) {
        self.p2m[page.0 as usize] = None;
    }
    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
        let mut done = 0;
        for slot in &mut *frames {
            // The highest first, so that single frames break an extent.
            let Some(frame) = self.pool.pop_last() else { break };
            *slot = Mfn(frame);
            done += 1;
        }
        let refused = (done < frames.len()).then_some(Error::NoMemory);
        Answer { done: done as u64, refused }
    }
    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        if self.p2m.contains(&Some(frame.0)) {
            return None;
        }
        let page = self.p2m.iter().position(Option::is_none)?;
        self.p2m[page] = Some(frame.0);
        Some(Pfn(page as u64))
    }
    fn take_extent(&mut self) -> Option<Pfn> {
        let is_free = |first: u64| (first..first + EXTENT_FRAMES).all(|at| self.free.contains(&at));
        let first = self.starts().find(|first| is_free(*first) && self.is_extent(*first))?;
        (first..first + EXTENT_FRAMES).for_each(|page| assert!(self.free.remove(&page)));
        Some(Pfn(first))
    }
    fn report(&mut self, frames: &[Mfn]) -> Answer {
        self.release(frames)
    }
    fn report_extents(&mut self, firsts: &[Mfn]) -> Answer {
        self.release_extents(firsts)
    }
    fn knows_extents(&self) -> bool {
        self.starts().any(|first| self.is_extent(first))
    }
    fn release_extents(&mut self, firsts: &[Mfn]) -> Answer {
        assert!(!firsts.is_empty() && firsts.len() <= STEP_EXTENTS);
        self.calls += 1;
        let mut done = 0;
        for first in firsts {
            let frames = first.0..first.0 + EXTENT_FRAMES;
            let busy = frames.clone().any(|frame| self.busy.contains(&frame));
            if let Some(error) = self.refuses.or(busy.then_some(Error::Busy)) {
                return Answer { done, refused: Some(error) };
            }
            if self.silent && done + 1 == firsts.len() as u64 {
                break;
            }
            frames.for_each(|frame| self.take_frame(frame));
            done += 1;
        }
        Answer { done, refused: None }
    }
    fn extent_room(&self) -> u64 {
        self.starts().filter(|first| self.is_hollow(*first)).count() as u64
    }
    fn obtain_extents(&mut self, firsts: &mut [Mfn]) -> Answer {
        self.calls += 1;
        for (done, slot) in firsts.iter_mut().enumerate() {
            let pool = &self.pool;
            let whole =
                |first: &&u64| (**first..**first + EXTENT_FRAMES).all(|at| pool.contains(&at));
            let head =
                pool.iter().filter(|frame| **frame % EXTENT_FRAMES == 0).find(whole).copied();
            let Some(head) = head.filter(|_| self.refuses.is_none()) else {
                let refused = Some(self.refuses.unwrap_or(Error::NoMemory));
                return Answer { done: done as u64, refused };
            };
            (head..head + EXTENT_FRAMES).for_each(|frame| assert!(self.pool.remove(&frame)));
            *slot = Mfn(head);
        }
        Answer { done: firsts.len() as u64, refused: None }
    }
    fn fill_extent(&mut self, first: Mfn) -> Option<Pfn> {
        let page = self.starts().find(|page| self.is_hollow(*page))?;
        (0..EXTENT_FRAMES).for_each(|at| self.p2m[(page + at) as usize] = Some(first.0 + at));
        Some(Pfn(page))
    }
    fn owned_frames(&mut self) -> u64 {
        self.p2m.iter().flatten().count() as u64
    }
    fn target_frames(&mut self) -> u64 {
        self.target
    }
}

#[test]
fn much_memory_goes_and_comes_by_one_call() {
    let mut fake = Fake::new(10, 0);
    let mut balloon = Balloon::new();
    fake.target = 2 * EXTENT_FRAMES + 100;
    let first = balloon.follow_target(&mut fake).expect("above its target");
    assert_eq!((first.moved, first.stop), (7 * EXTENT_FRAMES, Stop::Complete));
    let rest = balloon.follow_target(&mut fake).expect("above its target still");
    assert_eq!((rest.moved, rest.stop), (EXTENT_FRAMES - 100, Stop::Complete));
    assert_eq!((fake.calls, balloon.statistics().extents_inflated), (1, 7));
    fake.target = 9 * EXTENT_FRAMES;
    let first = balloon.follow_target(&mut fake).expect("below its target");
    assert_eq!((first.moved, fake.calls), (6 * EXTENT_FRAMES, 2));
    while balloon.follow_target(&mut fake).is_some() {}
    assert_eq!((fake.owned_frames(), fake.calls), (fake.target, 2), "less is no extent");
    fake.check(&balloon, 10 * EXTENT_FRAMES as usize);
}

#[test]
fn what_goes_by_whole_tables_goes_not_by_pages() {
    let mut fake = Fake::new(10, 0);
    let mut balloon = Balloon::new();
    fake.by_table = STEP_EXTENTS;
    let given = balloon.inflate_step(&mut fake, 7 * EXTENT_FRAMES);
    let taken = balloon.deflate(&mut fake, 7 * EXTENT_FRAMES as usize);
    assert_eq!((given.moved, taken.moved), (7 * EXTENT_FRAMES, 7 * EXTENT_FRAMES));
    assert_eq!((fake.calls, fake.by_page), (2, 0));
    fake.by_table = 3;
    balloon.inflate_step(&mut fake, 7 * EXTENT_FRAMES);
    assert_eq!(fake.by_page, 4 * EXTENT_FRAMES / 128, "four extents in pieces of 128 pages");
    fake.check(&balloon, 10 * EXTENT_FRAMES as usize);
}

#[test]
fn a_busy_frame_keeps_one_page_and_not_its_extent() {
    let mut fake = Fake::new(4, 0);
    let mut balloon = Balloon::new();
    let busy = fake.p2m[512 + 77].expect("backed");
    fake.busy.insert(busy);
    let report = balloon.inflate_step(&mut fake, 3 * EXTENT_FRAMES);
    assert_eq!((report.moved, report.stop), (3 * EXTENT_FRAMES - 1, Stop::Complete));
    assert_eq!(balloon.set_aside(), [Pfn(512 + 77)]);
    fake.check(&balloon, 4 * EXTENT_FRAMES as usize);
}

#[test]
fn single_frames_come_where_no_extent_is() {
    let mut fake = Fake::new(6, 4);
    let mut balloon = Balloon::with_holes(4 * EXTENT_FRAMES);
    // One frame of each extent of the pool is somebody else's.
    fake.pool.retain(|frame| frame % EXTENT_FRAMES != 3);
    let total = 6 * EXTENT_FRAMES as usize - 4;
    let report = balloon.deflate(&mut fake, 3 * EXTENT_FRAMES as usize);
    assert_eq!((report.moved, report.stop), (3 * EXTENT_FRAMES, Stop::Complete));
    assert_eq!((fake.calls, balloon.statistics().extents_deflated), (1, 0), "asked once");
    fake.check(&balloon, total);
}

#[test]
fn an_answer_that_gives_no_reason_stops_it_and_loses_nothing() {
    let mut fake = Fake::new(4, 0);
    let mut balloon = Balloon::new();
    fake.silent = true;
    let report = balloon.inflate(&mut fake, 3 * EXTENT_FRAMES as usize);
    assert_eq!((report.moved, report.stop), (2 * EXTENT_FRAMES, Stop::Nonsense));
    fake.check(&balloon, 4 * EXTENT_FRAMES as usize);
}

#[test]
fn what_was_offered_comes_back_in_growing_steps_while_it_is_needed() {
    const SECOND: u64 = 1_000_000_000;
    let mut fake = Fake::new(10, 0);
    let mut follower = Follower::new(0);
    let offered = follower.offer(&mut fake, SECOND, 10 * EXTENT_FRAMES, EXTENT_FRAMES);
    assert_eq!(offered, Step::Moved(9 * EXTENT_FRAMES));
    let came = [0, 0, 0, SECOND].map(|later| {
        let pages = follower.refill(&mut fake, 2 * SECOND + later);
        pages / EXTENT_FRAMES
    });
    assert_eq!(came, [1, 2, 4, 1], "after a while it is a small need again");
    assert_eq!((follower.reported(), fake.calls), (EXTENT_FRAMES, 5));
}

/// Pages that become free one by one would break extents that are free as a whole a moment later.
#[test]
fn single_pages_are_offered_only_when_no_extent_has_come_for_a_while() {
    const SECOND: u64 = 1_000_000_000;
    let mut fake = Fake::new(4, 0);
    let mut follower = Follower::new(0);
    // One page of each extent is in use, but for the last.
    let used = [7, 512 + 7, 1024 + 7];
    used.iter().for_each(|page| assert!(fake.free.remove(page)));
    let offer = |follower: &mut Follower, fake: &mut Fake, at| {
        let free = fake.free.len() as u64;
        follower.offer(fake, SECOND + at, free, 0)
    };
    assert_eq!(offer(&mut follower, &mut fake, 0), Step::Moved(EXTENT_FRAMES));
    assert_eq!(offer(&mut follower, &mut fake, SECOND / 4), Step::Idle);
    assert!(fake.free.insert(used[1]));
    assert_eq!(offer(&mut follower, &mut fake, SECOND / 3), Step::Moved(EXTENT_FRAMES));
    assert_eq!(offer(&mut follower, &mut fake, SECOND), Step::Moved(STEP_PAGES as u64));
    // A kernel that knows of no extent waits for none.
    let mut fake = Fake::new(2, 0);
    fake.p2m.swap(7, 512 + 9);
    let mut follower = Follower::new(0);
    assert_eq!(offer(&mut follower, &mut fake, 0), Step::Moved(STEP_PAGES as u64));
}

#[derive(Clone, Debug)]
enum Action {
    Inflate(usize),
    Deflate(usize),
    Step(u64),
    Busy(BTreeSet<u64>),
    UnmapLimit(usize),
    MapLimit(usize),
    ByTable(usize),
    Refuses(Option<Error>),
    Silent(bool),
}

fn action() -> impl Strategy<Value = Action> {
    let error = prop::sample::select(&Error::ALL[..]);
    prop_oneof![
        4 => (0usize..3000).prop_map(Action::Inflate),
        4 => (0usize..3000).prop_map(Action::Deflate),
        4 => (0u64..3000).prop_map(Action::Step),
        1 => prop::collection::btree_set(7_000u64..10_800, 0..70).prop_map(Action::Busy),
        1 => (0usize..700).prop_map(Action::UnmapLimit),
        1 => (0usize..700).prop_map(Action::MapLimit),
        1 => (0usize..7).prop_map(Action::ByTable),
        1 => prop::option::of(error).prop_map(Action::Refuses),
        1 => any::<bool>().prop_map(Action::Silent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_however_extents_and_pages_alternate(
        holes in 0u64..4,
        actions in prop::collection::vec(action(), 1..20),
    ) {
        let mut fake = Fake::new(6, holes);
        let total = 6 * EXTENT_FRAMES as usize;
        let mut balloon = Balloon::with_holes(holes * EXTENT_FRAMES);
        for action in actions {
            match action {
                Action::Inflate(pages) => {
                    let report = balloon.inflate(&mut fake, pages);
                    is_what_was_asked(report, pages)?;
                }
                Action::Deflate(pages) => {
                    let report = balloon.deflate(&mut fake, pages);
                    is_what_was_asked(report, pages)?;
                }
                Action::Step(target) => {
                    fake.target = target;
                    balloon.follow_target(&mut fake);
                }
                Action::Busy(frames) => fake.busy = frames,
                Action::UnmapLimit(limit) => fake.unmap_limit = Some(limit),
                Action::MapLimit(limit) => fake.map_limit = Some(limit),
                Action::ByTable(extents) => fake.by_table = extents,
                Action::Refuses(error) => fake.refuses = error,
                Action::Silent(silent) => fake.silent = silent,
            }
            fake.check(&balloon, total);
        }
    }
}
