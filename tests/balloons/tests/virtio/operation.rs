//! What a driver that keeps to the specification sees.

use super::arena::{self, DRIVERS, PAGES};
use super::driver::{ARRAY, Driver, Link};
use balloon::virtio::{
    Features, Interrupts, Place, QueueRefused, QueueSetup, Status, Step, queues,
};
use hypercall_abi::{Error, Pfn};
use virtio_drivers::transport::{DeviceStatus, Transport};

use balloon::policy::Pages;

fn linux() -> Driver {
    Driver::new(Features::all() - Features::PAGE_POISON)
}

fn set_target(driver: &Driver, target: u64) -> bool {
    driver.link.device.borrow_mut().set_target(Pages(target))
}

#[test]
fn what_is_offered_is_accepted_and_nothing_else() {
    let accepted = |features: u64| {
        let mut link = Link::new();
        link.write_driver_features(features);
        link.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER);
        link.set_status(
            DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER | DeviceStatus::FEATURES_OK,
        );
        link.get_status().contains(DeviceStatus::FEATURES_OK)
    };
    let least = (Features::VERSION_1 | Features::MUST_TELL_HOST).bits();
    assert!(accepted(least));
    assert!(accepted(Features::all().bits()));
    assert!(!accepted(Features::VERSION_1.bits()), "the host must be told");
    assert!(!accepted(Features::MUST_TELL_HOST.bits()), "there is no legacy interface");
    for other in [3, 6, 28, 29, 33, 34, 35, 63] {
        assert!(!accepted(least | 1 << other), "bit {other} is not offered");
    }
    let mut link = Link::new();
    link.finish_init();
    assert!(!link.get_status().contains(DeviceStatus::DRIVER_OK), "nothing was agreed on");
}

#[test]
fn queues_are_set_up_between_features_and_ready() {
    let mut link = Link::new();
    let setup = QueueSetup {
        size: 64,
        descriptors: Default::default(),
        driver_area: Default::default(),
        device_area: Default::default(),
    };
    let set = |link: &Link, number, setup| link.device.borrow_mut().set_queue(number, setup);
    assert_eq!(set(&link, 0, setup), Err(QueueRefused::NotNow));
    link.begin_init(Features::VERSION_1 | Features::MUST_TELL_HOST);
    assert_eq!(set(&link, 0, setup), Ok(()));
    for number in [2, 3, 4, 5, u16::MAX] {
        assert_eq!(set(&link, number, setup), Err(QueueRefused::NoSuchQueue), "queue {number}");
    }
    for size in [0, 3, 256, 0x8000] {
        let setup = QueueSetup { size, ..setup };
        assert_eq!(set(&link, 1, setup), Err(QueueRefused::Malformed), "{size} places");
    }
    for address in [1, 2, 8, 15] {
        let descriptors = balloon::virtio::GuestAddress(address);
        let setup = QueueSetup { descriptors, ..setup };
        assert_eq!(set(&link, 1, setup), Err(QueueRefused::Malformed), "at {address}");
    }
    link.finish_init();
    assert_eq!(set(&link, 1, setup), Err(QueueRefused::NotNow));
}

#[test]
fn the_balloon_follows_its_target_in_arrays_of_256() {
    let mut driver = linux();
    assert!(set_target(&driver, PAGES - 1000));
    assert!(!set_target(&driver, PAGES - 1000), "nothing new is no interrupt");
    let interrupts = |driver: &Driver| driver.link.device.borrow_mut().take_interrupts();
    assert_eq!(interrupts(&driver), Interrupts::CONFIG);
    driver.follow();
    assert_eq!(interrupts(&driver), Interrupts::USED);
    assert_eq!(driver.config(), [1000, 1000, 0, 0]);
    let counters = driver.link.device.borrow().counters();
    assert_eq!((counters.taken, counters.kicks[0], counters.chains[0]), (1000, 4, 4));
    assert_eq!(driver.link.machine.borrow().pool, 1000);
    assert_eq!(driver.link.machine.borrow().calls, [4, 0], "an array is one call");
    assert_eq!(driver.link.device.borrow().owned(), Pages(PAGES - 1000));
    assert!(driver.balloon.iter().all(|&page| !driver.link.is_backed(page)));
    set_target(&driver, PAGES - 100);
    driver.follow();
    let counters = driver.link.device.borrow().counters();
    assert_eq!((counters.given, counters.kicks[1], counters.below_target), (900, 4, 0));
    assert_eq!((driver.balloon.len(), driver.link.machine.borrow().pool), (100, 100));
}

#[test]
fn a_page_comes_back_zeroed_and_before_the_driver_is_told() {
    let mut driver = linux();
    driver.inflate(ARRAY);
    let page = *driver.balloon.last().expect("some");
    // All frames are somebody else's: the guest waits, and its array is not given back.
    driver.link.machine.borrow_mut().use_frames(ARRAY as u64);
    let (taken, waits) = driver.deflate(ARRAY);
    let sent = waits.expect("it waits");
    assert_eq!((taken, driver.link.run()), (0, Step::Waits(Error::NoMemory)));
    assert!(!driver.is_done(1, &sent));
    // Some come: still no answer, as not all pages have a frame.
    driver.link.machine.borrow_mut().return_frames(100);
    assert_eq!(driver.link.run(), Step::Waits(Error::NoMemory));
    assert!(!driver.is_done(1, &sent));
    // Meanwhile the other queues are served.
    driver.inflate(7);
    assert_eq!(driver.balloon.len(), 7);
    driver.link.machine.borrow_mut().return_frames(ARRAY as u64 - 100);
    assert_eq!(driver.link.run(), Step::Idle);
    assert!(driver.is_done(1, &sent));
    let mut first = [9; 8];
    arena::read(u64::from(page) * arena::PAGE, &mut first);
    assert_eq!(first, [0; 8]);
    driver.use_deflated(sent);
    assert_eq!(driver.link.device.borrow().counters().popped, 0);
}

#[test]
fn a_driver_that_uses_a_page_first_is_found_out_and_loses_nothing() {
    let mut driver = linux();
    driver.inflate(ARRAY);
    let page = driver.balloon[9];
    assert!(driver.link.touch(page), "it gets a frame, as one is free");
    driver.link.check();
    let place = driver.link.device.borrow().map().get(Pfn(page.into()));
    assert_eq!(place, Some(Place::Kept), "it is in the balloon all the same");
    assert_eq!(driver.link.device.borrow().counters().popped, 1);
    assert!(driver.link.touch(page), "another processor's touch");
    assert_eq!(driver.link.device.borrow().counters().touched, 1);
    assert_eq!(driver.deflate(ARRAY).0, ARRAY, "it comes out as the others do");
    assert_eq!(driver.link.device.borrow().counters().given, ARRAY as u64 - 1);
    assert_eq!(driver.link.device.borrow().map().in_balloon(), 0);
    // Without a frame that is free, who touches it waits.
    driver.inflate(1);
    driver.link.machine.borrow_mut().use_frames(1);
    let page = driver.balloon[0];
    assert!(!driver.link.touch(page));
    assert!(!driver.link.touch(PAGES as u32));
}

#[test]
fn pages_that_wait_for_frames_may_be_touched_or_left_by_a_reset() {
    let mut driver = linux();
    driver.inflate(20);
    driver.link.machine.borrow_mut().use_frames(20);
    let sent = driver.deflate(20).1.expect("it waits");
    driver.link.machine.borrow_mut().return_frames(12);
    assert!(driver.link.touch(sent.pages[3]), "another processor is faster than the device");
    assert_eq!(driver.link.run(), Step::Waits(Error::NoMemory));
    assert_eq!(driver.link.device.borrow().counters().given, 11);
    let Driver { mut link, .. } = driver;
    link.set_status(DeviceStatus::empty());
    link.check();
    let mut driver = Driver::on(link, Features::all(), 0, queues::REPORTING);
    driver.link.machine.borrow_mut().return_frames(8);
    driver.free.retain(|page| !sent.pages.contains(page));
    driver.inflate(5);
    assert_eq!(driver.deflate(5).0, 5);
    assert_eq!(driver.link.device.borrow().counters().given, 11 + 5, "of the old array no more");
}

#[test]
fn out_of_memory_the_guest_deflates_whatever_the_target() {
    let mut driver = linux();
    set_target(&driver, PAGES - 1024);
    driver.follow();
    // 256 pages an event, as Linux does.
    for event in 1..=3 {
        assert_eq!(driver.deflate(ARRAY).0, ARRAY);
        assert_eq!(driver.link.device.borrow().counters().below_target, event);
    }
    assert_eq!(driver.link.device.borrow().asked_for(), Pages(768));
    assert_eq!(driver.config(), [1024, 256, 0, 0]);
}

#[test]
fn a_page_that_cannot_go_stays_and_is_counted() {
    let mut driver = linux();
    let busy: Vec<u32> = driver.free.iter().rev().skip(3).step_by(50).take(5).copied().collect();
    let frames = busy.iter().map(|&page| Pfn(page.into()));
    driver.link.machine.borrow_mut().busy.extend(frames);
    driver.inflate(ARRAY);
    let counters = driver.link.device.borrow().counters();
    assert_eq!((counters.taken, counters.kept), (ARRAY as u64 - 5, 5));
    assert!(busy.iter().all(|&page| driver.link.is_backed(page)));
    assert_eq!(driver.link.device.borrow().owned(), Pages(PAGES - ARRAY as u64 + 5));
    assert_eq!(driver.deflate(ARRAY).0, ARRAY);
    assert_eq!(driver.link.device.borrow().owned(), Pages(PAGES));
    assert_eq!(driver.link.device.borrow().map().in_balloon(), 0);
}

#[test]
fn statistics_come_when_they_are_asked_for() {
    const SECOND: u64 = 1_000_000_000;
    let mut driver = linux();
    let ask = |driver: &Driver, now| {
        let mut machine = driver.link.machine.borrow_mut();
        driver.link.device.borrow_mut().ask_statistics(&mut *machine, now)
    };
    assert!(!ask(&driver, 0), "the driver has put no buffer there yet");
    let kib = |pages: u64| pages * arena::PAGE;
    driver.tell(&[
        (4, kib(500)),
        (5, kib(4000)),
        (6, kib(900)),
        (7, kib(400)),
        (0, kib(10)),
        (99, 1),
    ]);
    assert!(!driver.is_asked());
    let told = driver.link.device.borrow().statistics().expect("told");
    assert_eq!((told.free, told.available, told.cache), (Pages(500), Pages(900), Pages(400)));
    assert_eq!((told.needed, told.refaults.0), (Pages(3100), 0));
    for round in 1..=2 {
        assert!(ask(&driver, round * 2 * SECOND));
        assert!(driver.is_asked());
        assert!(!ask(&driver, round * 2 * SECOND), "it is asked already");
        driver.tell(&[(0, kib(10 + 50 * round)), (5, kib(4000)), (6, kib(1000))]);
    }
    let told = driver.link.device.borrow().statistics().expect("told");
    assert_eq!((told.needed, told.refaults.0), (Pages(3000), 25), "50 pages in 2 seconds");
    // A driver that deflates by itself leaves the balloon in its total.
    driver.inflate(1000);
    let told = driver.link.device.borrow().statistics().expect("told");
    assert_eq!(told.needed, Pages(2000));
}

#[test]
fn free_pages_are_taken_when_they_are_reported_and_come_back_when_they_are_touched() {
    for queue in [queues::REPORTING_AS_LINUX, queues::REPORTING] {
        let features = Features::all() - Features::PAGE_POISON;
        let mut driver = Driver::on(Link::new(), features, 0, queue);
        // As Linux does: up to 32 blocks of 2 MiB in a chain.
        let runs: Vec<(u64, u64)> = (1..7).map(|block| (block * 512, 512)).collect();
        driver.report(&runs, queue);
        let device = driver.link.device.clone();
        assert_eq!(device.borrow().counters().reported, 6 * 512);
        assert_eq!(device.borrow().owned(), Pages(PAGES - 6 * 512));
        assert_eq!(device.borrow().map().in_balloon(), 0, "no matter of the balloon");
        assert!(driver.link.touch(600) && driver.link.touch(700));
        driver.report(&runs, queue);
        assert_eq!(device.borrow().counters().reported, 6 * 512 + 2, "what has gone is gone");
        // The balloon may take what was reported; it comes back as all of it does.
        driver.inflate(1000);
        let gone = device.borrow().counters();
        assert_eq!(gone.taken, 512 - DRIVERS, "those that were not reported");
        assert_eq!(driver.deflate(1000).0, 1000);
        driver.link.check();
    }
}

#[test]
fn free_pages_that_are_filled_with_a_value_are_not_taken_unless_it_is_zero() {
    for (poison, taken) in [(0, 512), (0xaaaa_aaaa, 0)] {
        let mut driver =
            Driver::on(Link::new(), Features::all(), poison, queues::REPORTING_AS_LINUX);
        assert_eq!(driver.config()[3], poison);
        driver.report(&[(512, 512)], queues::REPORTING_AS_LINUX);
        assert_eq!(driver.link.device.borrow().counters().reported, taken);
        assert_eq!(driver.inflate(10), 10, "the balloon takes them: the guest fills them again");
    }
}

#[test]
fn the_next_driver_finds_an_empty_balloon_and_pages_that_come_back() {
    let mut driver = linux();
    set_target(&driver, PAGES - 2000);
    driver.follow();
    let pages = driver.balloon.clone();
    let Driver { mut link, .. } = driver;
    link.device.borrow_mut().set_status(0);
    assert_ne!(link.device.borrow().status(), Status::empty(), "it takes a step");
    link.set_status(DeviceStatus::empty());
    link.check();
    assert_eq!(link.device.borrow().map().in_balloon(), 0);
    let mut driver = Driver::on(link, Features::all(), 0, queues::REPORTING);
    assert_eq!(driver.config(), [2000, 0, 0, 0], "the target stays");
    assert!(pages.iter().take(100).all(|&page| driver.link.touch(page)));
    assert_eq!(driver.link.device.borrow().counters().popped, 0, "it may use them");
    driver.follow();
    driver.link.check();
    assert_eq!(driver.link.device.borrow().map().in_balloon(), 2000);
    assert_eq!(driver.link.device.borrow().owned(), Pages(PAGES - 2000));
}
