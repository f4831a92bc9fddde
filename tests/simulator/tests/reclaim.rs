//! Memory taken by a balloon, beside memory taken by force.

use simulator::reclaim::{Toll, Way, Workload, busy, stale};

const WORKLOAD: Workload = Workload {
    size: 1_024,
    left: 512,
    used: 1_280,
    accesses: 50_000,
    writes: 30,
    exponent: 1.0,
    seed: 1,
};

#[test]
fn who_knows_what_is_used_transfers_less() {
    for exponent in [0.8, 1.0, 1.2] {
        for seed in 1..4 {
            let workload = Workload { exponent, seed, ..WORKLOAD };
            let given = busy(Way::Balloon, &workload);
            let forced = busy(Way::Forced, &workload);
            assert_eq!(given.hypervisor, 0, "a balloon leaves the hypervisor nothing to page");
            assert!(
                forced.transfers() * 100 >= given.transfers() * 145,
                "exponent {exponent}, seed {seed}: {given:?}, {forced:?}"
            );
        }
    }
}

#[test]
fn the_guest_pages_only_what_it_has_no_room_for() {
    let workload = Workload { used: WORKLOAD.size, ..WORKLOAD };
    assert_eq!(busy(Way::Forced, &workload).guest, 0);
    assert!(busy(Way::Balloon, &workload).guest > 0);
    let roomy = Workload { left: WORKLOAD.size, ..workload };
    for way in [Way::Balloon, Way::Forced] {
        assert_eq!(busy(way, &roomy), Toll::default(), "{way:?}");
    }
}

#[test]
fn pages_that_nobody_needs_cost_a_balloon_nothing() {
    assert_eq!(stale(Way::Balloon, &WORKLOAD), Toll::default());
    let forced = stale(Way::Forced, &WORKLOAD);
    // Half of its pages are written, and half of those that are read next were among them.
    assert!(forced.hypervisor > 512, "{forced:?}");
}

#[test]
fn a_page_with_a_good_copy_is_not_written_again() {
    let reading = Workload { writes: 0, used: WORKLOAD.size, ..WORKLOAD };
    let writing = Workload { writes: 100, ..reading };
    for way in [Way::Balloon, Way::Forced] {
        let (few, many) = (busy(way, &reading).transfers(), busy(way, &writing).transfers());
        assert!(few * 3 < many * 2, "{way:?}: {few} against {many}");
    }
}

#[test]
fn what_is_stolen_and_kept_nowhere_is_lost() {
    let (stolen, forced) = (busy(Way::Stolen, &WORKLOAD), busy(Way::Forced, &WORKLOAD));
    assert_eq!(stolen.hypervisor, 0, "nothing is kept");
    assert!(stolen.gone as usize > WORKLOAD.accesses / 4, "{stolen:?}");
    assert!(stolen.lost > 0 && stolen.lost < stolen.gone, "what is lost stays lost: {stolen:?}");
    // The guest sees no difference: it pages as if its data were there.
    assert_eq!(stolen.guest, forced.guest);
    for way in [Way::Balloon, Way::Forced] {
        assert_eq!((busy(way, &WORKLOAD).gone, stale(way, &WORKLOAD).gone), (0, 0), "{way:?}");
    }
    // Half of what is looked at again was in frames that were taken, and each is looked at once.
    let stale = stale(Way::Stolen, &WORKLOAD);
    assert_eq!(stale.transfers(), 0);
    assert!(stale.gone as usize > WORKLOAD.left / 3, "{stale:?}");
    assert_eq!(stale.lost, stale.gone);
    let roomy = Workload { left: WORKLOAD.size, ..WORKLOAD };
    assert_eq!(busy(Way::Stolen, &roomy).gone, 0, "nothing is taken");
}

#[test]
fn everything_follows_from_the_seed() {
    for way in [Way::Balloon, Way::Forced, Way::Stolen] {
        assert_eq!(busy(way, &WORKLOAD), busy(way, &WORKLOAD));
        assert_ne!(busy(way, &WORKLOAD), busy(way, &Workload { seed: 2, ..WORKLOAD }));
    }
}
