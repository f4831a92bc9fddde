//! Arbitrary sequences of steps of two domains: the core does what the book says, call by call.
//! A failure shows the shortest sequence that was found, as calls.

use conformance_host::Cpu;
use oracle::{STEP_BYTES, Step, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use pv_core::{Riscv64Sv39, Riscv64Sv48, X86_64};

/// `PROPTEST_CASES` asks for another number of cases than the few of every day.
fn sequences<P: Cpu>(cases: u32) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(cases);
    let machine = World::<P>::new();
    let steps = prop::collection::vec(any::<[u8; STEP_BYTES]>().prop_map(Step), 1..60);
    let budgets = prop_oneof![Just(1u32), Just(40u32), Just(2048u32)];
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&(budgets, steps), |(budget, steps)| {
        let mut world = machine.clone();
        world.set_budget(budget);
        world
            .play(&steps, None)
            .and_then(|()| world.finish())
            .map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(story, _)) => panic!("{}", story.message()),
        Err(TestError::Abort(reason)) => panic!("{}", reason.message()),
    }
}

#[test]
fn the_core_does_what_the_book_says_x86_64() {
    sequences::<X86_64>(100);
}

#[test]
fn the_core_does_what_the_book_says_sv39() {
    sequences::<Riscv64Sv39>(100);
}

#[test]
fn the_core_does_what_the_book_says_sv48() {
    sequences::<Riscv64Sv48>(40);
}
