//! ESX's experiment with the idle memory tax, with guests that run: two of equal shares, one idle
//! that has used its memory once, one whose work needs more than its part and swaps; how fast the
//! work goes by shares alone, and with the tax.

use super::booted::{Booting, MIB, actor, figure, owned, said};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::demo::scene::{Actor, Played};
use anyhow::{Context, Result, ensure};

/// Memory of the machine, of which the guests and the reserve have some 127 MiB.
const MACHINE: u64 = 144 * MIB;

/// What a guest starts with, keeps, and may have: the most is to an equal part as the paper's 256 MB
/// are to 179.
const MEMORY: u64 = 44 * MIB;
const MINIMUM: u64 = 16 * MIB;
const MAXIMUM: u64 = 85 * MIB;

/// MiB that the idle guest fills once, at the start: more than its part.
const TOUCHED: u64 = 58;

/// Seconds until the work begins, in which the idle guest is found to be so, and after which the
/// idle guest ends, when the work has long been done.
const BEFORE: u64 = 60;
const ALL: u64 = 240;

/// Pages of the working guest's swap area.
const SWAP: u64 = 5_120;

/// Lines of 120 bytes that the work has in memory, and how many it looks at in a pass, at random.
const LINES: u64 = 250_000;
const LOOKS: u64 = 4_000;

/// Passes, and the last of them that are measured: until then memory has moved.
const PASSES: usize = 60;
const MEASURED: usize = 20;

/// How much faster the work has to be, in per cent.
const FASTER: f64 = 30.0;

fn idle() -> String {
    let pages = TOUCHED * 256;
    format!(
        "awk 'BEGIN {{ for (i = 0; i < {pages}; i++) page[i] = sprintf(\"%04000d\", i) }}'\n\
         sleep {ALL}\n"
    )
}

/// Fills memory with lines, and then says before each pass and after the last how long the machine
/// is up.
fn busy() -> String {
    format!(
        "sleep {BEFORE}\n\
         awk 'BEGIN {{\n\
           for (i = 0; i < {LINES}; i++) line[i] = sprintf(\"%0120d\", i)\n\
           for (pass = 0; pass <= {PASSES}; pass++) {{\n\
             getline up < \"/proc/uptime\"; close(\"/proc/uptime\")\n\
             print \"pass \" up\n\
             for (look = 0; look < {LOOKS} && pass < {PASSES}; look++) {{\n\
               i = int(rand() * {LINES})\n\
               if (substr(line[i], 100) + 0 != i) print \"line \" i \" is wrong\"\n\
             }}\n\
           }}\n\
           print \"work done\"\n\
         }}'\n\
         grep pswpin /proc/vmstat\n"
    )
}

/// What came of one policy.
struct Found {
    /// Seconds that each pass took.
    passes: Vec<f64>,
    /// Pages that the working guest read from its swap area.
    swapped_in: u64,
    /// MiB of the idle and of the working guest while the last pass ran.
    has: [f64; 2],
}

impl Found {
    fn of(played: &Played) -> Result<Found> {
        let text = said(played, 2);
        ensure!(
            text.contains("work done") && !text.contains("is wrong"),
            "the work was not done: {text}"
        );
        let number = |text: &str| text.split_whitespace().next().and_then(|one| one.parse().ok());
        let ups: Option<Vec<f64>> =
            text.lines().filter_map(|line| line.strip_prefix("pass ")).map(number).collect();
        let ups = ups.context("a time cannot be read")?;
        ensure!(ups.len() == PASSES + 1, "{} passes were made", ups.len());
        ensure!(ups[PASSES] < ALL as f64, "the idle guest ended before the work was done");
        let swapped = text.lines().find_map(|line| line.strip_prefix("pswpin "));
        let swapped_in = swapped
            .and_then(|pages| pages.trim().parse().ok())
            .context("no count of swapped pages")?;
        let has = [1, 2].map(|id| {
            let samples = owned(&played.report.memory, id);
            let before = samples.iter().take_while(|(at, _)| *at <= ups[PASSES]);
            before.last().map_or(0.0, |(_, mib)| *mib)
        });
        Ok(Found { passes: ups.windows(2).map(|two| two[1] - two[0]).collect(), swapped_in, has })
    }

    /// Instructions of the machine that one look takes: one is executed in a nanosecond.
    fn instructions_a_look(&self) -> f64 {
        let measured = &self.passes[PASSES - MEASURED..];
        measured.iter().sum::<f64>() * 1e9 / (MEASURED as u64 * LOOKS) as f64
    }
}

fn one(booting: Booting, policy: &str) -> Result<Found> {
    let guest = |name: &str, words: String, script: &str| Actor {
        min_memory: MINIMUM,
        words,
        ..actor(name, MEMORY, MAXIMUM, script)
    };
    let actors =
        vec![guest("idle", String::new(), &idle()), guest("busy", format!("swap={SWAP}"), &busy())];
    let played = booting.play(MACHINE, &format!("policy={policy} round=100"), actors)?;
    Found::of(&played).with_context(|| format!("policy {policy}"))
}

/// By how many per cent one does more in the same instructions than the other.
fn faster(one: &Found, other: &Found) -> f64 {
    (other.instructions_a_look() / one.instructions_a_look() - 1.0) * 100.0
}

pub fn run(booting: Booting) -> Result<Outcome> {
    let (shares, taxed) = (one(booting, "pure-share")?, one(booting, "idle-tax:75")?);
    let header =
        ["policy", "idle guest, MiB", "busy guest, MiB", "instructions a look", "pages swapped in"];
    let mut rows = Rows::new(
        format!("Two guests of {} MiB at most, equal shares, one idle", MAXIMUM / MIB),
        &header,
    );
    let both = [("pure share", &shares), ("idle tax 75 %", &taxed)];
    for (name, found) in both {
        rows.rows.push(vec![
            name.into(),
            Cell::Number(found.has[0], 1),
            Cell::Number(found.has[1], 1),
            Cell::Number(found.instructions_a_look(), 0),
            found.swapped_in.into(),
        ]);
    }
    let gain = faster(&taxed, &shares);
    let series = both.map(|(name, found)| Series {
        name: name.into(),
        points: found.passes.iter().enumerate().map(|(at, s)| (at as f64, s * 1e3)).collect(),
    });
    Ok(Outcome {
        tables: vec![rows],
        figures: vec![figure(
            "throughput of the busy guest, with the tax against without, %",
            "more than 30 (ESX: dbench, 179 / 179 MB against 102 / 256)",
            format!("{gain:+.0}"),
            gain >= FASTER,
        )],
        remarks: vec![
            format!(
                "A look is at one of {LINES} lines at random, over {MEASURED} passes of {LOOKS} after memory has moved; instructions are all that the machine executes meanwhile."
            ),
            format!(
                "The guest swaps to an area of {} MiB of its own memory: that costs a copy each way and no time of a device, so that with a disk the difference is larger.",
                SWAP / 256
            ),
        ],
        picture: Picture {
            title: "How long a pass of the busy guest's work takes".into(),
            axes: ("passes".into(), "million instructions".into()),
            style: Style::Lines,
            series: series.into(),
            limit: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pass: f64) -> Found {
        Found { passes: vec![pass; PASSES], swapped_in: 0, has: [0.0; 2] }
    }

    #[test]
    fn half_the_time_is_twice_as_fast() {
        assert!((faster(&found(0.1), &found(0.2)) - 100.0).abs() < 1e-9);
        assert!((faster(&found(0.2), &found(0.1)) + 50.0).abs() < 1e-9);
        assert!((found(0.04).instructions_a_look() - 1e4).abs() < 1e-6);
    }

    #[test]
    fn only_the_last_passes_are_measured() {
        let mut changed = found(0.1);
        changed.passes[..PASSES - MEASURED].fill(5.0);
        assert_eq!(changed.instructions_a_look(), found(0.1).instructions_a_look());
    }
}
