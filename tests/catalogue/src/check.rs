//! What must fit together: every row has an answer that is there, and every citation is of a
//! row that knows of it.

use crate::Catalogue;
use crate::citations::Tests;
use crate::list::{Answer, FILE, ROWS, is_citation};
use crate::rules;
use std::collections::BTreeSet;

/// Everything that does not fit, as sentences. None: all is well.
pub fn check(catalogue: &Catalogue, tests: &Tests) -> Vec<String> {
    let mut findings = Vec::new();
    ids(catalogue, &mut findings);
    for row in &catalogue.rows {
        let (id, citation) = (&row.id, row.citation());
        match &row.answer {
            Answer::Tests(names) => names.iter().for_each(|name| match tests.cited_by(name) {
                None => findings.push(format!("{FILE}: {id} names {name}, and there is no such test")),
                Some(words) if !words.contains(citation) => findings.push(format!(
                    "{name} answers {id} and does not cite it: add {citation} to its clauses, or in a line `/// Advisories: ` of its documentation"
                )),
                Some(_) => {}
            }),
            Answer::Rule(tag) => {
                if !catalogue.rules.iter().any(|rule| rule.tag == *tag) {
                    findings.push(format!("{FILE}: {id} names {tag}, which {} has not", rules::FILE));
                }
            }
            Answer::Open => {}
        }
    }
    rules_are_shown(catalogue, tests, &mut findings);
    citations_are_known(catalogue, tests, &mut findings);
    findings
}

/// The identities: T001 to the last, each once, in order.
fn ids(catalogue: &Catalogue, findings: &mut Vec<String>) {
    let found: Vec<&str> = catalogue.rows.iter().map(|row| row.id.as_str()).collect();
    for number in 1..=ROWS {
        let id = format!("T{number:03}");
        match found.iter().filter(|other| **other == id).count() {
            1 => {}
            0 => findings.push(format!("{FILE}: {id} is missing")),
            count => findings.push(format!("{FILE}: {id} is there {count} times")),
        }
    }
    if found.len() != ROWS {
        findings.push(format!("{FILE}: {} rows instead of {ROWS}", found.len()));
    }
    if !found.is_sorted() {
        findings.push(format!("{FILE}: the rows are not in the order of their identities"));
    }
}

fn rules_are_shown(catalogue: &Catalogue, tests: &Tests, findings: &mut Vec<String>) {
    for rule in &catalogue.rules {
        let (tag, file) = (&rule.tag, rules::FILE);
        for name in &rule.tests {
            match tests.cited_by(name) {
                None => {
                    findings.push(format!("{file}: {tag} names {name}, and there is no such test"))
                }
                Some(words) if !words.contains(tag) => findings.push(format!(
                    "{name} shows {tag} and does not cite it: add {tag} to its clauses"
                )),
                Some(_) => {}
            }
        }
    }
}

fn citations_are_known(catalogue: &Catalogue, tests: &Tests, findings: &mut Vec<String>) {
    let mut answers = BTreeSet::new();
    for row in &catalogue.rows {
        if let Answer::Tests(names) = &row.answer {
            answers.extend(names.iter().map(|name| (row.citation(), name.as_str())));
        }
    }
    for rule in &catalogue.rules {
        answers.extend(rule.tests.iter().map(|name| (rule.tag.as_str(), name.as_str())));
    }
    for (name, words) in tests.iter() {
        for word in words.iter().filter(|word| is_citation(word) || word.starts_with("RULE.")) {
            if !answers.contains(&(word.as_str(), name)) {
                findings.push(format!(
                    "{name} cites {word}, which does not name it: name it there, or do not cite"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::Row;
    use crate::rules::Rule;

    fn row(id: usize, answer: Answer) -> Row {
        let (id, advisory) = (format!("T{id:03}"), Some(format!("XSA-{id}")));
        Row { id, group: 'A', advisory, attack: "it".into(), answer, why: String::new() }
    }

    fn tests_of(name: &str) -> Answer {
        Answer::Tests(vec![name.to_owned()])
    }

    /// A list without a fault: a test, a rule, and the rest open.
    fn whole() -> Catalogue {
        let rule = Rule { tag: "RULE.1".into(), title: "No".into(), tests: vec!["b::c".into()] };
        let mut rows = vec![row(1, tests_of("a::b")), row(2, Answer::Rule("RULE.1".into()))];
        rows.extend((3..=ROWS).map(|id| row(id, Answer::Open)));
        Catalogue { rows, rules: vec![rule] }
    }

    fn found(change: impl FnOnce(&mut Catalogue), tests: &[(&str, &str)]) -> Vec<String> {
        let mut catalogue = whole();
        change(&mut catalogue);
        check(&catalogue, &Tests::of(tests))
    }

    const GOOD: [(&str, &str); 2] = [("a::b", "XSA-1 PT_PIN.1"), ("b::c", "RULE.1")];

    #[test]
    fn a_whole_catalogue_has_no_findings() {
        assert_eq!(found(|_| {}, &GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let one = |change: fn(&mut Catalogue), tests: &[(&str, &str)], what: &str| {
            let findings = found(change, tests);
            assert!(findings.iter().any(|text| text.contains(what)), "{what}: {findings:?}");
        };
        one(|c| drop(c.rows.remove(9)), &GOOD, "T010 is missing");
        one(|c| c.rows[9].id = "T009".into(), &GOOD, "T009 is there 2 times");
        one(|c| c.rows.swap(4, 5), &GOOD, "not in the order");
        one(|c| c.rows[0].answer = tests_of("a::x"), &GOOD, "there is no such test");
        one(|c| c.rows[1].answer = Answer::Rule("RULE.9".into()), &GOOD, "names RULE.9");
        one(|c| c.rules[0].tests[0] = "b::x".into(), &GOOD, "RULE.1 names b::x");
        one(|_| {}, &[("a::b", ""), GOOD[1]], "a::b answers T001 and does not cite it");
        one(|_| {}, &[GOOD[0], ("b::c", "")], "b::c shows RULE.1 and does not cite it");
        one(|_| {}, &[("a::b", "XSA-1 XSA-7"), GOOD[1]], "a::b cites XSA-7");
        one(|_| {}, &[GOOD[0], GOOD[1], ("d::e", "RULE.1")], "d::e cites RULE.1");
    }
}
