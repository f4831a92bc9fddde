//! A guest that keeps pages in spare memory, and another that needs the memory all at once.

use super::booted::{Booting, MIB, actor, domain, figure, said};
use super::outcome::{Cell, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::demo::scene::Played;
use anyhow::{Context, Result, ensure};
use pv_wire::Spare;

/// Pages that are asked for, those that the guest has room for, requests, and parts of them that are told of.
const PAGES: u64 = 8192;
const OWN: u64 = 1024;
const REQUESTS: u64 = 90_000;
const PARTS: u64 = 30;

/// What the other guest has, may have and needs at once, in MiB.
const HAS: u64 = 16;
const MAY_HAVE: u64 = 64;
const NEEDS: u64 = 40;

/// Memory of the machine, and how much of it may keep pages.
const MACHINE: u64 = 88;
const KEPT: [u64; 4] = [0, 8, 16, 32];

/// Where the pages of one part of the requests were found.
#[derive(Clone, Copy, Default)]
struct Part {
    own: u64,
    spare: u64,
    made: u64,
}

impl Part {
    fn parse(line: &str) -> Option<Part> {
        let mut numbers = line.strip_prefix("cache: ")?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Part { own: next()?, spare: next()?, made: next()? })
    }

    /// Per cent of the requests that were answered without a page being made.
    fn found(self) -> f64 {
        100.0 * (self.own + self.spare) as f64 / (self.own + self.spare + self.made).max(1) as f64
    }
}

/// One machine: what was found, by parts.
struct One {
    played: Played,
    parts: Vec<Part>,
}

impl One {
    fn run(booting: Booting, kept: u64, is_alone: bool) -> Result<One> {
        let cache =
            format!("/test/cache {PAGES} {OWN} {REQUESTS} {PARTS}\n[ $? = 0 ] && echo served\n");
        let fill =
            "s = \"0123456789abcdef\"; while (length(s) < 4000000) s = s s; system(\"sleep 0.4\")";
        let needs = format!(
            "sleep 0.6\ni=0\nwhile [ $i -lt {} ]; do awk 'BEGIN {{ {fill} }}' & i=$((i+1)); done\nwait\necho 'had it'\n",
            NEEDS / 4
        );
        let mut actors = vec![actor("cache", 16 * MIB, 16 * MIB, &cache)];
        if !is_alone {
            let mut other = actor("other", HAS * MIB, MAY_HAVE * MIB, &needs);
            // What it has no use for any more goes back by itself.
            other.words = "balloon=offer".into();
            actors.push(other);
        }
        let words = if kept == 0 { String::new() } else { format!("spare={}", kept * MIB) };
        let played = booting.play(MACHINE * MIB, &words, actors)?;
        let text = said(&played, 1);
        ensure!(text.contains("served"), "the pages were not served: {text}");
        let parts: Vec<Part> = text.lines().filter_map(Part::parse).collect();
        ensure!(parts.len() as u64 == PARTS, "{} parts of {PARTS}: {text}", parts.len());
        Ok(One { played, parts })
    }

    fn sum(&self) -> Part {
        self.parts.iter().fold(Part::default(), |sum, part| Part {
            own: sum.own + part.own,
            spare: sum.spare + part.spare,
            made: sum.made + part.made,
        })
    }

    fn instructions(&self, name: &str) -> Result<u64> {
        Ok(domain(&self.played, name)?.ticks)
    }

    fn spare(&self) -> Spare {
        self.played.report.spare.unwrap_or_default()
    }
}

pub fn run(booting: Booting) -> Result<Outcome> {
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    let mut alone: Vec<One> = Vec::new();
    for kept in KEPT {
        let one = One::run(booting, kept, true)?;
        let sum = one.sum();
        let first = alone.first().unwrap_or(&one).instructions("cache")?;
        rows.push(vec![
            Cell::from(kept),
            Cell::Number(sum.found(), 1),
            Cell::from(sum.spare),
            Cell::from(sum.made),
            Cell::Number(one.instructions("cache")? as f64 / first as f64, 2),
        ]);
        alone.push(one);
    }
    let most = KEPT[KEPT.len() - 1];
    let (with, without) = (One::run(booting, most, false)?, One::run(booting, 0, false)?);
    for one in [&with, &without] {
        let text = said(&one.played, 2);
        ensure!(text.contains("had it"), "the other guest did not get its memory: {text}");
    }
    for (name, one) in [("alone", &alone[KEPT.len() - 1]), ("beside the other", &with)] {
        let points = one.parts.iter().enumerate();
        let point = |(at, part): (usize, &Part)| {
            ((at as u64 + 1) as f64 * (REQUESTS / PARTS) as f64 / 1000.0, part.found())
        };
        series.push(Series { name: name.into(), points: points.map(point).collect() });
    }
    let spare = with.spare();
    let best = alone.last().context("machines were booted")?;
    let gain = 1.0 - best.instructions("cache")? as f64 / alone[0].instructions("cache")? as f64;
    let slower = with.instructions("other")? as f64 / without.instructions("other")? as f64 - 1.0;
    let header = ["MiB", "found %", "in spare memory", "made", "instructions"];
    Ok(Outcome {
        tables: vec![Rows {
            title: format!(
                "{REQUESTS} requests for {PAGES} pages by a guest that has room for {OWN}; so much spare memory may keep pages"
            ),
            header: header.map(String::from).to_vec(),
            rows,
        }],
        figures: vec![
            figure(
                "instructions for the same requests, with spare memory against without",
                "35 % shorter responses (Mortar)",
                format!("{:.0} % fewer", 100.0 * gain),
                gain >= 0.35,
            ),
            figure(
                &format!("pages that were evicted when another guest needed {NEEDS} MiB at once"),
                "in one tick",
                format!("{}, each by whoever took its frame", spare.evicted),
                spare.evicted > 0,
            ),
            figure(
                "instructions of that guest more than on a machine that keeps no pages",
                "none is waited for",
                format!("{:.1} %", 100.0 * slower),
                slower.abs() < 0.02,
            ),
        ],
        remarks: vec![
            "a page takes some 60,000 instructions to make, less than to read one of a disk takes in time".into(),
            "the page of rank r is asked for about 1/r as often as the first".into(),
        ],
        picture: Picture {
            title: format!("pages found, with {most} MiB of spare memory"),
            axes: ("thousands of requests".into(), "per cent".into()),
            style: Style::Lines,
            series,
            limit: None,
        },
    })
}
