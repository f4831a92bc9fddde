//! A guest works while its neighbour sleeps, forks without end, or touches all the memory it can get.

use super::booted::{Booting, MIB, actor, domain, figure, said, work};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Result, ensure};

const MEMORY: u64 = 48 * MIB;
const MAXIMUM: u64 = 128 * MIB;
const ROUNDS: u64 = 40;

/// Neighbours: what they are, and what they do.
const NEIGHBOURS: [(&str, &str); 3] = [
    ("asleep", "sleep 5\n"),
    (
        "fork bomb",
        "( i=0; while [ $i -lt 400 ]; do sleep 30 & i=$((i+1)); done ) 2>/dev/null\n\
         sleep 1\nkillall sleep\ntrue\n",
    ),
    (
        "memory toucher",
        "for i in 1 2 3 4 5 6 7 8 9 10; do\n\
           dd if=/dev/zero bs=8M count=1 2>/dev/null | sleep 3 &\n\
         done\nwait\n",
    ),
];

pub fn run(booting: Booting) -> Result<Outcome> {
    let (mut rows, mut points) = (Vec::new(), Vec::new());
    let (mut alone, mut worst) = (0, 0.0f64);
    for (place, (neighbour, script)) in NEIGHBOURS.into_iter().enumerate() {
        let actors = vec![
            actor("working", MEMORY, MEMORY, &work(ROUNDS)),
            actor("neighbour", MEMORY, MAXIMUM, script),
        ];
        let played = booting.play(256 * MIB, "policy=idle-tax:75 round=500", actors)?;
        ensure!(
            said(&played, 1).contains("work done"),
            "beside {neighbour}: the work was not done"
        );
        let ticks = domain(&played, "working")?.ticks;
        if place == 0 {
            alone = ticks;
        }
        let loss = (ticks as f64 / alone as f64 - 1.0) * 100.0;
        worst = worst.max(loss);
        points.push((place as f64, loss));
        rows.push(vec![Cell::from(neighbour), Cell::from(ticks), Cell::Number(loss, 2)]);
    }
    Ok(Outcome {
        tables: vec![Rows {
            title: "instructions that a guest's work takes, by what its neighbour does".into(),
            header: ["neighbour", "instructions", "more, %"].map(String::from).to_vec(),
            rows,
        }],
        figures: vec![figure(
            "most that the other guest loses, %",
            "4 and 2 (Xen, SPEC WEB99 and OSDB beside a fork bomb and a memory toucher); at most 2 here",
            format!("{worst:.2}"),
            worst <= 2.0,
        )],
        remarks: vec![
            "counted by instructions: a real processor's caches, which the neighbour fills, are not in it"
                .into(),
        ],
        picture: Picture {
            title: "what a neighbour costs".into(),
            axes: ("neighbour: asleep, fork bomb, memory toucher".into(), "% more instructions".into()),
            style: Style::Lines,
            series: vec![Series { name: "the working guest".into(), points }],
            limit: Some(("what it may be".into(), 2.0)),
        },
    })
}
