//! The suite in a guest: domains of `tests/guest` under the hypervisor, the tester and its
//! peers. The tester sends a record when a test begins and one when it has ended.

use super::{Case, Results, Verdict};
use crate::arch::Arch;
use crate::domains::Request;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::reported::{Reported, domain};
use anyhow::Result;
use conformance::report::{self, Record, Told};
use std::time::Duration;

/// Real time that the whole suite may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The guest's package.
const PACKAGE: &str = "conformance-guest";

/// Peers of the tester: one for each test that ends one.
const PEERS: usize = 5;

/// Bytes of memory of the tester and of each peer.
const TESTER_MEMORY: u64 = 16 << 20;
const PEER_MEMORY: u64 = 4 << 20;

/// Bytes of memory of the machine: little is left beside the domains, so that a test can use it up.
const MEMORY: u64 = 96 << 20;

/// Runs the tests whose names contain `filter`.
pub fn emulated(
    arch: Arch,
    debug: bool,
    may: MayInstall,
    filter: &str,
    progress: &Progress,
) -> Result<Results> {
    let mut collector = Collector::default();
    let run = machine(arch, debug, may, filter);
    let verdict = run.run(|bytes| collector.take(bytes, progress))?;
    Ok(collector.finish(verdict.map(drop), progress))
}

/// The machine that the tests whose names contain `filter` run on.
pub fn machine(arch: Arch, debug: bool, may: MayInstall, filter: &str) -> Reported {
    let domains = domains(filter);
    Reported { arch, debug, may, domains, memory: Some(MEMORY), stretches: false, limit: LIMIT }
}

/// What a record of the tester's wants to be typed.
pub fn typed(bytes: &[u8]) -> Vec<u8> {
    match report::decode(bytes) {
        Some(Record::WantsTyped { bytes }) => bytes.to_vec(),
        _ => Vec::new(),
    }
}

/// The tester, and its peers: some tests end one, and one test takes two.
fn domains(filter: &str) -> Vec<Request> {
    let words = if filter.is_empty() { String::new() } else { format!(" filter={filter}") };
    let own = format!("role=tester peers={PEERS}{words}");
    let peer = |index: usize| {
        let name = format!("peer-{}", index + 1);
        // The limit of what it may own is one that a single call reaches.
        let max_memory = Some(PEER_MEMORY + (1 << 20));
        let words = "role=peer tester=1".to_owned();
        Request { max_memory, ..domain(PACKAGE, &name, PEER_MEMORY, words) }
    };
    let tester = Request {
        // More than the machine has.
        max_memory: Some(2 * MEMORY),
        ..domain(PACKAGE, "tester", TESTER_MEMORY, own)
    };
    std::iter::once(tester).chain((0..PEERS).map(peer)).collect()
}

/// Puts the guest's records together.
#[derive(Default)]
struct Collector {
    results: Results,
    running: Option<String>,
    done: bool,
}

impl Collector {
    /// Takes a record; what it wants to be typed.
    fn take(&mut self, bytes: &[u8], progress: &Progress) -> Vec<u8> {
        match report::decode(bytes) {
            Some(Record::TestStarted { name }) => {
                progress.at(name);
                self.running = Some(name.to_owned());
            }
            Some(Record::TestFinished { name, outcome, .. }) => {
                self.running = None;
                let verdict = match outcome {
                    Told::Success => Verdict::Success,
                    Told::Failure(why) => Verdict::Failure(why.to_owned()),
                    Told::Skip(why) => Verdict::Skip(why.to_owned()),
                    Told::Error(why) => Verdict::Error(why.to_owned()),
                };
                self.add(Case { name: name.to_owned(), verdict }, progress);
            }
            Some(Record::WantsTyped { .. }) => return typed(bytes),
            Some(Record::Done { .. }) => self.done = true,
            None => {
                let why = format!("{} bytes that are no record", bytes.len());
                self.add(
                    Case { name: "run::records".into(), verdict: Verdict::Error(why) },
                    progress,
                );
            }
        }
        Vec::new()
    }

    fn add(&mut self, case: Case, progress: &Progress) {
        if case.verdict != Verdict::Success {
            progress.line(&case.to_string());
        }
        self.results.0.push(case);
    }

    /// The results, with what the run as a whole adds to them.
    fn finish(mut self, run: Result<(), String>, progress: &Progress) -> Results {
        let why = match &run {
            Ok(()) => "the guest ended in the middle of it".to_owned(),
            Err(why) => why.clone(),
        };
        if let Some(name) = self.running.take() {
            self.add(Case { name, verdict: Verdict::Error(why.clone()) }, progress);
        } else if let Err(why) = run {
            self.add(Case { name: "run::end".into(), verdict: Verdict::Error(why) }, progress);
        }
        if !self.done {
            let why = "the guest did not come to the end of its list".to_owned();
            self.add(Case { name: "run::list".into(), verdict: Verdict::Error(why) }, progress);
        }
        self.results
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::Planned;
    use conformance::report::Counts;

    fn feed(records: &[Record<'_>], run: Result<(), String>) -> Results {
        let progress = Progress::new("test");
        let mut collector = Collector::default();
        for record in records {
            let mut buffer = [0; report::MAX_BYTES];
            let bytes = report::encode(record, &mut buffer).expect("fits");
            collector.take(bytes, &progress);
        }
        collector.finish(run, &progress)
    }

    const STARTED: Record<'_> = Record::TestStarted { name: "pt_pin::a" };
    const FINISHED: Record<'_> =
        Record::TestFinished { name: "pt_pin::a", outcome: Told::Success, clauses: "PT_PIN.1" };
    const DONE: Record<'_> =
        Record::Done { counts: Counts { success: 1, failure: 0, skip: 0, error: 0 } };

    #[test]
    fn the_machine_has_less_memory_than_the_tester_may_own() {
        let plan = Planned::from_requests(domains("pt_pin"), Some(MEMORY)).expect("fits");
        assert_eq!(plan.domains[0].command_line, "role=tester peers=5 filter=pt_pin");
        assert!(plan.domains[0].max_memory > plan.memory);
        assert!(plan.domains[1..].iter().all(|domain| domain.command_line.contains("tester=1")));
    }

    #[test]
    fn what_a_test_wants_typed_is_handed_on() {
        let mut buffer = [0; report::MAX_BYTES];
        let record = Record::WantsTyped { bytes: b"abc" };
        let bytes = report::encode(&record, &mut buffer).expect("fits");
        assert_eq!(Collector::default().take(bytes, &Progress::new("test")), b"abc");
    }

    #[test]
    fn a_good_run() {
        let results = feed(&[STARTED, FINISHED, DONE], Ok(()));
        assert_eq!((results.passed(), results.failed()), (1, 0));
    }

    #[test]
    fn a_guest_that_dies_in_a_test_fails_that_test() {
        let results = feed(&[STARTED], Err("domain 1 (tester) spun".into()));
        assert_eq!(results.0[0].name, "pt_pin::a");
        assert_eq!(results.0[0].verdict, Verdict::Error("domain 1 (tester) spun".into()));
        assert_eq!(results.failed(), 2, "and the list is incomplete");
    }

    #[test]
    fn a_run_that_ends_badly_after_its_tests_is_an_error() {
        let results = feed(&[STARTED, FINISHED, DONE], Err("frames were lost".into()));
        assert_eq!((results.passed(), results.failed()), (1, 1));
    }
}
