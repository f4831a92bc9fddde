//! The tests of the host: all that do not take long in one run of Cargo, then the long ones, in the
//! programs that Cargo built for that. Asked again for a few of them, it would build what they stand on
//! again, as features differ with what is chosen.

use super::count::{Count, counted};
use crate::images::IMAGES;
use crate::progress::Progress;
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tests that take long: a title, the test program, and what it is told.
const LONG: [(&str, &str, &[&str]); 3] = [
    ("ten thousand domains made and destroyed", "lifecycle", &["--ignored"]),
    ("long sequences of calls on the model", "core", &["--ignored", "for_long"]),
    ("policies on twenty thousand random machines", "balloon", &["--ignored"]),
];

/// Runs them all.
pub fn all() -> Count {
    let mut programs = Vec::new();
    let mut count = part("tests on the host", |progress| short(progress, &mut programs));
    for (title, name, words) in LONG {
        count += part(title, |progress| {
            let program = programs.iter().find(|program| program.name == name);
            program
                .with_context(|| format!("Cargo built no test program {name}"))?
                .run(words, progress)
        });
    }
    count
}

/// A part of them: shown with its count.
fn part(title: &str, tests: impl FnOnce(&Progress) -> Result<Count>) -> Count {
    counted(title, |progress| tests(progress).map(|count| (count, count.to_string())))
}

/// A program of tests that Cargo built: of an integration test, by its name.
#[derive(PartialEq, Eq, Debug)]
struct Program {
    name: String,
    file: PathBuf,
    /// Where Cargo would run it.
    folder: PathBuf,
}

impl Program {
    /// The program that one of Cargo's messages tells of.
    fn told(message: &str) -> Option<Program> {
        let message: serde_json::Value = serde_json::from_str(message).ok()?;
        let target = &message["target"];
        let is_test = target["kind"].as_array()?.iter().any(|kind| kind == "test");
        let manifest = Path::new(message["manifest_path"].as_str()?);
        is_test.then_some(Program {
            name: target["name"].as_str()?.to_owned(),
            file: message["executable"].as_str()?.into(),
            folder: manifest.parent()?.to_owned(),
        })
    }

    fn run(&self, words: &[&str], progress: &Progress) -> Result<Count> {
        let mut command = Command::new(&self.file);
        command.current_dir(&self.folder).args(words);
        let count = count_tests(command, progress, |_| {})?;
        ensure!(count.passed + count.failed > 0, "{} has no tests for {words:?}", self.name);
        Ok(count)
    }
}

/// The tests that do not take long, and which programs they are in.
fn short(progress: &Progress, programs: &mut Vec<Program>) -> Result<Count> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root()).args(["test", "--no-fail-fast", "--workspace"]);
    command.args(IMAGES.iter().flat_map(|package| ["--exclude", package]));
    command.arg("--message-format=json-render-diagnostics");
    count_tests(command, progress, |message| programs.extend(Program::told(message)))
}

/// Counts the tests that a command runs. What it writes is shown if one fails; `told` gets Cargo's messages.
fn count_tests(
    mut command: Command,
    progress: &Progress,
    mut told: impl FnMut(&str),
) -> Result<Count> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let line = process::show(&command);
    let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
    let errors = child.stderr.take().context("the tests have no error output")?;
    let builder = std::thread::spawn(move || {
        let lines = BufReader::new(errors).lines().map_while(Result::ok);
        lines.fold(String::new(), |text, line| text + &line + "\n")
    });
    let output = child.stdout.take().context("the tests have no output")?;
    let mut count = Count::default();
    let mut said = String::new();
    for text in BufReader::new(output).lines().map_while(Result::ok) {
        if text.starts_with("{\"reason\":") {
            told(&text);
            continue;
        }
        if let Some(one) = result_of(&text) {
            count += one;
        }
        progress.at(&format!("{} passed, {} failed: {text}", count.passed, count.failed));
        if text.contains("FAILED") {
            progress.line(&text);
        }
        said.push_str(&text);
        said.push('\n');
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    let built = builder.join().unwrap_or_default();
    if !status.success() {
        eprint!("{said}");
        eprint!("{built}");
        if count.failed == 0 {
            // Something does not build, or a test program died before it could count.
            eprintln!("`{line}` failed: {status}");
            count.failed = 1;
        }
    }
    Ok(count)
}

/// The count in a line such as `test result: ok. 3 passed; 0 failed; ...`.
fn result_of(line: &str) -> Option<Count> {
    let rest = line.strip_prefix("test result: ")?;
    let number = |word: &str| {
        let before = rest.split(';').find_map(|part| part.trim().strip_suffix(word))?;
        before.trim().rsplit(' ').next()?.parse().ok()
    };
    Some(Count { passed: number(" passed")?, failed: number(" failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_counted() {
        let line = "test result: ok. 39 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.35s";
        assert_eq!(result_of(line), Some(Count { passed: 39, failed: 0 }));
        let line =
            "test result: FAILED. 3 passed; 12 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(result_of(line), Some(Count { passed: 3, failed: 12 }));
        assert_eq!(result_of("test a ... ok"), None);
        assert_eq!(result_of("test result: cut off"), None);
    }

    #[test]
    fn programs_of_tests_are_those_of_integration_tests() {
        let message = |kind: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/tests/core/Cargo.toml","target":{{"kind":["{kind}"],"name":"core"}},"executable":{executable}}}"#
            )
        };
        let expected = Program {
            name: "core".into(),
            file: "/t/core-1".into(),
            folder: "/w/tests/core".into(),
        };
        assert_eq!(Program::told(&message("test", "\"/t/core-1\"")), Some(expected));
        for other in [message("lib", "\"/t/core-2\""), message("test", "null"), "{".into()] {
            assert_eq!(Program::told(&other), None, "{other}");
        }
    }
}
