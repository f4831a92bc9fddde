//! The simulator against itself, and what it has to show: that it repeats, and how policies rank.

use balloon::policy::{Pages, PureShare, WorkingSet};
use simulator::{Fleet, Kind, Machine, MachineSize, Scheme, Score, Trace, jain};

fn run(scheme: &Scheme, overcommit: u64) -> Score {
    Fleet::usual(6, overcommit).run(scheme)
}

fn of(name: &str) -> Scheme {
    Scheme::all().into_iter().find(|scheme| scheme.name == name).expect("it is compared")
}

#[test]
fn a_run_repeats_to_the_page() {
    let figures = |seed| {
        let score = Fleet { seed, ..Fleet::usual(2, 150) }.run(&Scheme::tax(75));
        (score.shortage(), score.moved(), score.fairness())
    };
    assert_eq!(figures(1), figures(1));
    assert_ne!(figures(1), figures(2));
}

#[test]
fn a_machine_that_has_enough_leaves_nobody_short_for_long() {
    for scheme in [Scheme::lazy("pure share", PureShare), Scheme::lazy("working set", WorkingSet)] {
        let score = run(&scheme, 90);
        assert!(score.shortage() == 0.0, "{}: {} % short", scheme.name, score.shortage());
        assert_eq!(score.moved(), 0.0, "{}: nobody needs another's memory", scheme.name);
    }
}

#[test]
fn taxing_idle_memory_makes_overcommitment_usable() {
    let [share, tax, all] =
        ["pure share", "tax 75 %", "working set"].map(|name| run(&of(name), 150).shortage());
    assert!(tax * 10.0 < share, "pure share {share} %, tax 75 % {tax} %");
    assert!(all <= tax * 2.0 + 0.01, "working set {all} %, tax 75 % {tax} %");
}

#[test]
fn laziness_moves_less_and_leaves_hardly_more_short() {
    let [lazy, eager] = ["tax 75 %", "tax 75 %, eager"].map(|name| run(&of(name), 150));
    assert!(lazy.moved() * 2.0 < eager.moved(), "{} and {}", lazy.moved(), eager.moved());
    assert!(lazy.shortage() <= eager.shortage() + 0.1);
}

#[test]
fn nothing_is_taken_from_anybody_where_shares_alone_decide_and_all_boot_small() {
    let mut machine = Machine::new(MachineSize::usual(150), Scheme::tax(75).sight, 3);
    let before: Pages = machine.allocations().map(|(_, pages)| pages).sum();
    for _ in 0..10 {
        machine.round(&PureShare);
    }
    let after: Pages = machine.allocations().map(|(_, pages)| pages).sum();
    assert!(after > before && after <= machine.memory());
    assert_eq!(machine.score().moved(), 0.0);
}

#[test]
fn needs_are_what_their_kind_says() {
    let size = Pages(1_000_000);
    for kind in Kind::ALL {
        let mut trace = Trace::new(kind, size, 5);
        let needs: Vec<u64> = (0..360).map(|_| trace.next_need().0).collect();
        let (least, most) =
            (*needs.iter().min().expect("some"), *needs.iter().max().expect("some"));
        assert!(most <= size.0, "{}", kind.name());
        let swings = most > least * 2;
        assert_eq!(
            swings,
            !matches!(kind, Kind::Idle | Kind::Zipf),
            "{}: {least} to {most}",
            kind.name()
        );
        assert!(least > 0, "{}", kind.name());
    }
}

#[test]
fn jains_index_is_one_for_equals_and_one_nth_for_one_who_has_all() {
    assert!((jain(&[3.0, 3.0, 3.0]) - 1.0).abs() < 1e-12);
    assert!((jain(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-12);
    assert!((jain(&[]) - 1.0).abs() < 1e-12);
}
