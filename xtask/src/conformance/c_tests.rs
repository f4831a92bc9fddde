//! The tests of the guest in C, as its sources list them: lines such as
//! `TEST(pt_pin, tree, "PT_PIN.9 PT_PIN.11"),`.

use crate::c_guest;
use anyhow::{Context, Result};

/// A test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CTest {
    /// Its name, such as `pt_pin::tree`.
    pub name: String,
    /// Clauses of the book that it checks, with a space between them.
    pub clauses: String,
}

/// Every test, file by file.
pub fn all() -> Result<Vec<CTest>> {
    let folder = c_guest::folder().join("tests");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry?.path());
    }
    files.sort();
    let mut tests = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        tests.extend(text.lines().filter_map(parse));
    }
    Ok(tests)
}

/// The test that a line lists.
fn parse(line: &str) -> Option<CTest> {
    let line = line.trim();
    let rest = line.strip_prefix("TEST(").or_else(|| line.strip_prefix("TEST_AS("))?;
    let (names, clauses) = rest.strip_suffix("\"),")?.split_once('"')?;
    let mut names = names.split(',').map(str::trim);
    let (group, name) = (names.next()?, names.next()?);
    Some(CTest { name: format!("{group}::{name}"), clauses: clauses.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::registry;
    use std::collections::BTreeSet;

    #[test]
    fn lines_of_the_lists_are_read() {
        let test =
            |name: &str, clauses: &str| Some(CTest { name: name.into(), clauses: clauses.into() });
        assert_eq!(
            parse("    TEST(pt_pin, tree, \"PT_PIN.9 PT_PIN.11\"),"),
            test("pt_pin::tree", "PT_PIN.9 PT_PIN.11")
        );
        assert_eq!(
            parse("    TEST_AS(grant_map, success, map_success, \"GRANT_MAP.9\"),"),
            test("grant_map::success", "GRANT_MAP.9")
        );
        assert_eq!(parse("#define TEST(group, name, clauses) {#group}"), None);
    }

    /// A test that both suites have checks no clause in C that it does not check in Rust. Groups
    /// of the guest in C alone are of what the suite in Rust does in another way.
    #[test]
    fn the_suites_agree() {
        let tests = all().expect("the sources are there");
        assert!(tests.len() > 150, "{} tests are found", tests.len());
        let names: BTreeSet<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names.len(), tests.len(), "a name is used twice");
        for test in &tests {
            let other = registry::all()
                .find(|other| format!("{}::{}", other.group, other.name) == test.name);
            match other {
                Some(other) => {
                    let known: Vec<&str> = other.clauses.split(' ').collect();
                    let is_known = |clause: &str| known.contains(&clause);
                    assert!(test.clauses.split(' ').all(is_known), "{}", test.name);
                }
                None => assert!(
                    test.name.starts_with("process::"),
                    "{} is not in the suite: name it as the test there",
                    test.name
                ),
            }
        }
    }

    /// Each list of a file is one that the guest runs.
    #[test]
    fn every_group_is_run() {
        let runner = std::fs::read_to_string(c_guest::folder().join("suite/suite.c"))
            .expect("the runner is there");
        for test in all().expect("the sources are there") {
            let group = test.name.split("::").next().unwrap_or_default();
            assert!(runner.contains(&format!(" {group}_tests,")), "{group}_tests is not run");
        }
    }
}
