//! The suite in a guest: domains of one image under the hypervisor, the tester and its peers.
//! The tester sends a record, or a line, when a test begins and one when it has ended.

use super::tap::{self, Line};
use super::{Case, Guest, Results, Verdict};
use crate::arch::Arch;
use crate::domains::Request;
use crate::modules::Module;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::reported::{Reported, domain};
use anyhow::Result;
use conformance::report::{self, Record};
use std::time::Duration;

/// Real time that the whole suite may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Peers of our own tester: one for each test that ends one.
const PEERS: usize = 5;

/// Bytes of memory of the tester and of each peer.
const TESTER_MEMORY: u64 = 16 << 20;
const PEER_MEMORY: u64 = 4 << 20;

/// Bytes of memory of the machine: little is left beside the domains, so that a test can use it up.
const MEMORY: u64 = 96 << 20;

/// Bytes of memory of the two domains of another guest.
const OTHER_MEMORY: u64 = 32 << 20;

/// Runs the tests of a guest whose names contain `filter`.
pub fn emulated(
    arch: Arch,
    debug: bool,
    may: MayInstall,
    guest: &Guest,
    filter: &str,
    progress: &Progress,
) -> Result<Results> {
    let mut collector = Collector::default();
    let run = machine(arch, debug, may, guest, filter);
    let verdict = run.run(|bytes| collector.take(bytes, progress))?;
    Ok(collector.finish(verdict.map(drop), progress))
}

/// The machine that a guest's tests whose names contain `filter` run on.
pub fn machine(arch: Arch, debug: bool, may: MayInstall, guest: &Guest, filter: &str) -> Reported {
    let (domains, memory) = match guest {
        Guest::Rust => (domains(guest, filter), Some(MEMORY)),
        Guest::C | Guest::Path(_) => (pair(guest, filter), None),
    };
    let sharing = true;
    Reported { arch, debug, may, domains, memory, stretches: false, sharing, limit: LIMIT }
}

/// What a record of the tester's wants to be typed.
pub fn typed(bytes: &[u8]) -> Vec<u8> {
    match report::decode(bytes) {
        Some(Record::WantsTyped { bytes }) => bytes.to_vec(),
        _ => Vec::new(),
    }
}

/// The word of the command line that names the tests.
fn filter_word(filter: &str) -> String {
    if filter.is_empty() { String::new() } else { format!(" filter={filter}") }
}

/// The module that the tester's tests expect.
fn module() -> Module {
    Module::Bytes(conformance::module::bytes().to_vec())
}

/// A tester of another guest, and one peer of it.
fn pair(guest: &Guest, filter: &str) -> Vec<Request> {
    let one = |name: &str, words: String| Request {
        max_memory: Some(2 * OTHER_MEMORY),
        ..domain(guest.source(), name, OTHER_MEMORY, words)
    };
    vec![
        Request {
            module: Some(module()),
            ..one("tester", format!("role=tester peer=2{}", filter_word(filter)))
        },
        one("peer", "role=peer peer=1".into()),
    ]
}

/// Our tester, and its peers: some tests end one, and one test takes two.
fn domains(guest: &Guest, filter: &str) -> Vec<Request> {
    let words = filter_word(filter);
    let own = format!("role=tester peers={PEERS}{words}");
    let peer = |index: usize| {
        let name = format!("peer-{}", index + 1);
        // The limit of what it may own is one that a single call reaches.
        let max_memory = Some(PEER_MEMORY + (1 << 20));
        let words = "role=peer tester=1".to_owned();
        Request { max_memory, ..domain(guest.source(), &name, PEER_MEMORY, words) }
    };
    let tester = Request {
        // More than the machine has.
        max_memory: Some(2 * MEMORY),
        module: Some(module()),
        ..domain(guest.source(), "tester", TESTER_MEMORY, own)
    };
    std::iter::once(tester).chain((0..PEERS).map(peer)).collect()
}

/// Puts the guest's records, or lines, together.
#[derive(Default)]
struct Collector {
    results: Results,
    running: Option<String>,
    done: bool,
}

/// What one of them says.
enum Told {
    Begins(String),
    Ended(Case),
    Done,
}

impl Collector {
    /// Takes a record, or lines; what they want to be typed.
    fn take(&mut self, bytes: &[u8], progress: &Progress) -> Vec<u8> {
        if bytes.first() == Some(&report::VERSION) {
            match report::decode(bytes).map(of_record) {
                Some(Some(told)) => self.note(told, progress),
                Some(None) => {}
                None => self.trouble(format!("{} bytes that are no record", bytes.len()), progress),
            }
            return typed(bytes);
        }
        for line in String::from_utf8_lossy(bytes).lines() {
            match tap::parse(line) {
                Some(Line::Begins(name)) => self.note(Told::Begins(name), progress),
                Some(Line::Ended(case)) => self.note(Told::Ended(case), progress),
                Some(Line::Plan(count)) => self.plan(count, progress),
                Some(Line::BailOut(why)) => {
                    self.trouble(format!("the guest gave up: {why}"), progress)
                }
                Some(Line::Remark) => {}
                None => self.trouble(
                    format!("`{line}` is neither a record nor a line of the protocol"),
                    progress,
                ),
            }
        }
        Vec::new()
    }

    fn note(&mut self, told: Told, progress: &Progress) {
        match told {
            Told::Begins(name) => {
                progress.at(&name);
                self.running = Some(name);
            }
            Told::Ended(case) => {
                self.running = None;
                self.add(case, progress);
            }
            Told::Done => self.done = true,
        }
    }

    /// The guest says how many tests there were.
    fn plan(&mut self, count: usize, progress: &Progress) {
        let ended = self.results.0.len();
        if ended != count {
            self.trouble(format!("the plan is of {count} tests, {ended} have ended"), progress);
        }
        self.note(Told::Done, progress);
    }

    fn trouble(&mut self, why: String, progress: &Progress) {
        self.add(Case { name: "run::records".into(), verdict: Verdict::Error(why) }, progress);
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

/// What a record says; nothing, if it only wants something typed.
fn of_record(record: Record<'_>) -> Option<Told> {
    Some(match record {
        Record::TestStarted { name } => Told::Begins(name.to_owned()),
        Record::TestFinished { name, outcome, .. } => {
            let verdict = match outcome {
                report::Told::Success => Verdict::Success,
                report::Told::Failure(why) => Verdict::Failure(why.to_owned()),
                report::Told::Skip(why) => Verdict::Skip(why.to_owned()),
                report::Told::Error(why) => Verdict::Error(why.to_owned()),
            };
            Told::Ended(Case { name: name.to_owned(), verdict })
        }
        Record::Done { .. } => Told::Done,
        Record::WantsTyped { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::Planned;
    use conformance::report::{Counts, Told};

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
        let plan =
            Planned::from_requests(domains(&Guest::Rust, "pt_pin"), Some(MEMORY)).expect("fits");
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
    fn a_good_run_in_lines() {
        let progress = Progress::new("test");
        let mut collector = Collector::default();
        let text = "TAP version 14\n# test a::b: A.1\nok 1 - a::b\nok 2 - a::c # SKIP no\n1..2\n";
        collector.take(text.as_bytes(), &progress);
        let results = collector.finish(Ok(()), &progress);
        assert_eq!((results.passed(), results.failed(), results.0.len()), (1, 0, 2));
    }

    #[test]
    fn a_plan_that_is_not_kept_is_an_error() {
        let progress = Progress::new("test");
        for text in ["ok 1 - a::b\n1..2\n", "ok 1 - a::b\nhello\n1..1\n", "ok 1 - a::b\n"] {
            let mut collector = Collector::default();
            collector.take(text.as_bytes(), &progress);
            assert!(collector.finish(Ok(()), &progress).failed() > 0, "{text}");
        }
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
