//! A guest of which three quarters are ballooned needs nearly all of it at once.

use super::booted::{Booting, MIB, actor, figure, owned, said};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Result, ensure};

const HAS: u64 = 32 * MIB;
const MAY_HAVE: u64 = 128 * MIB;
const BURST: u64 = 80;

/// Processes that hold that much at least.
const PROCESSES: u64 = 20;

/// What the kernel says when everything came back, and when it ended somebody.
const BACK: &str = "memory was short: the balloon gave ";
const KILLED: &str = "out of memory: ended";

pub fn run(booting: Booting) -> Result<Outcome> {
    // A call that reads into memory is cut short when there is none: these processes fill theirs
    // themselves.
    let fill = "s = \"0123456789abcdef\"; while (length(s) < 4000000) s = s s; system(\"sleep 4\")";
    let script = format!(
        "sleep 1\ni=0\nwhile [ $i -lt {PROCESSES} ]; do awk 'BEGIN {{ {fill} }}' & i=$((i+1)); done\n\
         sleep 3\ngrep AnonPages /proc/meminfo\nwait\n"
    );
    let played = booting.play(
        256 * MIB,
        "policy=static round=100",
        vec![actor("burst", HAS, MAY_HAVE, &script)],
    )?;
    let said = said(&played, 1);
    let events: Vec<u64> = said
        .lines()
        .filter_map(|line| line.strip_prefix(BACK)?.split(' ').next()?.parse().ok())
        .collect();
    let killed = said.matches(KILLED).count() as u64;
    let anonymous = said.lines().find_map(|line| line.strip_prefix("AnonPages:"));
    let anonymous = anonymous.and_then(|text| text.trim().split(' ').next()?.parse::<u64>().ok());
    ensure!(anonymous.is_some_and(|kib| kib >= BURST * 1024), "the burst failed: {said}");
    let points = owned(&played.report.memory, 1);
    let most = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let holes = (MAY_HAVE - HAS) / 4096;
    let back: u64 = events.iter().sum();
    Ok(Outcome {
        tables: vec![Rows {
            title: format!(
                "{} MiB of {} are ballooned; {BURST} are touched at once",
                (MAY_HAVE - HAS) / MIB,
                MAY_HAVE / MIB
            ),
            header: ["", "count"].map(String::from).to_vec(),
            rows: vec![
                vec![Cell::from("times that memory was out"), Cell::from(events.len() as u64)],
                vec![Cell::from("pages that came back"), Cell::from(back)],
                vec![Cell::from("pages that the balloon had"), Cell::from(holes)],
                vec![Cell::from("processes that were killed"), Cell::from(killed)],
            ],
        }],
        figures: vec![
            figure(
                "events until the guest has all",
                "virtio-balloon gives 256 pages (1 MiB) an event: 96",
                events.len().to_string(),
                events.len() == 1,
            ),
            figure("processes killed", "0", killed.to_string(), killed == 0),
            figure(
                "of the balloon given back",
                "all",
                format!("{} %", back * 100 / holes),
                back == holes,
            ),
        ],
        remarks: vec![format!("the guest had {most:.0} MiB at most")],
        picture: Picture {
            title: "a burst against a balloon of three quarters".into(),
            axes: ("seconds".into(), "MiB".into()),
            style: Style::Lines,
            series: vec![Series { name: "the guest has".into(), points }],
            limit: Some(("its maximum".into(), (MAY_HAVE / MIB) as f64)),
        },
    })
}
