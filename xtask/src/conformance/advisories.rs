//! `cargo xtask conformance --catalogue`: published advisories by what answers them.

use crate::{table, workspace};
use anyhow::{Context, Result};
use catalogue::list::{Answer, GROUPS, Row};
use catalogue::{Catalogue, Counts};
use serde_json::{Value, json};

/// Prints the counts, or everything as JSON.
pub fn print(as_json: bool) -> Result<()> {
    let catalogue = Catalogue::read(workspace::root())?;
    if as_json {
        let text = serde_json::to_string_pretty(&to_json(&catalogue));
        println!("{}", text.context("cannot write JSON")?);
    } else {
        print!("{}", to_text(&catalogue));
    }
    Ok(())
}

fn to_text(catalogue: &Catalogue) -> String {
    let mut lines = table::new(&["advisories", "all", "tested", "ruled out", "open"]);
    let mut add = |title: String, counts: Counts| {
        let Counts { tested, ruled_out, open } = counts;
        let numbers = [counts.total(), tested, ruled_out, open].map(|number| number.to_string());
        lines.add_row(std::iter::once(title).chain(numbers));
    };
    for (letter, title) in GROUPS {
        add(format!("{letter}. {title}"), catalogue.counts(Some(letter)));
    }
    add("all".into(), catalogue.counts(None));
    table::align_right(&mut lines, 1..5);
    let mut text = table::text(&lines);
    for row in catalogue.rows.iter().filter(|row| row.answer == Answer::Open) {
        text += &format!("open: {} {}, {}: {}\n", row.id, row.citation(), row.attack, row.why);
    }
    text
}

fn to_json(catalogue: &Catalogue) -> Value {
    let counts = |Counts { tested, ruled_out, open }| json!({ "tested": tested, "ruled_out": ruled_out, "open": open });
    let groups: Vec<Value> = GROUPS
        .iter()
        .map(|(letter, title)| {
            let mut value = counts(catalogue.counts(Some(*letter)));
            value["group"] = format!("{letter}. {title}").into();
            value
        })
        .collect();
    let mut value = counts(catalogue.counts(None));
    value["total"] = catalogue.counts(None).total().into();
    json!({
        "counts": value,
        "groups": groups,
        "advisories": catalogue.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let Row { id, group, advisory, attack, answer, why } = row;
    let mut value = json!({
        "id": id, "group": group, "advisory": advisory, "attack": attack, "why": why,
    });
    match answer {
        Answer::Tests(names) => value["tests"] = names.as_slice().into(),
        Answer::Rule(tag) => value["rule"] = tag.as_str().into(),
        Answer::Open => value["open"] = true.into(),
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_advisory_is_counted_and_listed() {
        let catalogue = Catalogue::read(workspace::root()).expect("reads");
        let total = catalogue.rows.len();
        let value = to_json(&catalogue);
        assert_eq!(value["counts"]["total"], total);
        assert_eq!(value["advisories"].as_array().expect("a list").len(), total);
        let text = to_text(&catalogue);
        let open = text.lines().filter(|line| line.starts_with("open: ")).count();
        assert_eq!(value["counts"]["open"], open);
        assert!(text.lines().any(|line| line.contains("all") && line.contains(&total.to_string())));
    }
}
