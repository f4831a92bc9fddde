//! What it costs a guest that works, and the machine, that a scanner looks for pages that are alike.

use super::booted::{Booting, MIB, actor, domain, figure, said, work};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result, ensure};

/// Pages of a guest that are looked at in a second. One a second is as good as none: what remains is what it costs
/// to let pages be moved.
const RATES: [u64; 5] = [1, 200, 500, 1000, 5000];

/// The rate that is to cost little: between ESX's 50 pages a second and guest, and KSM's 5,000 for all.
const USUAL: u64 = 500;

const MEMORY: u64 = 32 * MIB;
const ROUNDS: u64 = 60;

/// Per cent of the processor that the scanner may take at that rate, and of which the guest's work may be longer.
const OF_THE_PROCESSOR: f64 = 1.0;
const OF_THE_WORK: f64 = 1.6;

/// What one machine took.
struct One {
    /// Instructions of the guest, and of all.
    guest: u64,
    all: u64,
    scanned: u64,
    merged: u64,
}

impl One {
    fn run(booting: Booting, rate: u64) -> Result<One> {
        let words = if rate == 0 { String::new() } else { format!("share={rate}") };
        let worker = actor("worker", MEMORY, MEMORY, &work(ROUNDS));
        let mut scene = booting.machine(MEMORY + 64 * MIB, &words, vec![worker]);
        scene.group = 1;
        let played = scene.play()?;
        let text = said(&played, 1);
        ensure!(text.contains("work done"), "the guest did not do its work: {text}");
        let sharing = played.report.sharing.unwrap_or_default();
        let totals = played.report.totals.context("the run has no totals")?;
        let guest = domain(&played, "worker")?.ticks;
        Ok(One { guest, all: totals.ticks, scanned: sharing.scanned, merged: sharing.merged })
    }

    fn more_than(&self, other: &One, of: fn(&One) -> u64) -> f64 {
        (of(self) as f64 / of(other) as f64 - 1.0) * 100.0
    }
}

pub fn run(booting: Booting) -> Result<Outcome> {
    let (unmoved, resting) = (One::run(booting, 0)?, One::run(booting, RATES[0])?);
    let (mut rows, mut points, mut usual) = (Vec::new(), [Vec::new(), Vec::new()], None);
    for rate in RATES {
        let one = if rate == RATES[0] { &resting } else { &One::run(booting, rate)? };
        let (all, guest) =
            (one.more_than(&resting, |one| one.all), one.more_than(&resting, |one| one.guest));
        points[0].push((rate as f64, all));
        points[1].push((rate as f64, guest));
        if rate == USUAL {
            usual = Some((all, guest));
        }
        rows.push(vec![
            Cell::from(rate),
            Cell::from(one.scanned),
            Cell::from(one.merged),
            Cell::Number(all, 2),
            Cell::Number(guest, 2),
            Cell::Number(one.more_than(&unmoved, |one| one.guest), 2),
        ]);
    }
    let (all, guest) = usual.context("the usual rate is among the rates")?;
    let [machine, work] = points;
    let header = [
        "pages a second",
        "looked at",
        "merged",
        "machine, % more",
        "guest, % more",
        "than where no page moves",
    ];
    Ok(Outcome {
        tables: vec![Rows {
            title: "instructions for the same work of one guest, against one page a second".into(),
            header: header.map(String::from).to_vec(),
            rows,
        }],
        figures: vec![
            figure(
                &format!("of the machine's instructions, at {USUAL} pages a second"),
                "at most 1 %",
                format!("{all:.2} %"),
                all <= OF_THE_PROCESSOR,
            ),
            figure(
                &format!("instructions of the guest for its work, at {USUAL} pages a second"),
                "0.5 % less to 1.6 % more (ESX)",
                format!("{guest:.2} % more"),
                guest <= OF_THE_WORK,
            ),
        ],
        remarks: vec![
            "the guest works all the time: what the scanner takes it has to wait for".into(),
            "the last column is the price of letting pages be moved: this work makes and ends processes, each entry of whose tables names a page, for which the hypervisor has to find the frame".into(),
        ],
        picture: Picture {
            title: "what the scanner costs".into(),
            axes: ("pages a second".into(), "per cent".into()),
            style: Style::Lines,
            series: vec![
                Series { name: "machine".into(), points: machine },
                Series { name: "guest".into(), points: work },
            ],
            limit: None,
        },
    })
}
