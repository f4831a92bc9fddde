//! A guest gives 1 GiB back in extents, and takes it again: how many calls that is.

use super::booted::{Booting, MIB, figure};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::domains::{Request, Source};
use crate::images::BENCH;
use crate::reported::{Reported, domain};
use anyhow::{Context, Result, bail};
use hypercall_abi::Number;
use pv_wire::{BenchRow, record};
use std::time::Duration;

/// What the guest has beside what it gives.
const REST: u64 = 16 * MIB;

/// Frames of an extent, and of 1 GiB.
const GIB_FRAMES: f64 = 262_144.0;

/// Frames that one kick of virtio-balloon carries.
const KICK: f64 = 256.0;

pub fn run(booting: Booting) -> Result<Outcome> {
    let guest = Request {
        contiguous: true,
        ..domain(Source::Package(BENCH), "extents", 1024 * MIB + REST, "role=extents".into())
    };
    let run = Reported {
        arch: booting.arch,
        debug: false,
        may: booting.may,
        domains: vec![guest],
        memory: Some(1024 * MIB + REST + 80 * MIB),
        stretches: true,
        sharing: false,
        limit: Duration::from_secs(600),
    };
    let mut rows: Vec<BenchRow> = Vec::new();
    let verdict = run.run(|bytes| {
        rows.extend(record::decode::<BenchRow>(bytes));
        Vec::new()
    })?;
    let report = match verdict {
        Ok(report) => report,
        Err(why) => bail!("{why}"),
    };
    let row = |name: &str| {
        rows.iter().find(|row| row.name == name).with_context(|| format!("no row {name}"))
    };
    let calls = |number: Number| {
        report.domains.first().and_then(|domain| domain.calls.get(number as usize)).copied()
    };
    let (give, take) = (row("extents_give")?, row("extents_take")?);
    let gib = f64::from(give.per) * 512.0 / GIB_FRAMES;
    let inflates = calls(Number::BalloonInflate).unwrap_or(0);
    let deflates = calls(Number::BalloonDeflate).unwrap_or(0);
    let updates = calls(Number::PteUpdate).unwrap_or(0);
    let longest = report
        .stretches
        .iter()
        .filter(|stretch| stretch.what.starts_with("balloon"))
        .map(|stretch| stretch.instructions)
        .max()
        .unwrap_or(0);
    let each = |row: &BenchRow| row.instructions / u64::from(row.per.max(1));
    let per_gib = inflates as f64 / gib;
    Ok(Outcome {
        tables: vec![Rows {
            title: format!("{:.2} GiB in extents of 2 MiB", gib),
            header: ["", "calls", "extents", "instructions an extent"].map(String::from).to_vec(),
            rows: vec![
                vec![
                    Cell::from("given"),
                    Cell::from(inflates),
                    Cell::from(u64::from(give.per)),
                    Cell::from(each(give)),
                ],
                vec![
                    Cell::from("taken, scrubbed"),
                    Cell::from(deflates),
                    Cell::from(u64::from(take.per)),
                    Cell::from(each(take)),
                ],
            ],
        }],
        figures: vec![
            figure(
                "calls to give 1 GiB",
                "virtio-balloon: 1,024 kicks; at most 2 here",
                format!("{per_gib:.1}"),
                per_gib <= 2.0,
            ),
            figure(
                "times fewer transitions than virtio-balloon",
                "HyperAlloc shrinks 362 times faster; at least 300 here",
                format!("{:.0}", GIB_FRAMES / KICK / per_gib),
                GIB_FRAMES / KICK / per_gib >= 300.0,
            ),
            figure(
                "instructions without a look at the clock, in these calls",
                "at most 20,000",
                longest.to_string(),
                longest <= 20_000,
            ),
        ],
        remarks: vec![format!(
            "before, {updates} calls took the pages out of the guest's map of its memory, 256 each"
        )],
        picture: Picture {
            title: "calls to give memory back".into(),
            axes: ("GiB".into(), "calls".into()),
            style: Style::Lines,
            series: vec![
                Series { name: "here".into(), points: vec![(0.0, 0.0), (1.0, per_gib)] },
                Series {
                    name: "virtio-balloon".into(),
                    points: vec![(0.0, 0.0), (1.0, GIB_FRAMES / KICK)],
                },
            ],
            limit: None,
        },
    })
}
