//! The same work in a guest from which memory is taken by its balloon, and in one from which it is
//! taken by force.

use super::booted::{Booting, MIB, actor, domain, figure, said, work};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::demo::scene::{Actor, Played};
use anyhow::{Result, ensure};
use pv_wire::Away;

/// What the guests may have, and what is left to them, in MiB.
const MAXIMUM: u64 = 64;
const LEFT: [u64; 4] = [48, 32, 24, 16];
const ROUNDS: u64 = 20;

/// The size at which the two are compared.
const COMPARED: u64 = 32;

/// Files are written, most of them removed, and then comes the work: pages that held something once
/// are free in the guest, which its balloon knows and the hypervisor does not.
fn script() -> String {
    format!(
        "mkdir -p /tmp/old\n\
         i=0\n\
         while [ $i -lt 10 ]; do head -c 1100000 /bin/busybox >/tmp/old/$i; i=$((i+1)); done\n\
         rm -r /tmp/old\n\
         head -c 2000000 /bin/busybox >/tmp/kept\n\
         md5sum /tmp/kept >/tmp/sum\n\
         sleep 2\n\
         {}\
         md5sum -c /tmp/sum && echo 'file right'\n",
        work(ROUNDS)
    )
}

/// One machine with one guest: what came of it, in instructions of the guest and of the whole.
fn one(booting: Booting, name: &str, actor: Actor, words: &str) -> Result<(u64, Away, u64)> {
    let mut scene = booting.machine(MAXIMUM * MIB + 160 * MIB, words, vec![actor]);
    scene.stretches = true;
    let played = scene.play()?;
    let text = said(&played, 1);
    ensure!(
        text.contains("work done") && text.contains("file right"),
        "the {name} guest did not do its work: {text}"
    );
    Ok((domain(&played, name)?.ticks, played.report.away.unwrap_or_default(), longest(&played)))
}

/// For how long the hypervisor kept the processor at a time, to put pages away and to bring them
/// back.
fn longest(played: &Played) -> u64 {
    let of = ["sharing", "trap", "share_break"];
    let stretches = played.report.stretches.iter();
    let known = stretches.filter(|stretch| of.contains(&stretch.what.as_str()));
    known.map(|stretch| stretch.instructions).max().unwrap_or_default()
}

pub fn run(booting: Booting) -> Result<Outcome> {
    let (mut rows, mut compared, mut steps) = (Vec::new(), None, 0);
    let mut points = [Vec::new(), Vec::new()];
    let script = script();
    for left in LEFT {
        let ballooned = actor("ballooned", left * MIB, MAXIMUM * MIB, &script);
        let (by_balloon, _, _) = one(booting, "ballooned", ballooned, "")?;
        let mut forced = actor("forced", MAXIMUM * MIB, MAXIMUM * MIB, &script);
        forced.limit = Some(left * MIB);
        let words = format!("store={} swap={}", 16 * MIB, 32 * MIB);
        let (by_force, away, step) = one(booting, "forced", forced, &words)?;
        steps = steps.max(step);
        if left == COMPARED {
            compared = Some((by_balloon, by_force, away));
        }
        let moved = away.compressed + away.swapped;
        points[0].push((left as f64, 0.0));
        points[1].push((left as f64, moved as f64));
        rows.push(vec![
            Cell::from(left),
            Cell::from(by_balloon),
            Cell::from(by_force),
            Cell::Number(by_force as f64 / by_balloon as f64, 2),
            Cell::from(away.zeros),
            Cell::from(away.compressed),
            Cell::from(away.swapped),
            Cell::from(away.returned),
        ]);
    }
    let (by_balloon, by_force, away) = compared.unwrap_or_default();
    let moved = away.compressed + away.swapped;
    let header = [
        "MiB left",
        "by balloon",
        "by force",
        "times",
        "zeros",
        "compressed",
        "swapped",
        "came back",
    ];
    let [balloon, forced] = points;
    Ok(Outcome {
        tables: vec![Rows {
            title: format!(
                "instructions of a guest of {MAXIMUM} MiB for the same work, and pages that were moved to take memory by force"
            ),
            header: header.map(String::from).to_vec(),
            rows,
        }],
        figures: vec![
            figure(
                &format!("pages moved to take half, of {MAXIMUM} MiB, most of it free in the guest"),
                "balloon 0 (memory.md B3: forced 572)",
                format!("balloon 0, forced {moved}"),
                moved > 0,
            ),
            figure(
                "instructions that the hypervisor keeps the processor at a time",
                "below 20,000",
                steps.to_string(),
                steps < 20_000,
            ),
            figure(
                "instructions for the same work, by force against by balloon",
                "more than by balloon (Waldspurger 2002, section 3)",
                format!("{:.2} times", by_force as f64 / by_balloon.max(1) as f64),
                by_force > by_balloon,
            ),
        ],
        remarks: vec![

            "what the hypervisor does between the guest's turns to put pages away is not the guest's".into(),
        ],
        picture: Picture {
            title: "pages moved by force, with most of the memory free in the guest".into(),
            axes: ("MiB left".into(), "pages".into()),
            style: Style::Lines,
            series: vec![
                Series { name: "balloon".into(), points: balloon },
                Series { name: "forced".into(), points: forced },
            ],
            limit: None,
        },
    })
}
