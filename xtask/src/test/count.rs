//! How tests are run, shown and counted: one, or many under one title.

use crate::progress::Progress;
use anyhow::Result;

/// Tests counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
}

impl Count {
    pub const PASSED: Count = Count { passed: 1, failed: 0 };
    pub const FAILED: Count = Count { passed: 0, failed: 1 };

    pub const fn one(passed: bool) -> Count {
        if passed { Count::PASSED } else { Count::FAILED }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::ops::Add for Count {
    type Output = Count;

    fn add(mut self, other: Count) -> Count {
        self += other;
        self
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs what counts its tests itself, and shows what it says of them. What cannot be run is a
/// test that failed.
pub fn counted(title: &str, run: impl FnOnce(&Progress) -> Result<(Count, String)>) -> Count {
    let progress = Progress::new(title);
    match run(&progress) {
        Ok((count, said)) => {
            progress.done(&said);
            count
        }
        Err(error) => {
            progress.line(&format!("{error:#}"));
            progress.done("FAILED");
            Count::FAILED
        }
    }
}

/// Runs one test.
pub fn one(title: &str, test: impl FnOnce(&Progress) -> Result<()>) -> Count {
    counted(title, |progress| {
        test(progress)?;
        Ok((Count::PASSED, "ok".to_owned()))
    })
}

/// Tests under one title.
pub struct Section<'a> {
    pub progress: &'a Progress,
    count: Count,
}

impl Section<'_> {
    /// Counts a test, and shows why it failed.
    pub fn test(&mut self, title: &str, result: Result<()>) {
        if let Err(error) = &result {
            self.progress.line(&format!("{title}: {error:#}"));
        }
        self.count += Count::one(result.is_ok());
    }

    /// Whether a test has failed.
    pub fn has_failed(&self) -> bool {
        self.count.failed > 0
    }
}

/// Runs tests under one title, each of which `run` gives to the section. If it cannot go on, the
/// rest counts as one test that failed.
pub fn section(title: &str, run: impl FnOnce(&mut Section<'_>) -> Result<()>) -> Count {
    counted(title, |progress| {
        let mut section = Section { progress, count: Count::default() };
        if let Err(error) = run(&mut section) {
            progress.line(&format!("{error:#}"));
            section.count += Count::FAILED;
        }
        Ok((section.count, section.count.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn the_last_line_has_its_form() {
        let mut count = Count::PASSED;
        count += Count::one(false);
        assert_eq!(count.to_string(), "1 passed, 1 failed");
    }

    #[test]
    fn what_cannot_be_run_has_failed() {
        assert_eq!(one("one", |_| Ok(())), Count::PASSED);
        assert_eq!(one("one", |_| bail!("no")), Count::FAILED);
        let count = section("many", |section| {
            section.test("good", Ok(()));
            section.test("bad", Err(anyhow::anyhow!("no")));
            bail!("the rest cannot be run")
        });
        assert_eq!(count, Count { passed: 1, failed: 2 });
    }
}
