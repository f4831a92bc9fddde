//! The book's pages on invariants and limits against the code: every invariant stands there once,
//! every function of the audit in the row of its number, every test that is named exists, and
//! whatever the audit recomputes has been seen to fail.

use conformance::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Invariants are I1 to I49.
const LAST: u8 = 51;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backquotes.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table: the number, and how it is shown.
fn rows(page: &str) -> Vec<(u8, &str)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| I"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        assert_eq!(cells.len(), 3, "a row has three cells: {row}");
        (cells[0].parse().expect("a number"), cells[2])
    })
    .collect()
}

/// The number in the name of a function of the audit, or of a test of one: `i20_grant_pins`.
fn number(name: &str) -> Option<u8> {
    name.strip_prefix('i')?.split_once('_')?.0.parse().ok()
}

/// The functions of a folder's files that begin so, and are named after an invariant.
fn functions(folder: &str, begins: &str) -> BTreeMap<String, u8> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix(begins)) {
                let name = line.split(['(', '<']).next().unwrap_or_default();
                found.extend(number(name).map(|number| (name.to_owned(), number)));
            }
        }
    }
    found
}

/// The functions of the audit.
fn audits() -> BTreeMap<String, u8> {
    functions("pv-hypervisor/core/src/audit", "pub(super) fn ")
}

/// Panics unless every test that the text names exists; how many it names.
fn tests_exist(text_of_page: &str) -> usize {
    let mut named = 0;
    for span in code(text_of_page) {
        let Some((place, name)) = span.split_once("::") else { continue };
        if place.ends_with(".rs") {
            let source = text(place);
            let is_test = has_test(&source, name);
            assert!(is_test, "{place} has no test {name}");
        } else if ["file", "group"].contains(&place) {
            // The page says how tests are named.
            continue;
        } else {
            let exists = registry::all().any(|case| (case.group, case.name) == (place, name));
            assert!(exists, "the suite has no test {span}");
        }
        named += 1;
    }
    named
}

#[test]
fn each_invariant_stands_on_the_page_once() {
    let page = text("spec/src/invariants.md");
    let numbers: Vec<u8> = rows(&page).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<u8>>());
}

#[test]
fn each_function_of_the_audit_stands_in_its_row() {
    let page = text("spec/src/invariants.md");
    let mut on_page = BTreeMap::new();
    for (row, shown) in rows(&page) {
        for name in code(shown) {
            if let Some(number) = number(name) {
                assert_eq!(number, row, "{name} stands in the row of I{row}");
                assert_eq!(on_page.insert(name.to_owned(), number), None, "{name} stands twice");
            }
        }
    }
    assert_eq!(on_page, audits());
    assert!(on_page.len() > 25);
}

#[test]
fn each_invariant_is_shown_or_does_not_apply() {
    let page = text("spec/src/invariants.md");
    for (number, shown) in rows(&page) {
        let audited = code(shown).iter().any(|span| self::number(span).is_some());
        let tested = tests_exist(shown) > 0;
        let reason = shown.strip_prefix("does not apply: ").is_some_and(|why| why.len() > 20);
        assert!(audited || tested || reason, "I{number} is not shown");
    }
}

#[test]
fn each_audited_invariant_has_been_seen_to_fail() {
    let faults = functions("pv-hypervisor/core/src/audit/mutations", "fn ");
    let seen: BTreeSet<u8> = faults.into_values().collect();
    assert_eq!(seen, audits().into_values().collect());
}

/// Whether a file has a test of that name; it may have other attributes, or be one of the list of
/// those that are made for each platform.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let list = lines.iter().skip_while(|line| **line != "for_each_platform! {").skip(1);
    if list.take_while(|line| **line != "}").any(|line| *line == name) {
        return true;
    }
    let named = |line: &&str| line.starts_with(&format!("fn {name}("));
    let Some(at) = lines.iter().position(named) else { return false };
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.into_iter().any(|line| *line == "#[test]")
}

#[test]
fn each_test_that_the_pages_name_exists() {
    assert!(tests_exist(&text("spec/src/invariants.md")) > 50);
    assert!(tests_exist(&text("spec/src/limits.md")) > 25);
}
