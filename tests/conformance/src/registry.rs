//! The list of tests, and how one is run.

use crate::{
    advisories,
    caller::{Caller, OWN, PEER, Side},
    calls, frames,
    outcome::{Check, Message, Outcome},
    processor, sharing, start,
    test::Test,
    traps,
};
use hypercall_abi::{
    domain_info::DomainInfo,
    start_info::VCPU_PAGE_PFN,
    vcpu_page::{EVENT_WORDS, EVENTS_MASKED_OFFSET, EVENTS_PENDING_OFFSET, PENDING_OFFSET},
};

/// One test.
#[derive(Clone, Copy)]
pub struct TestCase {
    /// Name of the call, or of the file of cross-call tests.
    pub group: &'static str,
    /// Its own name in the group.
    pub name: &'static str,
    /// Clauses of the book that it checks and advisories that it answers, with a space between
    /// them.
    pub clauses: &'static str,
    /// What it does.
    pub run: fn(&mut Test<'_>) -> Check,
}

/// Makes a group's list of tests: the functions of those names with their clauses.
macro_rules! tests {
    ($group:literal: $($name:ident: $clauses:literal),+ $(,)?) => {
        /// The tests of this file.
        pub const TESTS: &[$crate::TestCase] = &[$($crate::TestCase {
            group: $group,
            name: stringify!($name),
            clauses: $clauses,
            run: $name,
        }),+];
    };
}
pub(crate) use tests;

/// Every list: calls in the order of their numbers but the one that ends domains, then what
/// spans calls.
pub const GROUPS: &[&[TestCase]] = &[
    calls::abi_query::TESTS,
    calls::pt_create::TESTS,
    calls::pt_pin::TESTS,
    calls::pt_unpin::TESTS,
    calls::pt_switch::TESTS,
    calls::pte_update::TESTS,
    calls::tlb_flush::TESTS,
    calls::balloon_inflate::TESTS,
    calls::balloon_deflate::TESTS,
    calls::grant_share::TESTS,
    calls::grant_revoke::TESTS,
    calls::grant_map::TESTS,
    calls::grant_unmap::TESTS,
    calls::event_alloc::TESTS,
    calls::event_bind::TESTS,
    calls::event_send::TESTS,
    calls::event_mask::TESTS,
    calls::event_close::TESTS,
    calls::trap_register::TESTS,
    calls::trap_return::TESTS,
    calls::sched_yield::TESTS,
    calls::sched_block::TESTS,
    calls::timer_set::TESTS,
    calls::console_write::TESTS,
    calls::console_read::TESTS,
    calls::domain_query::TESTS,
    calls::batch::TESTS,
    calls::balloon_report::TESTS,
    calls::p2m_register::TESTS,
    calls::share_advise::TESTS,
    calls::share_break::TESTS,
    calls::spare_put::TESTS,
    calls::spare_get::TESTS,
    calls::spare_drop::TESTS,
    start::TESTS,
    traps::TESTS,
    processor::TESTS,
    frames::TESTS,
    sharing::TESTS,
    advisories::tables::TESTS,
    advisories::grants::TESTS,
    advisories::events::TESTS,
    advisories::abi::TESTS,
    advisories::rules::TESTS,
    advisories::instructions::TESTS,
    advisories::processor_state::TESTS,
    // It ends the peer.
    calls::shutdown::TESTS,
];

/// Every test.
pub fn all() -> impl Iterator<Item = &'static TestCase> {
    GROUPS.iter().copied().flatten()
}

impl TestCase {
    /// Whether the test's name, `group::name`, contains `filter`.
    pub fn matches(&self, filter: &str) -> bool {
        let mut name = Message::default();
        let _ = core::fmt::write(&mut name, format_args!("{}::{}", self.group, self.name));
        name.as_str().contains(filter)
    }
}

/// Runs one test: sets the events aside, runs it, puts back what it changed, and compares
/// what the two domains have before and after.
pub fn run(case: &TestCase, caller: &mut dyn Caller) -> Outcome {
    // What lies from before is not this test's.
    let _ = caller.complaint();
    caller.begin();
    quieten(caller, OWN);
    if caller.has(PEER) {
        quieten(caller, PEER);
    }
    let mut test = Test::new(caller);
    let before = held(&mut test);
    let check = (case.run)(&mut test);
    let cleaned = test.clean_up();
    let after = held(&mut test);
    let outcome = Outcome::from(check);
    if let Some(complaint) = test.caller().complaint() {
        return Outcome::Error(complaint);
    }
    if outcome != Outcome::Success {
        return outcome;
    }
    if let Err(stop) = cleaned {
        return Outcome::from(Err(stop));
    }
    let differs = before.iter().zip(&after).any(|pair| match pair {
        (Some(before), Some(after)) => before != after,
        // A test has ended that domain.
        _ => false,
    });
    if differs {
        return Outcome::Error(Message::new(format_args!(
            "left behind: before {before:x?}, after {after:x?}"
        )));
    }
    outcome
}

/// Masks a side's events and forgets those that are pending.
fn quieten(caller: &mut dyn Caller, side: Side) {
    caller.write(side, VCPU_PAGE_PFN, EVENTS_MASKED_OFFSET / 8, 1);
    caller.write(side, VCPU_PAGE_PFN, EVENTS_PENDING_OFFSET / 8, 0);
    for word in 0..EVENT_WORDS {
        caller.write(side, VCPU_PAGE_PFN, PENDING_OFFSET / 8 + word, 0);
    }
    caller.forget_events(side);
}

/// What a domain has: frames, tables, pinned tables, grants, handles, ports. `None` when it
/// cannot be asked, as when a test has ended it.
fn held(test: &mut Test<'_>) -> [Option<[u64; 6]>; 2] {
    let one = |test: &mut Test<'_>, side| {
        let DomainInfo { frames, table_frames, pinned_tables, grants, handles, ports, .. } =
            test.counts(side).ok()?;
        Some([frames, table_frames, pinned_tables, grants, handles, ports])
    };
    let own = one(test, OWN);
    let peer = if test.need_peer().is_ok() { one(test, PEER) } else { None };
    [own, peer]
}
