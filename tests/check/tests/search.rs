//! The search itself: it finds what is planted by a shortest way, visits the same states each
//! time, and stops where it is told to.

use check::planted::PLANTED;
use check::scope::{SCOPES, named};
use check::search::{End, Limits, search};
use check::world::World;
use std::time::Duration;

/// States within which most planted faults are found.
const NEAR: usize = 40_000;
/// Those that lie deeper: `cargo xtask check --planted` finds them, compiled for speed.
const FAR: [&str; 2] = ["RefusalKeepsReferences", "UnmapWithoutFlush"];

#[test]
fn planted_faults_are_found() {
    for planted in &PLANTED {
        let name = format!("{:?}", planted.bug);
        if FAR.contains(&name.as_str()) {
            continue;
        }
        let scope = named(planted.scope).expect("a scope of that name");
        let limits = Limits { depth: scope.depth, states: Some(NEAR), time: None };
        let (found, end) = search(scope, Some(planted.bug), limits, &mut |_| {});
        assert!(planted.is_found_by(&end), "{name}: {found:?} {end:?}");
    }
}

#[test]
fn a_trace_says_what_was_done_and_what_came_of_it() {
    let planted = &PLANTED[0];
    let scope = named(planted.scope).expect("a scope of that name");
    let limits = Limits { depth: Some(3), ..Limits::default() };
    let (_, end) = search(scope, Some(planted.bug), limits, &mut |_| {});
    let End::Broken(trace) = end else { panic!("{end:?}") };
    let expected = [
        "dom1: pte_update(entry 0 of frame 7: absent) -> Success, 0x1",
        "dom1: pt_create(frame 6, level 1) -> Success",
    ];
    assert_eq!((trace.steps.as_slice(), trace.choices), (expected.map(String::from).as_slice(), 2));
    assert_eq!(trace.broken.to_string(), "I16: it is cached writable, and a page table, frame 6");
    assert!(trace.start.starts_with("dom1: root 8, table 7, pages 6,"), "{}", trace.start);
}

#[test]
fn without_a_fault_nothing_is_found_and_each_run_is_the_same() {
    for scope in &SCOPES {
        let limits = Limits { depth: Some(2), states: Some(20_000), time: None };
        let (first, end) = search(scope, None, limits, &mut |_| {});
        assert!(matches!(end, End::Depth | End::Limit), "{}: {end:?}", scope.name);
        let (second, _) = search(scope, None, limits, &mut |_| {});
        let figures = |found: check::search::Found| (found.states, found.steps, found.widths);
        assert_eq!(figures(first), figures(second), "{}", scope.name);
    }
}

#[test]
fn a_space_that_ends_is_closed_and_limits_are_kept() {
    let scope = named("end-trees").expect("a scope of that name");
    let (closed, end) = search(scope, None, Limits::default(), &mut |_| {});
    assert_eq!(end, End::Closed);
    assert_eq!(closed.widths.iter().sum::<usize>(), closed.states);
    let limits = Limits { time: Some(Duration::ZERO), ..Limits::default() };
    let (none, end) = search(scope, None, limits, &mut |_| {});
    assert_eq!((none.states, end), (1, End::Limit));
}

#[test]
fn frames_that_are_in_play_are_six_to_eight() {
    for scope in &SCOPES {
        assert!((6..=8).contains(&scope.size.frames_in_play()), "{}", scope.name);
        World::new(scope.size, None).audit().expect("the start is sound");
    }
}
