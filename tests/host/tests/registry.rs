//! The suite itself: every call has tests under its own name, every name is given once, and
//! every clause that a test cites stands in the book.

use catalogue::list::is_citation;
use conformance::registry::{self, GROUPS};
use hypercall_abi::Number;
use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_call_has_a_group_of_its_name() {
    let groups: BTreeSet<&str> = registry::all().map(|case| case.group).collect();
    for call in Number::ALL {
        assert!(groups.contains(call.name()), "no test of {}", call.name());
    }
    for tests in GROUPS {
        assert!(tests.iter().all(|case| case.group == tests[0].group));
    }
}

#[test]
fn names_are_given_once() {
    let mut names = BTreeSet::new();
    for case in registry::all() {
        assert!(names.insert((case.group, case.name)), "{}::{}", case.group, case.name);
    }
}

/// Tags of the clauses in the book: list items that begin with one.
fn clauses(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            clauses(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let tags = text.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("**"));
            found.extend(tags.map(|(tag, _)| tag.to_owned()));
        }
    }
}

#[test]
fn clauses_that_tests_cite_are_in_the_book() {
    let mut book = BTreeSet::new();
    clauses(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/src"), &mut book);
    for case in registry::all() {
        assert!(!case.clauses.is_empty(), "{}::{} cites no clause", case.group, case.name);
        for clause in case.clauses.split_whitespace().filter(|word| !is_citation(word)) {
            let name = format!("{}::{}", case.group, case.name);
            assert!(book.contains(clause), "{name} cites {clause}, which the book has not");
        }
    }
}
