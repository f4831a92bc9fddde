//! A guest frees much memory: how soon the machine has it back, when the guest's target does not
//! change and free pages are reported.

use super::booted::{Booting, MIB, actor, figure, owned, touch};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result};

const MEMORY: u64 = 640 * MIB;
const BURST: u64 = 512;

/// Milliseconds between two looks.
const ROUND: u64 = 50;

pub fn run(booting: Booting) -> Result<Outcome> {
    let script = format!("sleep 2\n{}wait\nsleep 4\n", touch(BURST, 3));
    let mut guest = actor("freeing", MEMORY, MEMORY, &script);
    guest.words = "balloon=offer".into();
    let played =
        booting.play(MEMORY + 128 * MIB, &format!("policy=static round={ROUND}"), vec![guest])?;
    let points = owned(&played.report.memory, 1);
    let burst = BURST as f64;
    // What it has at the start is not the burst: it offers that at once.
    let began = points.first().map_or(0.0, |point| point.0) + 1.5;
    let points: Vec<_> = points.into_iter().filter(|point| point.0 >= began).collect();
    // The last look at which nothing had come back, and the first at which nearly all had.
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let peak = points.iter().rposition(|point| point.1 > most - burst * 0.01).unwrap_or(0);
    let before = points.get(peak).context("nothing was reported of the guest")?.0;
    let back = |part: f64| {
        let there = points[peak..].iter().find(|point| point.1 <= most - burst * part);
        there.map(|point| point.0 - before)
    };
    let shown = |seconds: Option<f64>| {
        seconds.map_or(Cell::from("never"), |seconds| Cell::Number(seconds, 2))
    };
    let most_of_it = back(0.95);
    Ok(Outcome {
        tables: vec![Rows {
            title: format!("{BURST} MiB are freed: seconds of guest time until the machine has"),
            header: ["part", "seconds"].map(String::from).to_vec(),
            rows: [0.5, 0.9, 0.95]
                .into_iter()
                .map(|part| vec![Cell::from(format!("{:.0} %", part * 100.0)), shown(back(part))])
                .collect(),
        }],
        figures: vec![figure(
            "seconds until 95 % are back",
            "10.9 s for the first GiB (an issue of a virtual machine monitor); at most 2 s here",
            most_of_it.map_or("never".into(), |seconds| format!("{seconds:.2}")),
            most_of_it.is_some_and(|seconds| seconds <= 2.0),
        )],
        remarks: vec![format!(
            "looked at every {ROUND} ms; the guest keeps 8 MiB and its watermark"
        )],
        picture: Picture {
            title: "freed memory returns".into(),
            axes: ("seconds".into(), "MiB".into()),
            style: Style::Lines,
            series: vec![Series { name: "the guest has".into(), points }],
            limit: None,
        },
    })
}
