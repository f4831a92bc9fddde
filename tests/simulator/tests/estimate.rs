//! Ways of estimating what a guest needs, where the truth is known.

use balloon::policy::Pages;
use simulator::estimate::{Watched, Way, watch};

const SIZE: Pages = Pages::from_mib(256);

/// Periods of each need.
const LITTLE: usize = 20;
const MUCH: usize = 20;
const AFTER: usize = 40;

/// A guest that needs 50 MiB, then 250, then 50 again.
fn toucher(given: Pages, seed: u64) -> Watched {
    let needs = [(50, LITTLE), (250, MUCH), (50, AFTER)];
    let needs: Vec<Pages> =
        needs.into_iter().flat_map(|(mib, periods)| vec![Pages::from_mib(mib); periods]).collect();
    watch(SIZE, given, &needs, seed)
}

#[test]
fn the_greatest_of_three_rises_at_once_and_falls_slowly() {
    for seed in 1..6 {
        let watched = toucher(SIZE, seed);
        let rise = |way| watched.periods_until_right(way, LITTLE, SIZE);
        let fall = |way| watched.periods_until_right(way, LITTLE + MUCH, SIZE);
        assert_eq!(rise(Way::Sampling), Some(0), "seed {seed}");
        assert!(rise(Way::Slow) > Some(5), "seed {seed}: {:?}", rise(Way::Slow));
        assert!(fall(Way::Sampling) > fall(Way::Fast), "seed {seed}");
        assert!(fall(Way::Sampling).is_some(), "seed {seed}");
        // A need that does not change is met within two standard errors of a sample of 100.
        let steady = &watched.by(Way::Fast)[10..LITTLE];
        let mean = steady.iter().map(|pages| pages.0).sum::<u64>() / steady.len() as u64;
        assert!(Pages(mean).to_mib().abs_diff(50) <= 26, "seed {seed}: {mean} pages");
    }
}

#[test]
fn samples_see_nothing_beyond_what_a_guest_has_and_refaults_nothing_within() {
    let given = Pages(SIZE.0 / 2);
    let watched = toucher(given, 1);
    let last = LITTLE + MUCH - 1;
    assert!(watched.by(Way::Sampling).iter().all(|said| *said <= given));
    assert_eq!(watched.by(Way::Refaults)[last], Pages::from_mib(250));
    assert_eq!(watched.by(Way::Refaults)[LITTLE - 1], given, "50 MiB of need look like all of it");
}

#[test]
fn distances_of_reuse_see_both() {
    for given in [SIZE, Pages(SIZE.0 / 2)] {
        let watched = toucher(given, 1);
        for (period, truth) in [(LITTLE - 1, 50), (LITTLE + MUCH - 1, 250)] {
            let said = watched.by(Way::Reuse)[period].to_mib();
            assert!(said.abs_diff(truth) <= 20, "{said} MiB for {truth}");
        }
    }
}
