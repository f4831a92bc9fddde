//! The rate of the tax from nothing to all: what two guests have, and what a fleet lacks; and what
//! a rate takes of idle memory, by both readings of it.

use super::idle_tax;
use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result};
use balloon::policy::{IdleTax, TaxRate};
use simulator::threshold::{Holder, Mean};
use simulator::{Fleet, Scheme};

/// Machines of the fleet, and how full they are, in hundredths.
const MACHINES: u64 = 24;
const OVERCOMMIT: [u64; 2] = [150, 200];

/// Rates, in per cent.
const RATES: [u16; 13] = [0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 90, 95, 100];

/// Rates at which both readings are tried, and guests at each.
const READ: [u16; 5] = [0, 25, 50, 75, 100];
const SEEDS: u64 = 500;

/// The rate that the figure is about: the threshold of 50 %.
const THRESHOLD: u16 = 50;

/// What is taken of the idle memory of many guests, as a part of it.
struct Taken {
    as_fraction: Mean,
    by_chance: Mean,
    /// Pages by which the fraction is farthest from the rate.
    farthest: f64,
}

fn taken(rate: TaxRate) -> Result<Taken> {
    let (mut as_fraction, mut by_chance) = (Vec::new(), Vec::new());
    let mut farthest = 0.0f64;
    for seed in 0..SEEDS {
        let holder = Holder::any(seed);
        let idle = holder.idle().0 as f64;
        let fraction = holder.taken_as_fraction(rate)?.0 as f64;
        let exact = idle * f64::from(rate.parts()) / f64::from(TaxRate::WHOLE);
        farthest = farthest.max((fraction - exact).abs());
        as_fraction.push(fraction / idle);
        // Another seed than the one that the guest follows from.
        by_chance.push(holder.taken_by_chance(rate, !seed).0 as f64 / idle);
    }
    let (as_fraction, by_chance) = (Mean::of(&as_fraction), Mean::of(&by_chance));
    Ok(Taken { as_fraction, by_chance, farthest })
}

/// Both readings of a rate: a table, and the figures of the threshold.
fn readings() -> Result<(Rows, [Figure; 2])> {
    let header = [
        "rate %",
        "fraction: taken % of idle",
        "± (99 %)",
        "farthest, pages",
        "chance: taken % of idle",
        "± (99 %)",
        "one guest's ±",
    ];
    let title = format!("Idle memory taken from {SEEDS} guests, by both readings of the rate");
    let mut rows = Rows::new(title, &header);
    let mut figures = None;
    for per_cent in READ {
        let Taken { as_fraction, by_chance, farthest } =
            taken(TaxRate::new(per_cent * 100).context("a rate")?)?;
        rows.rows.push(vec![
            u64::from(per_cent).into(),
            Cell::Number(as_fraction.mean * 100.0, 2),
            Cell::Number(as_fraction.half_width * 100.0, 2),
            Cell::Number(farthest, 1),
            Cell::Number(by_chance.mean * 100.0, 2),
            Cell::Number(by_chance.half_width * 100.0, 2),
            Cell::Number(by_chance.deviation * 100.0, 2),
        ]);
        if per_cent == THRESHOLD {
            let wanted = f64::from(per_cent) / 100.0;
            let figure = |reading: &str, ours, holds| Figure {
                what: format!("a threshold of {THRESHOLD} %, {reading}"),
                reference: format!("{wanted} of idle memory"),
                ours,
                holds: Some(holds),
            };
            let interval = |mean: Mean| format!("{:.4} ± {:.4}", mean.mean, mean.half_width);
            figures = Some([
                figure(
                    "as the fraction that is taken",
                    format!("{}, to {farthest:.1} pages", interval(as_fraction)),
                    farthest <= 1.0,
                ),
                figure(
                    "as the chance of each idle page",
                    interval(by_chance),
                    by_chance.may_be(wanted),
                ),
            ]);
        }
    }
    Ok((rows, figures.context("the threshold is left out")?))
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let header = [
        "tax %",
        "idle MB",
        "busy MB",
        "short % at 1.5x",
        "violations % at 1.5x",
        "moved/h at 1.5x",
        "short % at 2x",
        "violations % at 2x",
        "sum at 2x",
    ];
    let title = format!("Two guests as in idle-tax; {MACHINES} machines of 256 GiB for an hour");
    let mut rows = Rows::new(title, &header);
    let mut lines = OVERCOMMIT.map(|overcommit| Series {
        name: format!("overcommitted {:.1} times", overcommit as f64 / 100.0),
        points: Vec::new(),
    });
    let mut best: Option<(u16, f64)> = None;
    let (mut none, mut usual) = (None, None);
    for per_cent in RATES {
        let rate = TaxRate::new(per_cent * 100).context("a rate")?;
        let [idle, busy] = idle_tax::targets(&IdleTax(rate), 0)?;
        let scheme = Scheme::tax(per_cent);
        let [half, twice] =
            OVERCOMMIT.map(|overcommit| Fleet::usual(MACHINES, overcommit).run(&scheme));
        lines[0].points.push((f64::from(per_cent), half.shortage()));
        lines[1].points.push((f64::from(per_cent), twice.shortage()));
        let cost = twice.shortage() + twice.violations();
        if best.is_none_or(|(_, least)| cost < least) {
            best = Some((per_cent, cost));
        }
        if rate == TaxRate::ESX {
            usual = Some(cost);
        }
        none.get_or_insert(cost);
        rows.rows.push(vec![
            u64::from(per_cent).into(),
            idle.into(),
            busy.into(),
            Cell::Number(half.shortage(), 3),
            Cell::Number(half.violations(), 3),
            Cell::Number(half.moved(), 2),
            Cell::Number(twice.shortage(), 3),
            Cell::Number(twice.violations(), 3),
            Cell::Number(cost, 2),
        ]);
    }
    let (rate, least) = best.context("there is no rate")?;
    let (none, usual) = none.zip(usual).context("the sweep leaves a rate out")?;
    let (both, [fraction, chance]) = readings()?;
    let figures = vec![
        Figure {
            what: "best middle: least shortage and violations together, at 2x".into(),
            reference: "neither 0 nor 100 %; ESX's default is 75 %".into(),
            ours: format!("{rate} %: {least:.2} %; at 75 % {usual:.2} %, at 0 % {none:.2} %"),
            holds: Some(rate > 0 && rate < 100),
        },
        fraction,
        chance,
    ];
    let picture = Picture {
        title: "Need that is not met, by the rate of the tax".into(),
        axes: ("tax on idle memory, %".into(), "short, % of need".into()),
        style: Style::Lines,
        series: lines.into(),
        limit: None,
    };
    let remarks = vec![
        "A violation is a round in which a guest is short with less than its shares entitle it to. Synthetic needs: ranks are credible, absolute figures are the model's.".into(),
        "As a fraction: what the policy takes from a guest for 4,096 that use all they get, beside what its shares entitle it to. By chance: each of its idle pages by itself. They take the same; by chance one guest is luckier than another.".into(),
    ];
    Ok(Outcome { tables: vec![rows, both], figures, remarks, picture })
}
