//! So many guests as a machine takes, each of which does the same work: what that costs each of them.

use super::booted::{Booting, MIB, actor, figure, said, work};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result, ensure};

/// Numbers of guests; the last is the most that there can be.
const COUNTS: [u64; 4] = [1, 8, 32, 128];

/// Bytes of each guest, and of the machine beside them.
const MEMORY: u64 = 16 * MIB;
const REST: u64 = 160 * MIB;

/// Rounds of work that each does.
const ROUNDS: u64 = 3;

/// More instructions than a guest alone that each of the most may take, in per cent.
const LIMIT: f64 = 5.0;

pub fn run(booting: Booting) -> Result<Outcome> {
    let (mut rows, mut points) = (Vec::new(), Vec::new());
    let mut alone = None;
    let mut most = 0.0;
    for count in COUNTS {
        let guests = (1..=count)
            .map(|guest| actor(&format!("guest-{guest}"), MEMORY, MEMORY, &work(ROUNDS)))
            .collect();
        let played = booting.play(count * MEMORY + REST, "", guests)?;
        for guest in 1..=count as u16 {
            ensure!(
                said(&played, guest).contains("work done"),
                "guest {guest} of {count} did not do its work"
            );
        }
        let totals = played.report.totals.context("the run has no totals")?;
        ensure!(
            totals.frames_before == totals.frames_after,
            "{count} guests: {} frames were free before and {} after",
            totals.frames_before,
            totals.frames_after
        );
        let ticks: u64 = played.report.domains.iter().map(|domain| domain.ticks).sum();
        let each = ticks / count;
        let alone = *alone.get_or_insert(each);
        most = (each as f64 / alone as f64 - 1.0) * 100.0;
        points.push((count as f64, most));
        rows.push(vec![
            Cell::from(count),
            Cell::from(each),
            Cell::Number(most, 2),
            Cell::from(totals.switches),
            Cell::from(totals.ticks / 1_000_000),
        ]);
    }
    Ok(Outcome {
        tables: vec![Rows {
            title: "instructions that each guest's work takes, by how many there are".into(),
            header: ["guests", "instructions each", "more, %", "switches", "all, millions"]
                .map(String::from)
                .to_vec(),
            rows,
        }],
        figures: vec![figure(
            "more instructions for each of 128 guests than for one alone, %",
            "7.5 less throughput (Xen, 128 domains); at most 5 here",
            format!("{most:.2}"),
            most <= LIMIT,
        )],
        remarks: vec![
            "While guests run, with the hypervisor's work for them. Building them and taking them apart is in the last column alone; it grows with the machine, as the end of a guest looks at the whole frame table. Counted by instructions: what many guests do to a real processor's caches is not in it."
                .into(),
        ],
        picture: Picture {
            title: "what each guest's work takes more when there are many".into(),
            axes: ("guests".into(), "% more instructions".into()),
            style: Style::Lines,
            series: vec![Series { name: "each guest".into(), points }],
            limit: Some(("what it may be".into(), LIMIT)),
        },
    })
}
