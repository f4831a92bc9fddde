//! What a kernel's balloon does by itself: it follows its target, gives everything back when memory is
//! short, offers what is free, and tells how it stands.

use balloon::{Answer, BalloonPort, Follower, KernelCounts, STEP_PAGES, Step};
use hypercall_abi::balloon_statistics::BalloonStatistics;
use hypercall_abi::{Error, Mfn, Pfn};

const SECOND: u64 = 1_000_000_000;

/// A kernel with an allocator that keeps some pages, and a hypervisor with some frames.
#[derive(Debug, Default)]
struct Fake {
    p2m: Vec<Option<Mfn>>,
    free: Vec<Pfn>,
    kept: usize,
    pool: Vec<Mfn>,
    target: u64,
    reported: u64,
    told: Vec<BalloonStatistics>,
}

impl Fake {
    /// So many pages, the last of which are holes.
    fn new(pages: u64, holes: u64, pool: u64) -> Fake {
        let backed = pages - holes;
        Fake {
            p2m: (0..pages).map(|page| (page < backed).then_some(Mfn(1000 + page))).collect(),
            free: (0..backed).map(Pfn).collect(),
            kept: 10,
            pool: (0..pool).map(|frame| Mfn(90_000 + frame)).collect(),
            target: backed,
            ..Fake::default()
        }
    }

    fn holes(&self) -> u64 {
        self.p2m.iter().filter(|frame| frame.is_none()).count() as u64
    }
}

impl BalloonPort for Fake {
    fn take_page(&mut self) -> Option<Pfn> {
        if self.free.len() > self.kept { self.free.pop() } else { None }
    }
    fn give_page(&mut self, page: Pfn) {
        self.free.push(page);
    }
    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.p2m[page.0 as usize]
    }
    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        pages.len()
    }
    fn flush(&mut self) {}
    fn map(&mut self, pages: &[Pfn]) -> usize {
        pages.len()
    }
    fn release(&mut self, frames: &[Mfn]) -> Answer {
        self.pool.extend(frames);
        Answer { done: frames.len() as u64, refused: None }
    }
    fn make_hole(&mut self, page: Pfn) {
        self.p2m[page.0 as usize] = None;
    }
    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
        let come = frames.len().min(self.pool.len());
        frames[..come].copy_from_slice(&self.pool.split_off(self.pool.len() - come));
        let refused = (come < frames.len()).then_some(Error::NoMemory);
        Answer { done: come as u64, refused }
    }
    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        let page = self.p2m.iter().position(Option::is_none)?;
        self.p2m[page] = Some(frame);
        Some(Pfn(page as u64))
    }
    fn report(&mut self, frames: &[Mfn]) -> Answer {
        self.reported += frames.len() as u64;
        self.release(frames)
    }
    fn tell(&mut self, statistics: &BalloonStatistics) -> bool {
        self.told.push(*statistics);
        true
    }
    fn owned_frames(&mut self) -> u64 {
        self.p2m.len() as u64 - self.holes()
    }
    fn target_frames(&mut self) -> u64 {
        self.target
    }
}

/// Follows until there is nothing to do; pages that moved.
fn settle(follower: &mut Follower, fake: &mut Fake, now: u64) -> u64 {
    let mut moved = 0;
    while let Step::Moved(pages) = follower.follow(fake, now, u64::MAX) {
        assert!(pages > 0 && pages <= STEP_PAGES as u64, "a step is bounded");
        moved += pages;
    }
    moved
}

#[test]
fn the_target_is_followed_in_steps_both_ways() {
    let mut fake = Fake::new(4000, 1000, 0);
    let mut follower = Follower::new(1000);
    fake.target = 1500;
    assert_eq!(settle(&mut follower, &mut fake, 0), 1500);
    assert_eq!(fake.owned_frames(), 1500);
    fake.target = 4000;
    // The hypervisor has what it was given, and no more.
    assert_eq!(settle(&mut follower, &mut fake, 0), 1500);
    fake.pool.extend((0..2000).map(|frame| Mfn(200_000 + frame)));
    assert_eq!(settle(&mut follower, &mut fake, 0), 1000);
    assert_eq!((fake.owned_frames(), fake.holes()), (4000, 0));
    fake.target = 9000;
    assert_eq!(follower.follow(&mut fake, 0, 0), Step::Idle, "there is no hole left");
}

#[test]
fn a_kernel_without_free_pages_is_asked_for_some() {
    let mut fake = Fake::new(100, 0, 0);
    let mut follower = Follower::new(0);
    fake.free.truncate(10);
    fake.target = 60;
    assert_eq!(follower.follow(&mut fake, 0, 0), Step::Starved(40));
    fake.free.extend((50..75).map(Pfn));
    assert_eq!(follower.follow(&mut fake, 0, 0), Step::Moved(25));
    assert_eq!(follower.follow(&mut fake, 0, 0), Step::Starved(15));
}

#[test]
fn a_shortage_brings_everything_back_at_once_and_is_not_forgotten() {
    let mut fake = Fake::new(10_000, 7_500, 20_000);
    let mut follower = Follower::new(7_500);
    assert_eq!(follower.shortage(&mut fake, SECOND), 7_500);
    assert_eq!((fake.holes(), follower.shortages()), (0, 1));
    assert_eq!(follower.shortage(&mut fake, SECOND), 0, "there is nothing more");
    assert_eq!(follower.shortages(), 1);
    // The target is far below, and waits; then free pages alone go.
    assert_eq!(fake.target, 2_500);
    assert_eq!(follower.follow(&mut fake, 2 * SECOND, 100), Step::Idle);
    assert_eq!(follower.follow(&mut fake, 20 * SECOND, 100), Step::Moved(100));
    fake.free.clear();
    assert_eq!(follower.follow(&mut fake, 20 * SECOND, 0), Step::Idle, "nothing is reclaimed");
    assert!(matches!(follower.follow(&mut fake, 700 * SECOND, 0), Step::Starved(_)));
}

#[test]
fn what_is_offered_counts_apart_and_comes_back_first() {
    let mut fake = Fake::new(5000, 0, 0);
    let mut follower = Follower::new(0);
    let mut offered = 0;
    while let Step::Moved(pages) = follower.offer(&mut fake, SECOND, 5000 - offered, 2000) {
        offered += pages;
    }
    assert_eq!(offered, 5 * STEP_PAGES as u64, "less than a step is not worth it");
    assert_eq!((follower.reported(), fake.reported), (offered, offered));
    assert_eq!(follower.follow(&mut fake, SECOND, u64::MAX), Step::Idle, "the target is met");
    assert_eq!(follower.refill(&mut fake, 2 * SECOND), STEP_PAGES as u64);
    assert_eq!(follower.reported(), offered - STEP_PAGES as u64);
    let just_back = follower.offer(&mut fake, 2 * SECOND, 5000, 0);
    assert_eq!(just_back, Step::Idle, "what came back is wanted");
    // A lower target counts what is offered.
    fake.target = 5000 - 1000;
    assert_eq!(follower.follow(&mut fake, 3 * SECOND, u64::MAX), Step::Idle);
    assert_eq!(follower.reported(), offered - STEP_PAGES as u64 - 1000);
    // Others have it: nothing comes, and nothing breaks.
    fake.pool.clear();
    assert_eq!(follower.refill(&mut fake, 4 * SECOND), 0);
}

#[test]
fn rates_are_what_has_been_since_the_last_report() {
    let mut fake = Fake::new(100, 20, 0);
    let mut follower = Follower::new(20);
    assert!(follower.is_due(0));
    let counts = KernelCounts { free: 5, faults: 1000, ..KernelCounts::default() };
    follower.tell(&mut fake, SECOND, counts);
    assert!(!follower.is_due(SECOND + SECOND / 2) && follower.is_due(2 * SECOND));
    let counts = KernelCounts { faults: 4000, swapped_in: 10, stalled_some: SECOND, ..counts };
    follower.tell(&mut fake, 3 * SECOND, counts);
    let told = fake.told[1];
    assert_eq!((told.version, told.generation, told.free, told.balloon), (1, 2, 5, 20));
    assert_eq!((told.faults, told.swapped_in), (1500, 5));
    assert!(told.some_over_10_s > 0 && told.some_over_10_s > told.some_over_60_s);
    assert_eq!(told.full_over_10_s, 0);
}
