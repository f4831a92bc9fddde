//! A guest that is ballooned to a size against one that was built for it.

use super::booted::{Booting, MIB, actor, domain, figure, said, work};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Result, ensure};

/// What the ballooned guests may have, and to how many MiB they are ballooned.
const MAXIMUM: u64 = 128;
const SIZES: [u64; 4] = [32, 64, 96, 128];
const ROUNDS: u64 = 40;

pub fn run(booting: Booting) -> Result<Outcome> {
    let (mut rows, mut points) = (Vec::new(), Vec::new());
    let mut half = 0.0;
    for size in SIZES {
        let script = work(ROUNDS);
        let (has, most) = (size * MIB, MAXIMUM * MIB);
        let actors =
            vec![actor("ballooned", has, most, &script), actor("built", has, has, &script)];
        let played = booting.play(2 * has + 128 * MIB, "", actors)?;
        for id in [1, 2] {
            ensure!(
                said(&played, id).contains("work done"),
                "a guest of {size} MiB did not finish"
            );
        }
        let (ballooned, built) =
            (domain(&played, "ballooned")?.ticks, domain(&played, "built")?.ticks);
        let cost = (ballooned as f64 / built as f64 - 1.0) * 100.0;
        if size * 2 == MAXIMUM {
            half = cost;
        }
        points.push((size as f64, cost));
        rows.push(vec![
            Cell::from(size),
            Cell::from(built),
            Cell::from(ballooned),
            Cell::Number(cost, 2),
        ]);
    }
    Ok(Outcome {
        tables: vec![Rows {
            title: format!(
                "instructions for the same work, of a guest built for so many MiB and of one of {MAXIMUM} ballooned to it"
            ),
            header: ["MiB", "built for it", "ballooned to it", "more, %"]
                .map(String::from)
                .to_vec(),
            rows,
        }],
        figures: vec![figure(
            "cost of being ballooned to half, %",
            "4.4 (ESX: 256 MB to 128) to 1.4 (to 224); at most 2 here",
            format!("{half:.2}"),
            half <= 2.0,
        )],
        remarks: vec![
            "what differs is what the kernel sizes by its maximum: heap, records of pages, tables"
                .into(),
        ],
        picture: Picture {
            title: "ballooned against built".into(),
            axes: ("MiB".into(), "% more instructions".into()),
            style: Style::Lines,
            series: vec![Series { name: "ballooned".into(), points }],
            limit: Some(("what it may be".into(), 2.0)),
        },
    })
}
