//! Two guests under one policy, one with our balloon driver and one with that of virtio: what it takes for
//! each to give memory and to get it back. The frames are the core's, on its model of a machine, which is in a
//! program of its own: `tests/balloons`.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::{process, toolchain, workspace};
use anyhow::{Context, Result};
use std::process::Command;
use two_balloons::{Moves, Played, Size};

/// Pages of 1 GiB.
const GIB: u64 = 1 << 18;

/// Kicks of virtio-balloon for 1 GiB, in arrays of 256 pages.
const KICKS: u64 = 1_024;

/// Calls that our driver needs for it at most.
const CALLS: u64 = 2;

/// By so many times fewer.
const TIMES: u64 = 300;

/// So many of so many pages, for 1 GiB; rounded up, as that is what it may not exceed.
fn per_gib(count: u64, pages: u64) -> u64 {
    (count * GIB).div_ceil(pages.max(1))
}

/// The most of both ways.
fn most(moves: &Moves) -> u64 {
    per_gib(moves.to_take, moves.taken).max(per_gib(moves.to_give, moves.given))
}

/// What the guest itself calls for, page tables with it: for 1 GiB one way, of both together.
fn all_per_gib(moves: &Moves) -> u64 {
    per_gib(moves.to_take + moves.to_give + moves.page_tables, moves.taken + moves.given)
}

fn mib(pages: u64) -> f64 {
    pages as f64 / 256.0
}

fn table(played: &Played) -> Rows {
    let header = [
        "guest",
        "pages taken",
        "calls or kicks",
        "per GiB",
        "pages given back",
        "calls or kicks",
        "per GiB",
        "page-table calls",
    ];
    // The name of a column is its key where programs read it.
    let header = header.map(str::to_owned).into_iter().enumerate().map(|(at, name)| match at {
        2 | 3 => format!("{name} (taken)"),
        5 | 6 => format!("{name} (back)"),
        _ => name,
    });
    let title = "Memory is needed elsewhere, then no more".to_owned();
    let mut rows = Rows { title, header: header.collect(), rows: Vec::new() };
    for (name, moves) in
        [("our driver", &played.paravirtual), ("virtio-balloon", &played.unmodified)]
    {
        rows.rows.push(vec![
            Cell::from(name),
            moves.taken.into(),
            moves.to_take.into(),
            per_gib(moves.to_take, moves.taken).into(),
            moves.given.into(),
            moves.to_give.into(),
            per_gib(moves.to_give, moves.given).into(),
            moves.page_tables.into(),
        ]);
    }
    rows
}

fn figures(played: &Played) -> Vec<Figure> {
    let Played { paravirtual: ours, unmodified: theirs, .. } = played;
    let spare = Size::GIB.spare();
    let reclaimed = [ours.taken, theirs.taken];
    let back = [ours.given, theirs.given];
    let (calls, kicks) = (most(ours), most(theirs));
    let moved = |pages: [u64; 2]| format!("{:.0} and {:.0} MiB", mib(pages[0]), mib(pages[1]));
    vec![
        Figure {
            what: "taken of our driver's guest and of virtio's".into(),
            reference: format!("all that both can spare: {:.0} MiB each", mib(spare)),
            ours: moved(reclaimed),
            holds: Some(reclaimed == [spare; 2] && !ours.stalled && !theirs.stalled),
        },
        Figure {
            what: "given back to them".into(),
            reference: "all of it".into(),
            ours: moved(back),
            holds: Some(back == reclaimed),
        },
        Figure {
            what: "our driver: calls for 1 GiB, at the most".into(),
            reference: format!("{CALLS}"),
            ours: calls.to_string(),
            holds: Some((1..=CALLS).contains(&calls)),
        },
        Figure {
            what: "virtio-balloon: kicks for 1 GiB, at the most".into(),
            reference: format!("{KICKS} (Linux)"),
            ours: kicks.to_string(),
            holds: Some(kicks == KICKS),
        },
        Figure {
            what: "our driver: page-table calls with it, for 1 GiB".into(),
            reference: format!("{KICKS} (virtio-balloon)"),
            ours: all_per_gib(ours).to_string(),
            holds: Some(all_per_gib(ours) < KICKS),
        },
        Figure {
            what: "fewer transitions of the balloon with our driver".into(),
            reference: format!("{TIMES} times"),
            ours: format!("{} times", kicks / calls.max(1)),
            holds: Some(kicks / calls.max(1) >= TIMES),
        },
    ]
}

fn picture(played: &Played) -> Picture {
    let names = ["our driver", "virtio-balloon", "the third domain"];
    let line = |name: &str, pages: &dyn Fn(usize) -> u64| Series {
        name: name.into(),
        points: (0..played.rounds.len()).map(|at| (at as f64 + 1.0, mib(pages(at)))).collect(),
    };
    let mut series: Vec<Series> = names
        .iter()
        .enumerate()
        .map(|(domain, name)| line(name, &|at| played.rounds[at].owned[domain]))
        .collect();
    series.push(line("nobody's", &|at| played.rounds[at].free));
    Picture {
        title: "Two guests give memory to a third, and get it back".into(),
        axes: ("round".into(), "MiB".into()),
        style: Style::Stacked,
        series,
        limit: None,
    }
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root()).args(["run", "--quiet", "--package", "two-balloons"]);
    let text = process::read(&mut command)?;
    let played: Played =
        serde_json::from_str(&text).with_context(|| format!("two-balloons wrote `{text}`"))?;
    let [needed, over] = played.turns;
    let remarks = vec![
        format!(
            "Three domains of the core on its model, idle tax of 95 %; the third needs memory after round {needed} and gives it back after round {over}, when both ask for all that they may have (virtio's statistics cannot say that a guest needs more than it has). The invariants were audited at each stage."
        ),
        "No guest runs here and no hardware virtualizes one: the driver of virtio-balloon is written by its specification, with Linux's arrays of 256 pages, a kick each. Page-table calls of our driver's guest are its own, as its pages are mapped by page tables that the hypervisor validates: an extent's table goes and comes as a whole. For the other the hypervisor makes them, 256 each, where it would change nested tables.".into(),
    ];
    Ok(Outcome {
        tables: vec![table(&played)],
        figures: figures(&played),
        remarks,
        picture: picture(&played),
    })
}
