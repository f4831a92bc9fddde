//! The suite in a guest: two domains of `tests/guest` under the hypervisor, the tester and
//! its peer. The tester sends a record when a test begins and one when it has ended.

use super::{Case, Results, Verdict};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::pair::Pair;
use crate::progress::Progress;
use anyhow::Result;
use conformance::report::{self, Record, Told};
use std::time::Duration;

/// Real time that the whole suite may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs the tests whose names contain `filter`.
pub fn emulated(
    arch: Arch,
    debug: bool,
    may: MayInstall,
    filter: &str,
    progress: &Progress,
) -> Result<Results> {
    let words = if filter.is_empty() { String::new() } else { format!("filter={filter}") };
    let pair = Pair {
        arch,
        debug,
        may,
        package: "conformance-guest",
        role: "tester",
        words: &words,
        stretches: false,
        limit: LIMIT,
    };
    let mut collector = Collector::default();
    let verdict = pair.run(|bytes| collector.take(bytes, progress))?;
    Ok(collector.finish(verdict.map(drop), progress))
}

/// Puts the guest's records together.
#[derive(Default)]
struct Collector {
    results: Results,
    running: Option<String>,
    done: bool,
}

impl Collector {
    fn take(&mut self, bytes: &[u8], progress: &Progress) {
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
            Some(Record::Done { .. }) => self.done = true,
            None => {
                let why = format!("{} bytes that are no record", bytes.len());
                self.add(
                    Case { name: "run::records".into(), verdict: Verdict::Error(why) },
                    progress,
                );
            }
        }
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
