//! Results of conformance tests: Success, Failure, Skip, Error.

use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::fmt;

/// How one test ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All its checks held.
    Success,
    /// One did not.
    Failure(String),
    /// It cannot be made there, and why.
    Skip(String),
    /// It could not be carried out.
    Error(String),
}

/// One test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its name, such as `pt_pin::success`.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Success => write!(f, "Success  {}", self.name),
            Verdict::Failure(why) => write!(f, "Failure  {}: {why}", self.name),
            Verdict::Skip(why) => write!(f, "Skip     {}: {why}", self.name),
            Verdict::Error(why) => write!(f, "Error    {}: {why}", self.name),
        }
    }
}

/// Every test of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Results(pub Vec<Case>);

impl Results {
    fn count(&self, which: fn(&Verdict) -> bool) -> usize {
        self.0.iter().filter(|case| which(&case.verdict)).count()
    }

    /// Tests that succeeded.
    pub fn passed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Success))
    }

    /// Tests that failed, or could not be carried out.
    pub fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failure(_) | Verdict::Error(_)))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} Success, {} Failure, {} Skip, {} Error",
            self.passed(),
            self.count(|verdict| matches!(verdict, Verdict::Failure(_))),
            self.count(|verdict| matches!(verdict, Verdict::Skip(_))),
            self.count(|verdict| matches!(verdict, Verdict::Error(_))),
        )
    }
}

/// The results as JUnit XML, one suite for each place that they ran in.
pub fn junit(suites: &[(String, Results)]) -> Result<String> {
    let mut report = Report::new("paravane-conformance");
    for (place, results) in suites {
        let mut suite = TestSuite::new(place.as_str());
        for case in &results.0 {
            let mut status = match &case.verdict {
                Verdict::Success => TestCaseStatus::success(),
                Verdict::Skip(_) => TestCaseStatus::skipped(),
                Verdict::Failure(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Verdict::Error(_) => TestCaseStatus::non_success(NonSuccessKind::Error),
            };
            if let Verdict::Failure(why) | Verdict::Skip(why) | Verdict::Error(why) = &case.verdict
            {
                status.set_message(why.as_str());
            }
            suite.add_test_case(TestCase::new(case.name.as_str(), status));
        }
        report.add_test_suite(suite);
    }
    report.to_string().context("cannot write JUnit XML")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let case = |name: &str, verdict| Case { name: name.into(), verdict };
        Results(vec![
            case("pt_pin::a", Verdict::Success),
            case("pt_pin::b", Verdict::Failure("status is NotOwner, not <Success>".into())),
            case("pt_pin::c", Verdict::Skip("no peer".into())),
            case("pt_pin::d", Verdict::Error("the guest ended".into())),
        ])
    }

    #[test]
    fn results_are_counted() {
        assert_eq!(results().to_string(), "1 Success, 1 Failure, 1 Skip, 1 Error");
        assert_eq!((results().passed(), results().failed()), (1, 2));
    }

    #[test]
    fn junit_names_every_test_and_escapes_messages() {
        let xml = junit(&[("x86_64".into(), results())]).expect("writes");
        assert!(xml.contains(r#"<testsuite name="x86_64" tests="4""#), "{xml}");
        assert!(xml.contains("not &lt;Success&gt;") && xml.contains("<skipped"), "{xml}");
    }
}
