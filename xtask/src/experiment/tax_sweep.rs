//! The rate of the tax from nothing to all: what two guests have, and what a fleet lacks.

use super::idle_tax;
use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result};
use balloon::policy::{IdleTax, TaxRate};
use simulator::{Fleet, Scheme};

/// Machines of the fleet, and how full they are, in hundredths.
const MACHINES: u64 = 24;
const OVERCOMMIT: [u64; 2] = [150, 200];

/// Rates, in per cent.
const RATES: [u16; 13] = [0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 90, 95, 100];

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
        ]);
    }
    let (rate, least) = best.context("there is no rate")?;
    let (none, usual) = none.zip(usual).context("the sweep leaves a rate out")?;
    let figures = vec![Figure {
        what: "rate with the least of shortage and violations together, at 2x".into(),
        reference: "75 %, the default of ESX".into(),
        ours: format!("{rate} %: {least:.2} %; at 75 % {usual:.2} %, at 0 % {none:.2} %"),
        holds: None,
    }];
    let picture = Picture {
        title: "Need that is not met, by the rate of the tax".into(),
        axes: ("tax on idle memory, %".into(), "short, % of need".into()),
        style: Style::Lines,
        series: lines.into(),
        limit: None,
    };
    let remarks = vec![
        "A violation is a round in which a guest is short with less than its shares entitle it to. Synthetic needs: ranks are credible, absolute figures are the model's.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}
