//! Whatever the hypervisor answers and the kernel manages, no frame is lost, none is in two
//! places, and every page is with the allocator, in use, a hole or set aside.

use balloon::{Answer, Balloon, BalloonPort, Report, STEP_PAGES, Stop};
use hypercall_abi::{Error, Mfn, Pfn};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How the hypervisor behaves in one call.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Honest,
    /// Refuses the element of that index.
    Refuses(usize, Error),
    /// Does that many fewer and gives no reason.
    Short(usize),
    /// Claims more than was asked.
    Boasts(u64),
    /// Deflate: answers with a frame that the guest owns already.
    Repeats,
}

#[derive(Debug)]
struct Fake {
    free: VecDeque<Pfn>,
    p2m: Vec<Option<Mfn>>,
    mapped: BTreeSet<Pfn>,
    /// Frames of the hypervisor.
    pool: VecDeque<Mfn>,
    owned: BTreeSet<Mfn>,
    busy: BTreeSet<Mfn>,
    moods: VecDeque<Mood>,
    map_limit: usize,
    unmap_limit: usize,
    flushed: bool,
    target: u64,
    /// A frame that the fake gave twice was refused by `fill_hole`.
    repeats: u64,
}

impl Fake {
    fn new(pages: u64, pool: u64) -> Fake {
        let frame = |page: u64| Mfn(1000 + page * 7);
        Fake {
            free: (0..pages).map(Pfn).collect(),
            p2m: (0..pages).map(|page| Some(frame(page))).collect(),
            mapped: (0..pages).map(Pfn).collect(),
            pool: (0..pool).map(|n| Mfn(500_000 + n)).collect(),
            owned: (0..pages).map(frame).collect(),
            busy: BTreeSet::new(),
            moods: VecDeque::new(),
            map_limit: usize::MAX,
            unmap_limit: usize::MAX,
            flushed: true,
            target: pages,
            repeats: 0,
        }
    }

    fn mood(&mut self) -> Mood {
        self.moods.pop_front().unwrap_or(Mood::Honest)
    }

    fn check(&self, balloon: &Balloon) {
        let holes = self.p2m.iter().filter(|slot| slot.is_none()).count() as u64;
        assert_eq!(balloon.size(), holes, "the balloon counts its holes");
        let backed: BTreeSet<Mfn> = self.p2m.iter().flatten().copied().collect();
        assert_eq!(backed, self.owned, "the map names exactly the frames owned");
        assert_eq!(backed.len() as u64 + holes, self.p2m.len() as u64, "no frame twice");
        let mut seen = BTreeMap::new();
        for page in &self.free {
            assert!(self.p2m[page.0 as usize].is_some(), "a free page has a frame");
            assert!(self.mapped.contains(page), "a free page is mapped");
            assert!(seen.insert(*page, "free").is_none(), "a page is free once");
        }
        for page in balloon.set_aside() {
            assert!(self.p2m[page.0 as usize].is_some(), "a page set aside has its frame");
            assert!(!self.mapped.contains(page), "a page set aside is not mapped");
            assert!(seen.insert(*page, "aside").is_none(), "a page is in one place");
        }
        let accounted = seen.len() as u64 + holes + balloon.statistics().stranded;
        assert_eq!(accounted, self.p2m.len() as u64, "no page is forgotten");
    }
}

impl BalloonPort for Fake {
    fn take_page(&mut self) -> Option<Pfn> {
        self.free.pop_front()
    }

    fn give_page(&mut self, page: Pfn) {
        assert!(self.mapped.contains(&page) && self.p2m[page.0 as usize].is_some());
        self.free.push_back(page);
    }

    fn frame_of(&self, page: Pfn) -> Option<Mfn> {
        self.p2m[page.0 as usize]
    }

    fn unmap(&mut self, pages: &[Pfn]) -> usize {
        let count = pages.len().min(self.unmap_limit);
        for page in &pages[..count] {
            assert!(self.mapped.remove(page), "unmapped once");
        }
        self.flushed = false;
        count
    }

    fn flush(&mut self) {
        self.flushed = true;
    }

    fn map(&mut self, pages: &[Pfn]) -> usize {
        let count = pages.len().min(self.map_limit);
        for page in &pages[..count] {
            assert!(self.p2m[page.0 as usize].is_some(), "only a backed page is mapped");
            assert!(self.mapped.insert(*page), "mapped once");
        }
        count
    }

    fn release(&mut self, frames: &[Mfn]) -> Answer {
        assert!(self.flushed, "translations are flushed before a frame goes");
        assert!(!frames.is_empty() && frames.len() <= STEP_PAGES);
        let mood = self.mood();
        let mut done = 0;
        let mut refused = None;
        for (index, frame) in frames.iter().enumerate() {
            match mood {
                Mood::Refuses(at, error) if at == index => refused = Some(error),
                Mood::Short(by) if index + by >= frames.len() => break,
                _ if self.busy.contains(frame) => refused = Some(Error::Busy),
                _ => {}
            }
            if refused.is_some() {
                break;
            }
            assert!(self.owned.remove(frame), "a frame is released by its owner");
            let page = self.p2m.iter().position(|slot| *slot == Some(*frame)).unwrap();
            assert!(!self.mapped.contains(&Pfn(page as u64)), "unmapped before it is released");
            self.pool.push_back(*frame);
            done += 1;
        }
        if let Mood::Boasts(by) = mood
            && refused.is_none()
        {
            done += by;
        }
        Answer { done, refused }
    }

    fn make_hole(&mut self, page: Pfn) {
        self.p2m[page.0 as usize] = None;
    }

    fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
        let mood = self.mood();
        let wanted = frames.len();
        let mut done = 0;
        let mut refused = None;
        for (index, slot) in frames.iter_mut().enumerate() {
            match mood {
                Mood::Refuses(at, error) if at == index => refused = Some(error),
                Mood::Short(by) if index + by >= wanted => break,
                Mood::Repeats if index == 0 && !self.owned.is_empty() => {
                    *slot = *self.owned.first().unwrap();
                    self.repeats += 1;
                    done += 1;
                    continue;
                }
                _ if self.pool.is_empty() => refused = Some(Error::NoMemory),
                _ => {}
            }
            if refused.is_some() {
                break;
            }
            *slot = self.pool.pop_front().unwrap();
            self.owned.insert(*slot);
            done += 1;
        }
        if let Mood::Boasts(by) = mood
            && done == wanted as u64
        {
            done += by;
        }
        Answer { done, refused }
    }

    fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
        if frame > Mfn::MAX || self.p2m.contains(&Some(frame)) {
            return None;
        }
        let page = self.p2m.iter().position(Option::is_none)?;
        self.p2m[page] = Some(frame);
        Some(Pfn(page as u64))
    }

    fn owned_frames(&mut self) -> u64 {
        self.owned.len() as u64
    }

    fn target_frames(&mut self) -> u64 {
        self.target
    }
}

#[derive(Clone, Debug)]
enum Action {
    Inflate(usize),
    Deflate(usize),
    Follow(u64),
    Busy(Vec<u64>),
    Mood(Mood),
    MapLimit(usize),
    UnmapLimit(usize),
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        Just(Mood::Honest),
        (0usize..40, prop::sample::select(&Error::ALL[..]))
            .prop_map(|(at, error)| Mood::Refuses(at, error)),
        (1usize..10).prop_map(Mood::Short),
        (1u64..u64::MAX / 2).prop_map(Mood::Boasts),
        Just(Mood::Repeats),
    ]
}

fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..20, Just(usize::MAX)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0usize..900).prop_map(Action::Inflate),
        4 => (0usize..900).prop_map(Action::Deflate),
        2 => (0u64..900).prop_map(Action::Follow),
        1 => prop::collection::vec(0u64..800, 0..100).prop_map(Action::Busy),
        2 => mood().prop_map(Action::Mood),
        1 => limit().prop_map(Action::MapLimit),
        1 => limit().prop_map(Action::UnmapLimit),
    ]
}

/// No more moved than was asked for, and all of it if nothing was in the way.
pub fn is_what_was_asked(report: Report, pages: usize) -> Result<(), TestCaseError> {
    prop_assert!(report.moved <= pages as u64);
    prop_assert!(report.stop != Stop::Complete || report.moved == pages as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_doubled(
        pages in 1u64..800,
        pool in 0u64..100,
        actions in prop::collection::vec(action(), 1..30),
    ) {
        let mut fake = Fake::new(pages, pool);
        let total = fake.owned.len() + fake.pool.len();
        let mut balloon = Balloon::new();
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
                Action::Follow(target) => {
                    fake.target = target;
                    balloon.follow_target(&mut fake);
                }
                Action::Busy(pages) => {
                    fake.busy = pages.iter().map(|page| Mfn(1000 + page * 7)).collect();
                }
                Action::Mood(mood) => fake.moods.push_back(mood),
                Action::MapLimit(limit) => fake.map_limit = limit,
                Action::UnmapLimit(limit) => fake.unmap_limit = limit,
            }
            fake.check(&balloon);
            prop_assert_eq!(fake.owned.len() + fake.pool.len(), total);
        }
    }
}

#[test]
fn a_guest_follows_its_target_down_and_up() {
    let mut fake = Fake::new(1500, 0);
    let mut balloon = Balloon::new();
    fake.target = 300;
    let mut steps = 0;
    while let Some(report) = balloon.follow_target(&mut fake) {
        assert_eq!(report.stop, Stop::Complete);
        steps += 1;
    }
    assert_eq!((fake.owned.len(), balloon.size(), steps), (300, 1200, 3));
    fake.target = 1400;
    while balloon.follow_target(&mut fake).is_some() {}
    assert_eq!((fake.owned.len(), balloon.size()), (1400, 100));
    fake.check(&balloon);
}

#[test]
fn a_busy_page_is_set_aside_and_goes_later() {
    let mut fake = Fake::new(10, 0);
    fake.busy.insert(Mfn(1000 + 2 * 7));
    let mut balloon = Balloon::new();
    let report = balloon.inflate(&mut fake, 5);
    assert_eq!((report.moved, report.stop), (5, Stop::Complete));
    assert_eq!(balloon.set_aside(), [Pfn(2)]);
    fake.busy.clear();
    assert_eq!(balloon.inflate(&mut fake, 1).moved, 1);
    assert!(balloon.set_aside().is_empty());
    assert!(fake.p2m[2].is_none());
    fake.check(&balloon);
}

#[test]
fn more_busy_pages_than_fit_stop_the_balloon() {
    let mut fake = Fake::new(100, 0);
    fake.busy = fake.owned.clone();
    let mut balloon = Balloon::new();
    let report = balloon.inflate(&mut fake, 50);
    assert_eq!((report.moved, report.stop), (0, Stop::Refused(Error::Busy)));
    fake.check(&balloon);
    balloon.deflate(&mut fake, 1);
    assert_eq!(fake.free.len(), 100);
    fake.check(&balloon);
}

#[test]
fn a_partial_answer_says_why() {
    let mut fake = Fake::new(10, 0);
    let mut balloon = Balloon::new();
    assert_eq!(balloon.inflate(&mut fake, 20).stop, Stop::GuestEmpty);
    fake.pool.truncate(4);
    let report = balloon.deflate(&mut fake, 10);
    assert_eq!((report.moved, report.stop), (4, Stop::Refused(Error::NoMemory)));
    assert_eq!(Balloon::new().deflate(&mut fake, 1).stop, Stop::NoHole);
}
