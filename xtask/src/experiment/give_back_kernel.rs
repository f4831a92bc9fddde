//! Our kernel's own balloon takes 1 GiB at once, as processes need it, and gives it back when they have
//! ended: how many calls that is. [`give_back`](super::give_back) measures the calls alone.

use super::booted::{Booting, MIB, actor, domain, figure, owned, said};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::demo::scene::Actor;
use anyhow::{Context, Result, ensure};
use hypercall_abi::Number;

/// What the guest starts with, and what it may have: 1 GiB more.
const HAS: u64 = 40 * MIB;
const MAY_HAVE: u64 = HAS + 1024 * MIB;

/// MiB that have to move both ways for the counts to mean anything.
const MOVED: f64 = 960.0;

pub fn run(booting: Booting) -> Result<Outcome> {
    let script = "sleep 1\ndd if=/dev/zero of=/dev/null bs=1000M count=1 iflag=fullblock\necho 'burst over'\nsleep 4\n";
    let guest = Actor {
        contiguous: true,
        words: "balloon=offer".into(),
        ..actor("kernel", HAS, MAY_HAVE, script)
    };
    let played = booting.play(MAY_HAVE + 128 * MIB, "policy=static round=100", vec![guest])?;
    let said = said(&played, 1);
    ensure!(said.contains("burst over"), "the burst did not end: {said}");
    let report = domain(&played, "kernel")?;
    let calls = |number: Number| report.calls.get(number as usize).copied().unwrap_or(0);
    let points = owned(&played.report.memory, 1);
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let last = points.last().context("the guest was never looked at")?.1;
    // The same call tells how the kernel stands, once a second.
    let told = played.report.memory.iter().map(|sample| sample.told).max().unwrap_or(0);
    let offers = calls(Number::BalloonReport).saturating_sub(told);
    let (taken, given) = (most - (HAS / MIB) as f64, most - last);
    let rows = [("taken", taken, calls(Number::BalloonDeflate)), ("given", given, offers)];
    let per_gib = |mib: f64, calls: u64| calls as f64 * 1024.0 / mib;
    let mut figures = Vec::new();
    for (what, mib, calls) in rows {
        figures.push(figure(
            &format!("MiB {what}"),
            "nearly all of 1,024",
            format!("{mib:.0}"),
            mib >= MOVED,
        ));
        figures.push(figure(
            &format!("calls for each GiB {what}"),
            "2 of extents, and a few for the rest; virtio-balloon: 1,024 kicks",
            format!("{:.1}", per_gib(mib, calls)),
            per_gib(mib, calls) <= 8.0,
        ));
    }
    Ok(Outcome {
        tables: vec![Rows {
            title: format!(
                "a guest of {} MiB that may have {}: a burst, and afterwards",
                HAS / MIB,
                MAY_HAVE / MIB
            ),
            header: ["", "MiB", "calls", "single frames would take"].map(String::from).to_vec(),
            rows: rows
                .iter()
                .map(|(what, mib, calls)| {
                    let single = (mib * 256.0 / 512.0).ceil();
                    vec![
                        Cell::from(*what),
                        Cell::Number(*mib, 1),
                        Cell::from(*calls),
                        Cell::Number(single, 0),
                    ]
                })
                .collect(),
        }],
        figures,
        remarks: vec![format!(
            "the kernel made {} calls of pte_update in all: what extents take out of its map and put back are whole tables",
            calls(Number::PteUpdate)
        )],
        picture: Picture {
            title: "a kernel that takes 1 GiB and gives it back".into(),
            axes: ("seconds".into(), "MiB".into()),
            style: Style::Lines,
            series: vec![Series { name: "the guest has".into(), points }],
            limit: Some(("its maximum".into(), (MAY_HAVE / MIB) as f64)),
        },
    })
}
