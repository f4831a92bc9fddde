//! Clones write all of what they share at once, when another guest has borrowed what their sharing
//! had saved: the worst that sharing can do to a machine.

use super::booted::{Booting, MIB, actor, figure, said};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::demo::scene::Scene;
use crate::demo::scene::{Actor, Played};
use anyhow::{Context, Result, ensure};
use pv_wire::SharingSample;

/// Clones, and what each has.
const CLONES: u64 = 4;
const MEMORY: u64 = 32 * MIB;

/// The file that each has: so many copies of the first part of one program, overwritten by as many
/// of what no other clone has.
const PART: u64 = MIB;
const PARTS: u64 = 10;

/// The guest that borrows, by which all is taken that the machine has: what it starts with, and may
/// have.
const BORROWER: &str = "borrower";
const HAS: u64 = 32 * MIB;
const MAY_HAVE: u64 = 200 * MIB;

/// What the machine has beside the guests' memory, for the hypervisor itself above all.
const BESIDE: u64 = 66 * MIB;

/// Seconds from the start at which the other guest takes memory, at which all clones write, and at
/// which the other guest lets go of what it uses.
const TAKES: u64 = 10;
const STORM: u64 = 14;
const RETURNS: u64 = 18;

/// Frames that are kept for pages that are written.
const RESERVES: [u64; 3] = [0, 1024, 8192];

/// Frames of the reserve that may be in use before the storm: a kernel that waits writes a page now
/// and then.
const IN_USE: u64 = 32;

/// What a kernel says when it ends a process for want of memory, and a clone when it is done: when
/// that was.
const KILLED: &str = "out of memory: ended";
const RIGHT: &str = "right at ";

/// A clone.
fn clone(number: u64) -> Actor {
    let copies = |file: &str| format!("for part in $(seq {PARTS}); do head -c {PART} {file}; done");
    let (before, after) = (copies("/bin/busybox"), copies("/tmp/noise"));
    let script = format!(
        "{before} > /tmp/file\n\
         head -c {PART} /dev/urandom > /tmp/noise\n\
         {after} | md5sum > /tmp/after\n\
         sleep $(({STORM} - $(cut -d. -f1 /proc/uptime)))\n\
         {after} | dd of=/tmp/file bs=64k conv=notrunc 2>/dev/null\n\
         md5sum < /tmp/file | cmp - /tmp/after && echo {RIGHT}$(cut -d' ' -f1 /proc/uptime)\n"
    );
    actor(&format!("clone-{number}"), MEMORY, MEMORY, &script)
}

/// The guest that borrows. Its balloon gets all there is as soon as its memory is short; what it
/// does not use the policy can take back.
fn borrower() -> Actor {
    let script = format!(
        "sleep {TAKES}\n\
         i=0\n\
         while head -c {PART} /dev/urandom > /tmp/part$i 2>/dev/null; do i=$((i+1)); done\n\
         sleep $(({RETURNS} - $(cut -d. -f1 /proc/uptime)))\n\
         rm /tmp/part*\n"
    );
    actor(BORROWER, HAS, MAY_HAVE, &script)
}

/// What came of a storm.
struct Storm {
    reserve: u64,
    played: Played,
    /// What was shared when it began.
    before: SharingSample,
    /// Frames that were free at the least, from then on.
    least_free: u64,
    /// Seconds from its beginning until every clone had written all.
    lasted: f64,
    killed: u64,
    waits: u64,
}

fn storm(booting: Booting, reserve: u64) -> Result<Storm> {
    let mut actors: Vec<Actor> = (1..=CLONES).map(clone).collect();
    actors.push(borrower());
    let words = format!("share=40000 reserve={reserve} policy=static round=100");
    let clones = booting.machine(CLONES * MEMORY + HAS + BESIDE, &words, actors);
    let played = Scene { group: 1, ..clones }.play()?;
    let (mut killed, mut lasted) = (0, 0.0f64);
    for domain in &played.report.domains {
        let said = said(&played, domain.id);
        killed += said.matches(KILLED).count() as u64;
        let right = said.lines().find_map(|line| line.strip_prefix(RIGHT)?.trim().parse().ok());
        match right {
            Some(at) => lasted = lasted.max(at),
            None => ensure!(
                domain.name == BORROWER,
                "reserve {reserve}: what {} has is not what it wrote:\n{said}",
                domain.name
            ),
        }
    }
    let waits = played.report.sharing.context("nothing was reported of what is shared")?.waits;
    let shared = &played.report.shared;
    let begins = shared.partition_point(|sample| sample.at_ms < STORM * 1000);
    let before = begins.checked_sub(1).map(|last| shared[last]);
    let before = before.context("nothing was reported from before the storm")?;
    let least_free = shared[begins..].iter().map(|sample| sample.free).min().unwrap_or(0);
    Ok(Storm { reserve, before, least_free, lasted: lasted - STORM as f64, killed, waits, played })
}

pub fn run(booting: Booting) -> Result<Outcome> {
    let storms: Vec<Storm> =
        RESERVES.into_iter().map(|reserve| storm(booting, reserve)).collect::<Result<_>>()?;
    let title = format!(
        "{CLONES} clones overwrite {} MiB each of what they share; another guest has what that saved",
        PARTS * PART / MIB
    );
    let header = [
        "reserve",
        "pages shared before",
        "frames free before",
        "free at least",
        "waits for a frame",
        "seconds",
        "killed",
    ];
    let mut rows = Rows::new(title, &header);
    let mut series = Vec::new();
    for storm in &storms {
        let counts = [storm.reserve, storm.before.pages, storm.before.free, storm.least_free];
        let mut row: Vec<Cell> = counts.map(Cell::from).into();
        row.extend([storm.waits.into(), Cell::Number(storm.lasted, 2), storm.killed.into()]);
        rows.rows.push(row);
        let mut line = |what: &str, value: fn(&SharingSample) -> u64| {
            let at = |sample: &SharingSample| {
                (sample.at_ms as f64 / 1000.0, value(sample) as f64 * 4096.0 / MIB as f64)
            };
            let points = storm.played.report.shared.iter().map(at).collect();
            series.push(Series { name: format!("{what}, reserve {}", storm.reserve), points });
        };
        line("share a frame", |sample| sample.pages);
        line("free", |sample| sample.free);
    }
    let all = |what: fn(&Storm) -> u64| {
        storms.iter().map(|storm| what(storm).to_string()).collect::<Vec<_>>().join(", ")
    };
    let holds = storms.iter().all(|storm| storm.before.free + IN_USE >= storm.reserve);
    let killed: u64 = storms.iter().map(|storm| storm.killed).sum();
    let falls = storms.windows(2).all(|pair| pair[1].waits < pair[0].waits);
    Ok(Outcome {
        tables: vec![rows],
        figures: vec![
            figure("processes killed, and pages that are not right", "0", killed.to_string(), killed == 0),
            figure(
                "frames free when the storm begins",
                "the reserve, but for pages written meanwhile",
                all(|storm| storm.before.free),
                holds,
            ),
            figure(
                "waits for a frame, by reserve",
                "fewer with a larger one",
                all(|storm| storm.waits),
                falls,
            ),
        ],
        remarks: vec![
            "a clone that waits goes on when the policy has taken back from the other guest what it does not use".into(),
        ],
        picture: Picture {
            title: "clones that write all at once".into(),
            axes: ("seconds".into(), "MiB".into()),
            style: Style::Lines,
            series,
            limit: None,
        },
    })
}
