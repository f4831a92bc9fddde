//! The device under the same control as a guest with our driver: targets, evidence, stalls.

use super::arena::PAGES;
use super::driver::Driver;
use balloon::activity::{Evidence, Part, Refaults, Trust};
use balloon::control::{Member, Order, Patience, Planner, Room, StallDetector};
use balloon::policy::{Bounds, Guest, IdleTax, Pages, Shares, TaxRate, Work};
use balloon::virtio::Features;

/// A machine for this guest and one more of its size, which together have half as much again.
const MEMORY: Pages = Pages(PAGES * 3 / 2);

/// What the host knows of a guest behind a device.
fn evidence(driver: &Driver, measured: Part) -> Evidence {
    let device = driver.link.device.borrow();
    Evidence {
        allocated: device.owned(),
        measured,
        seen_refaults: Refaults::default(),
        told: device.statistics(),
    }
}

/// One round: the guest with the device, mostly idle, and another that needs all it may have and has what
/// the first has not. What is asked of the first.
fn round(planner: &mut Planner, driver: &Driver, stall: &StallDetector) -> Order {
    let bounds = Bounds::new(Pages(PAGES / 4), Pages(PAGES)).expect("ordered");
    let member = |allocated, active, wanted, stalled| Member {
        guest: Guest { bounds, shares: Shares::ONE, tax: None, active },
        allocated,
        wanted,
        protected: false,
        stalled,
    };
    let evidence = evidence(driver, Part::per_cent(10));
    let active = evidence.active(Trust::USUAL);
    // So little is free that it is taken by balloon.
    let free = Pages(planner.memory.0 * 3 / 100);
    let other = (planner.memory - evidence.allocated - free).0.min(PAGES);
    let members = [
        member(evidence.allocated, active, active, stall.is_stalled()),
        member(Pages(other), Pages(PAGES), Pages(PAGES), false),
    ];
    let mut guests = members.map(|member| member.guest);
    let mut work = vec![Work::EMPTY; Work::needed(2)];
    let (mut targets, mut orders) = ([Pages::ZERO; 2], [Order::Keep; 2]);
    let mut room =
        Room { guests: &mut guests, work: &mut work, targets: &mut targets, orders: &mut orders };
    planner.plan(&IdleTax(TaxRate::ESX), &members, &mut room).expect("a plan");
    orders[0]
}

fn driver() -> Driver {
    let driver = Driver::new(Features::all() - Features::PAGE_POISON);
    driver.link.device.borrow_mut().set_target(Pages(PAGES));
    driver
}

#[test]
fn what_the_planner_takes_is_what_the_driver_gives() {
    let mut driver = driver();
    let mut planner = Planner::new(MEMORY, Pages(512));
    let mut stall = StallDetector::new(Patience::USUAL);
    let mut rounds = 0;
    while let Order::Shrink(pages) = round(&mut planner, &driver, &stall) {
        let (target, before) = {
            let device = driver.link.device.borrow();
            (device.owned() - pages, device.counters().taken)
        };
        driver.link.device.borrow_mut().set_target(target);
        let asked = driver.link.device.borrow().asked_for();
        assert_eq!(asked, pages);
        driver.follow();
        let gave = driver.link.device.borrow().counters().taken - before;
        assert_eq!(Pages(gave), pages);
        stall.observe(asked, Pages(gave));
        rounds += 1;
        assert!(rounds < 20, "it ends");
    }
    assert!(rounds > 1 && !stall.is_stalled());
    let owned = driver.link.device.borrow().owned();
    assert!(owned < Pages(PAGES / 2 + PAGES / 4), "{owned} pages are left");
}

/// A driver that says what the device wants to hear, and gives nothing.
#[test]
fn a_driver_that_only_claims_to_have_given_stalls_and_is_forced() {
    let driver = driver();
    let mut planner = Planner::new(MEMORY, Pages(512));
    let mut stall = StallDetector::new(Patience::USUAL);
    for _ in 0..Patience::USUAL.ticks {
        let Order::Shrink(pages) = round(&mut planner, &driver, &stall) else {
            panic!("it is asked")
        };
        let mut device = driver.link.device.borrow_mut();
        let target = device.owned() - pages;
        device.set_target(target);
        let before = device.counters().taken;
        let asked = device.asked_for();
        device.write_config(4, &(asked.0 as u32).to_le_bytes());
        assert_eq!(device.asked_for(), asked, "its count is not believed");
        stall.observe(asked, Pages(device.counters().taken - before));
    }
    assert!(stall.is_stalled());
    assert!(matches!(round(&mut planner, &driver, &stall), Order::Force { .. }));
}

/// What it says of its need counts as any guest's word does: by the margin.
#[test]
fn statistics_raise_the_estimate_by_the_margin_at_most() {
    let mut driver = driver();
    let measured = Part::per_cent(20);
    let trust = Trust::USUAL;
    let silent = evidence(&driver, measured).active(trust);
    assert_eq!(silent, measured.of_pages(Pages(PAGES)));
    driver.tell(&[(5, PAGES * 4096), (6, PAGES * 3 / 4 * 4096)]);
    assert_eq!(evidence(&driver, measured).active(trust), Pages(PAGES / 4));
    let greedy = {
        let mut machine = driver.link.machine.borrow_mut();
        assert!(driver.link.device.borrow_mut().ask_statistics(&mut *machine, 1));
        drop(machine);
        driver.tell(&[(5, u64::MAX), (6, 0)]);
        evidence(&driver, measured)
    };
    assert_eq!(greedy.active(trust), measured.plus(trust.margin).of_pages(Pages(PAGES)));
    assert!(!greedy.is_under_pressure(trust), "of pressure virtio knows nothing");
}
