//! Two equal pages become one, as ESX's figure of it has it: what the scanner remembers before and
//! after, and the order in which everything happens. The core runs on a model of a machine in a
//! program of its own, `tests/merge-trace`; here its lines become tables.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result};
use merge_trace::{Event, Line, Page, PageLine, RecordKind, RecordLine, What};
use std::collections::BTreeSet;
use std::process::Command;

/// How a page is shown.
fn page_text(page: Page) -> String {
    format!("dom{} page {}", page.domain, page.page)
}

/// What happened, in words.
const fn words(what: What) -> &'static str {
    match what {
        What::LookedAt => "page is looked at",
        What::NotSteady => "not as it was, or new: left for the next pass",
        What::Hashed => "all of it is hashed",
        What::Rehashed => "the hint's page is hashed again",
        What::HintMet => "the table knows the hash",
        What::HintRecorded => "hint recorded",
        What::Forgotten => "hint forgotten: it does not hold",
        What::FrameRecorded => "shared frame recorded, of so many pages",
        What::Protected => "entry made read-only",
        What::Flushed => "translations flushed",
        What::Compared => "compared in full",
        What::Redirected => "entry names this frame, read-only",
        What::Permitted => "entry names this frame, writable",
        What::SlotWritten => "P2M slot names this frame",
        What::References => "frame table: references",
        What::Released => "frame freed: so many wait to be scrubbed",
        What::Scrubbed => "frame scrubbed",
        What::FreeList => "frames on the free list",
        What::Copied => "content copied into this frame",
        What::Written => "guest's write is made",
        What::Faulted => "guest writes: fault",
        What::Differed => "they differ",
    }
}

/// What happens when two pages become one, in this order (`memory.md`, result 5: protect, then
/// compare).
const ORDER: [What; 9] = [
    What::Protected,
    What::Protected,
    What::Flushed,
    What::Compared,
    What::Compared,
    What::Redirected,
    What::SlotWritten,
    What::References,
    What::Released,
];

/// The same when a page is written that shares its frame.
const BREAK: [What; 5] =
    [What::Faulted, What::Copied, What::Permitted, What::SlotWritten, What::Flushed];

/// In the course of which pages are merged that guests have named.
const NAMED: &str = "pages that are named";

/// Runs it.
pub fn run() -> Result<Outcome> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["run", "--quiet", "--package", "merge-trace"]);
    let text = process::read(&mut command)?;
    of(&text)
}

/// What lines of the program's say.
fn of(text: &str) -> Result<Outcome> {
    let lines = text.lines().map(|line| {
        serde_json::from_str(line).with_context(|| format!("merge-trace wrote `{line}`"))
    });
    let lines: Vec<Line> = lines.collect::<Result<_>>()?;
    let (mut records, mut trace, mut pages) = tables();
    let mut bytes = BTreeSet::new();
    let mut events = Vec::new();
    let mut backed = Vec::new();
    for line in &lines {
        match line {
            Line::Event(event) => {
                trace.rows.push(event_row(event));
                events.push(event);
            }
            Line::Records { when, bytes_each, records: found } => {
                bytes.insert(*bytes_each);
                records.rows.extend(found.iter().map(|record| record_row(record, when)));
            }
            Line::Pages { when, pages: found, free } => {
                backed.push((when.as_str(), found, *free));
                pages.rows.extend(found.iter().map(|page| {
                    let right = if page.is_right { "as written" } else { "WRONG" };
                    vec![
                        when.as_str().into(),
                        page_text(page.page).into(),
                        page.frame.into(),
                        right.into(),
                    ]
                }));
            }
        }
    }
    let figures = figures(&bytes, &events, &backed)?;
    let remarks = vec![
        "The shipping core on a model of a machine, audited after each step. What is done to the machine is written down by the machine; what changed in the core's tables comes after it, at the end of each step. Between two steps any guest may run, within one none. Steps in which nothing happens are left out, among them those that look through the level-1 tables for the entries of a pair.".into(),
        "The record of a shared frame keeps the references that it had at the last merge; the frame table is what counts, and a hint is never believed.".into(),
    ];
    let picture = picture(&events, backed.first().map_or(0, |(_, _, free)| *free));
    Ok(Outcome { tables: vec![records, trace, pages], figures, remarks, picture })
}

fn tables() -> (Rows, Rows, Rows) {
    let header =
        ["when", "place", "record", "hash, upper half", "page", "frame", "references", "now"];
    let records = Rows::new("What the scanner remembers", &header);
    let header = ["in the course of", "step", "what", "page", "frame", "count"];
    let trace = Rows::new("What happens, in order", &header);
    let pages = Rows::new("What backs the pages", &["when", "page", "frame", "content"]);
    (records, trace, pages)
}

fn shown(number: Option<u64>) -> Cell {
    number.map_or_else(|| "".into(), Cell::from)
}

fn named(page: Option<Page>) -> Cell {
    page.map_or_else(String::new, page_text).into()
}

fn event_row(event: &Event) -> Vec<Cell> {
    vec![
        event.stage.as_str().into(),
        event.step.into(),
        words(event.what).into(),
        named(event.page),
        shown(event.frame),
        shown(event.count),
    ]
}

fn record_row(record: &RecordLine, when: &str) -> Vec<Cell> {
    let kind = match record.kind {
        RecordKind::Hint => "hint",
        RecordKind::Shared => "shared",
        RecordKind::Content => "content",
    };
    vec![
        when.into(),
        (record.place as u64).into(),
        kind.into(),
        format!("{:08x}", record.tag).into(),
        named(record.page),
        shown(record.frame),
        shown(record.references.map(u64::from)),
        shown(record.sharers.map(u64::from)),
    ]
}

type Pages<'a> = (&'a str, &'a Vec<PageLine>, u64);

fn figures(bytes: &BTreeSet<usize>, events: &[&Event], pages: &[Pages<'_>]) -> Result<Vec<Figure>> {
    let figure = |what: &str, reference: &str, ours: String, holds: bool| Figure {
        what: what.into(),
        reference: reference.into(),
        ours,
        holds: Some(holds),
    };
    let of = |stage: &str| -> Vec<&Event> {
        events.iter().copied().filter(|event| event.stage == stage).collect()
    };
    let merge = of("a merge");
    let begin = merge.iter().position(|event| event.what == What::Protected);
    let merge = &merge[begin.context("nothing was merged")?..];
    let in_order = merge.iter().map(|event| event.what).take(ORDER.len()).eq(ORDER);
    let steps: BTreeSet<u64> = merge.iter().take(ORDER.len()).map(|event| event.step).collect();
    let references: Vec<u64> = events
        .iter()
        .filter(|event| event.what == What::References && event.stage != NAMED)
        .filter_map(|event| event.count)
        .collect();
    let [before, after, third, written, ..] = pages else {
        anyhow::bail!("merge-trace told of pages {} times", pages.len());
    };
    let gained = after.2 as i64 - before.2 as i64;
    let moved: Vec<Page> = third
        .1
        .iter()
        .zip(written.1)
        .filter(|(before, after)| before.frame != after.frame)
        .map(|(before, _)| before.page)
        .collect();
    let breaks: Vec<What> = of("a write").iter().map(|event| event.what).collect();
    let writer = of("a write").first().and_then(|event| event.page);
    let right = pages.iter().all(|(_, pages, _)| pages.iter().all(|page| page.is_right));
    let stale = of("a hint that does not hold");
    let met = stale.iter().filter(|event| event.what == What::HintMet).count();
    let compared = stale.iter().filter(|event| event.what == What::Compared).count();
    let named = of(NAMED);
    let pages_named: BTreeSet<Page> = named
        .iter()
        .filter(|event| event.what == What::Compared)
        .filter_map(|event| event.page)
        .collect();
    let looks = named.iter().filter(|event| event.what == What::LookedAt);
    let looks = looks.filter(|event| event.page.is_some_and(|page| pages_named.contains(&page)));
    let looks = looks.count();
    Ok(vec![
        figure(
            "bytes of a record",
            "16 (ESX)",
            bytes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            bytes.iter().eq([&16]),
        ),
        figure(
            "order of a merge",
            "both protected, flushed, compared in full, 2 references, one frame freed",
            if in_order { "so".into() } else { "another".into() },
            in_order,
        ),
        figure(
            "steps that it takes, between which a guest may run",
            "1: atomic",
            steps.len().to_string(),
            steps.len() == 1,
        ),
        figure("free list, after the merge", "+1", format!("{gained:+}"), gained == 1),
        figure(
            "references: two pages, a third, one of them written",
            "2, 3, 2",
            references.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
            references == [2, 3, 2],
        ),
        figure(
            "looks at pages that guests have named alike, until they are merged",
            "0 (Satori, XLH: found when they are read)",
            looks.to_string(),
            looks == 0 && pages_named.len() == 2,
        ),
        figure(
            "pages that a write gives another frame",
            "the writer's alone",
            moved.iter().copied().map(page_text).collect::<Vec<_>>().join(", "),
            moved.iter().copied().eq(writer) && breaks.starts_with(&BREAK),
        ),
        figure(
            "pages that hold what their domains wrote, at all times",
            "all",
            if right { "all".into() } else { "not all".into() },
            right,
        ),
        figure(
            "a hint that does not hold any more",
            "nothing is merged",
            format!("{met} met, {compared} comparisons"),
            met > 0 && compared == 0 && references.len() == 3,
        ),
    ])
}

/// References of the shared frame and frames gained, over steps.
fn picture(events: &[&Event], free: u64) -> Picture {
    let (mut references, mut gained) = (vec![(0.0, 0.0)], vec![(0.0, 0.0)]);
    let mut now = (0.0, 0.0);
    for event in events {
        let at = event.step as f64;
        let count = event.count.unwrap_or(0) as f64;
        let next = match event.what {
            What::References => (count, now.1),
            What::FreeList => (now.0, count - free as f64),
            _ => continue,
        };
        for (at, (shared, free)) in [(at, now), (at, next)] {
            references.push((at, shared));
            gained.push((at, free));
        }
        now = next;
    }
    let last = events.last().map_or(0.0, |event| event.step as f64);
    references.push((last, now.0));
    gained.push((last, now.1));
    let series = [("pages that share the frame", references), ("frames gained", gained)];
    Picture {
        title: "A merge, a third page, a write, a hint that does not hold".into(),
        axes: ("steps of the core".into(), "pages, frames".into()),
        style: Style::Lines,
        series: series.map(|(name, points)| Series { name: name.into(), points }).into(),
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stage: &str, step: u64, what: &str, count: u64) -> String {
        format!(
            r#"{{"event":{{"stage":"{stage}","step":{step},"what":"{what}","page":{{"domain":2,"page":101}},"frame":615,"count":{count}}}}}"#
        )
    }

    /// What the program would write of a merge in that order.
    fn lines(order: &[&str]) -> String {
        let pages = |frames: [u64; 3], free: u64| {
            let pages: Vec<String> = (1..=3)
                .zip(frames)
                .map(|(domain, frame)| {
                    format!(
                        r#"{{"page":{{"domain":{domain},"page":{}}},"frame":{frame},"is_right":true}}"#,
                        99 + domain
                    )
                })
                .collect();
            format!(r#"{{"pages":{{"when":"w","pages":[{}],"free":{free}}}}}"#, pages.join(","))
        };
        let mut lines = vec![
            r#"{"records":{"when":"w","bytes_each":16,"records":[{"place":18,"kind":"shared","tag":1,"page":null,"frame":615,"references":2,"sharers":2}]}}"#.to_owned(),
            pages([615, 962, 1272], 634),
        ];
        lines.extend(order.iter().map(|what| event("a merge", 49, what, 2)));
        lines.push(pages([615, 615, 1272], 635));
        lines.push(event("a third page", 50, "references", 3));
        lines.push(pages([615, 615, 615], 636));
        let breaks = ["faulted", "copied", "permitted", "slot_written", "flushed", "references"];
        lines.extend(breaks.map(|what| event("a write", 51, what, 2)));
        lines.push(pages([615, 1272, 615], 635));
        lines.push(event("a hint that does not hold", 52, "hint_met", 0));
        let named = event(NAMED, 53, "compared", 0);
        lines.extend([named.replace("101", "105"), named]);
        lines.join("\n")
    }

    const RIGHT: [&str; 9] = [
        "protected",
        "protected",
        "flushed",
        "compared",
        "compared",
        "redirected",
        "slot_written",
        "references",
        "released",
    ];

    #[test]
    fn the_right_order_holds() {
        let outcome = of(&lines(&RIGHT)).expect("read");
        assert_eq!(outcome.missed().collect::<Vec<_>>(), Vec::<String>::new());
        assert!(outcome.text().contains("dom2 page 101"));
    }

    #[test]
    fn to_compare_before_protecting_is_missed() {
        let mut wrong = RIGHT;
        wrong[1..4].rotate_left(2);
        let outcome = of(&lines(&wrong)).expect("read");
        let missed: Vec<String> = outcome.missed().collect();
        assert!(missed.iter().any(|missed| missed.starts_with("order of a merge")), "{missed:?}");
    }

    #[test]
    fn what_is_no_line_is_named() {
        let error = of("nonsense").err().expect("refused");
        assert!(error.to_string().contains("nonsense"), "{error}");
    }
}
