//! The estimate of what a guest uses: right within the error of its sample, quick to rise, slow to
//! fall, and not a guest's to choose.

use balloon::activity::{
    Averages, Evidence, Gain, GuestStatistics, Part, PickedPage, Pressure, Refaults, SAMPLE_PAGES,
    Sampler, Stall, Trust,
};
use balloon::policy::Pages;

const MEMORY: Pages = Pages::from_mib(256);

/// A period of a guest that touches its first `active` pages and no others.
fn watch(sampler: &mut Sampler, active: Pages) {
    while let Some(PickedPage(page)) = sampler.pick(MEMORY) {
        if page.0 < active.0 {
            sampler.touched();
        }
    }
}

fn mib(part: Part) -> u64 {
    part.of_pages(MEMORY).to_mib()
}

#[test]
fn the_sample_is_right_within_its_standard_error() {
    for active in [16, 50, 128, 240] {
        let periods = 400;
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut sampler = Sampler::new(Averages::beginning_with(Part::NONE), active);
        for _ in 0..periods {
            watch(&mut sampler, Pages::from_mib(active));
            let touched = f64::from(sampler.period().touched()) / f64::from(SAMPLE_PAGES);
            sum += touched;
            squares += touched * touched;
            sampler.end_period();
        }
        let mean = sum / f64::from(periods);
        let deviation = (squares / f64::from(periods) - mean * mean).sqrt();
        let truth = active as f64 / 256.0;
        assert!(deviation <= 0.055, "{active} MB: one sample is out by {deviation:.3}");
        assert!((mean - truth).abs() < 0.01, "{active} MB: {mean:.3} for {truth:.3}");
    }
}

#[test]
fn the_estimate_rises_within_one_period_and_falls_slowly() {
    let mut sampler = Sampler::new(Averages::beginning_with(Part::NONE), 7);
    let settled = |sampler: &mut Sampler, active: u64, periods: u32| {
        for _ in 0..periods {
            watch(sampler, Pages::from_mib(active));
            sampler.end_period();
        }
    };
    settled(&mut sampler, 50, 60);
    assert!(mib(sampler.estimate()).abs_diff(50) <= 26, "{} MB", mib(sampler.estimate()));
    // The toucher goes from 50 to 250 MB: before the period is over the estimate has followed.
    watch(&mut sampler, Pages::from_mib(250));
    assert!(mib(sampler.estimate()) >= 250 - 26, "{} MB", mib(sampler.estimate()));
    sampler.end_period();
    settled(&mut sampler, 250, 30);
    let busy = mib(sampler.estimate());
    settled(&mut sampler, 50, 1);
    let after_one = mib(sampler.estimate());
    assert!(busy - after_one < (busy - 50) / 4, "from {busy} to {after_one} MB in one period");
    settled(&mut sampler, 50, 40);
    assert!(mib(sampler.estimate()) <= 50 + 26, "{} MB", mib(sampler.estimate()));
}

#[test]
fn averages_arrive_where_they_are_led() {
    for goal in [Part::NONE, Part::of(1, 65_536), Part::of(1, 3), Part::ALL] {
        for power in [0, 1, 3, 16] {
            let gain = Gain::halves(power).expect("it moves");
            for start in [Part::NONE, Part::ALL] {
                let mut averages = Averages::beginning_with(start).with_gains(gain, Gain::FAST);
                for _ in 0..1_000_000 {
                    if averages.slow() == goal {
                        break;
                    }
                    averages.add(goal);
                }
                assert_eq!(averages.slow(), goal, "by 2^-{power}");
            }
        }
    }
    assert_eq!(Gain::halves(17), None);
}

#[test]
fn a_period_has_its_pages_and_no_more_touches_than_pages() {
    let mut sampler = Sampler::new(Averages::beginning_with(Part::NONE), 1);
    assert_eq!(sampler.pick(Pages::ZERO), None);
    sampler.touched();
    assert_eq!(sampler.estimate(), Part::NONE, "a touch of nothing");
    let picked =
        std::iter::from_fn(|| sampler.pick(Pages(3))).inspect(|page| assert!(page.0.0 < 3));
    assert_eq!(picked.count(), SAMPLE_PAGES as usize);
    for _ in 0..1_000 {
        sampler.touched();
    }
    assert_eq!(sampler.estimate(), Part::ALL);
    sampler.end_period();
    let before = sampler.averages();
    sampler.end_period();
    assert_eq!(sampler.averages(), before, "a period without a sample says nothing");
}

fn told(needed: u64, high: bool) -> GuestStatistics {
    let stall = Stall { over_10_s: if high { Part::ALL } else { Part::NONE }, ..Stall::default() };
    GuestStatistics {
        needed: Pages(needed),
        pressure: Pressure { some: stall, full: stall },
        ..GuestStatistics::default()
    }
}

#[test]
fn a_guests_word_neither_lowers_the_measure_nor_raises_it_by_more_than_the_margin() {
    let evidence = |told| Evidence {
        allocated: Pages(1_000),
        measured: Part::per_cent(40),
        seen_refaults: Refaults(0),
        told,
    };
    let active = |told| evidence(told).active(Trust::USUAL).0;
    assert_eq!(active(None), 400);
    assert_eq!(active(Some(told(0, false))), 400);
    assert_eq!(active(Some(told(450, false))), 450);
    assert_eq!(active(Some(told(u64::MAX, true))), 500);
}

#[test]
fn pressure_takes_more_than_a_guests_word() {
    let evidence = |busy, refaults, high| Evidence {
        allocated: Pages(1_000),
        measured: Part::per_cent(busy),
        seen_refaults: Refaults(refaults),
        told: Some(told(0, high)),
    };
    let pressed =
        |busy, refaults, high| evidence(busy, refaults, high).is_under_pressure(Trust::USUAL);
    assert!(!pressed(20, 0, true), "an idle guest that complains");
    assert!(pressed(80, 0, true), "a busy guest that complains");
    assert!(!pressed(80, 0, false), "a busy guest that does not");
    assert!(pressed(20, 50, false), "the host sees it thrash");
}

#[test]
fn parts_round_to_the_nearest_and_print() {
    assert_eq!(Part::of(1, 2).of_pages(Pages(3)), Pages(2));
    assert_eq!(Part::of(0, 0), Part::NONE);
    assert_eq!(Part::of(5, 4), Part::ALL);
    assert_eq!(Part::ALL.of_pages(Pages(1 << 40)), Pages(1 << 40));
    assert_eq!(Part::of(1, 3).to_string(), "33.3 %");
    assert_eq!(Part::ALL.plus(Part::ALL), Part::ALL);
}
