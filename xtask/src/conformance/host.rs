//! The suite on the host: the test program of `tests/host`.

use super::{Case, Results, Verdict};
use crate::progress::Progress;
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Runs the tests whose names contain `filter`.
pub fn host(filter: &str, progress: &Progress) -> Result<Results> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["test", "--quiet", "--package", "conformance-host", "--test", "model"]);
    command.args(["--", "--format", "pretty"]);
    if !filter.is_empty() {
        command.arg(filter);
    }
    command.stdout(Stdio::piped());
    let line = process::show(&command);
    let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut results = Results::default();
    let mut rest = String::new();
    for text in BufReader::new(output).lines() {
        let text = text.with_context(|| format!("cannot read from `{line}`"))?;
        match parse(&text) {
            Some(case) => {
                progress.at(&case.name);
                results.0.push(case);
            }
            None => {
                rest.push_str(&text);
                rest.push('\n');
            }
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    if results.failed() > 0 {
        progress.line(rest.trim());
    } else if !status.success() {
        bail!("`{line}` failed: {status}\n{}", rest.trim());
    }
    Ok(results)
}

/// A line such as `test pt_pin::success ... ok`, or `... ignored (why)`.
fn parse(line: &str) -> Option<Case> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let verdict = match verdict.trim() {
        "ok" => Verdict::Success,
        "FAILED" => Verdict::Failure("see the test's output".into()),
        "ignored" => Verdict::Skip("not on the host".into()),
        other => {
            let reason = other.strip_prefix("ignored (")?.strip_suffix(')')?;
            Verdict::Skip(reason.to_owned())
        }
    };
    Some(Case { name: name.trim().to_owned(), verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_test_program_are_read() {
        let case = parse("test pt_pin::success   ... ok").expect("a test");
        assert_eq!((case.name.as_str(), case.verdict), ("pt_pin::success", Verdict::Success));
        assert!(matches!(parse("test a ... FAILED").expect("a test").verdict, Verdict::Failure(_)));
        assert!(matches!(parse("test a ... ignored").expect("a test").verdict, Verdict::Skip(_)));
        let reason = parse("test a::b   ... ignored (there is (here) no peer)").expect("a test");
        assert_eq!(reason.verdict, Verdict::Skip("there is (here) no peer".into()));
        assert_eq!(reason.name, "a::b");
        for line in
            ["", "test a ... ignorant", "running 3 tests", "test result: ok. 3 passed; 0 failed"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
