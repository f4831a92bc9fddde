//! ESX's experiment with the idle memory tax: two guests of 256 MB with equal shares on what
//! leaves each 179 MB; one is idle, the other busy.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result};
use balloon::policy::{
    AllocationPolicy, Bounds, Guest, Host, IdleTax, MaxMin, MinFunding, Pages, PureShare, Shares,
    Static, TaxRate, Work, WorkingSet,
};

/// What both have together: twice the paper's 179 MB.
const BUDGET: Pages = Pages::from_mib(358);

/// A guest's size.
const SIZE: Pages = Pages::from_mib(256);

/// The minimum of the second variant, in MB.
const MINIMUM: u64 = 128;

/// Targets of the idle and of the busy guest, in MB.
pub fn targets(policy: &dyn AllocationPolicy, minimum: u64) -> Result<[u64; 2]> {
    let bounds = Bounds::new(Pages::from_mib(minimum), SIZE)?;
    let of = |active| Guest { bounds, shares: Shares::ONE, tax: None, active };
    let guests = [of(Pages::ZERO), of(SIZE)];
    let mut work = [Work::EMPTY; Work::needed(2)];
    let mut targets = [Pages::ZERO; 2];
    policy.targets(&Host::new(BUDGET, &guests)?, &mut work, &mut targets)?;
    Ok(targets.map(Pages::to_mib))
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let tax = IdleTax(TaxRate::ESX);
    let policies: [(&str, &dyn AllocationPolicy); 7] = [
        ("static", &Static),
        ("pure share", &PureShare),
        ("idle tax 0 %", &IdleTax(TaxRate::NONE)),
        ("idle tax 75 %", &tax),
        ("the same, page by page", &MinFunding(tax)),
        ("working set", &WorkingSet),
        ("max-min", &MaxMin),
    ];
    let header = ["policy", "idle MB", "busy MB", "idle MB, min 128", "busy MB, min 128"];
    let mut rows = Rows::new("Two guests of 256 MB share 358 MB; one is idle", &header);
    for (name, policy) in policies {
        let [idle, busy] = targets(policy, 0)?;
        let [idle_kept, busy_kept] = targets(policy, MINIMUM)?;
        let numbers = [idle, busy, idle_kept, busy_kept].map(Cell::from);
        rows.rows.push([Cell::from(name)].into_iter().chain(numbers).collect());
    }
    let none = targets(&IdleTax(TaxRate::NONE), 0)?;
    let taxed = targets(&tax, 0)?;
    let kept = targets(&tax, MINIMUM)?;
    let figure = |what: &str, reference: &str, ours: [u64; 2], wanted: [u64; 2]| Figure {
        what: what.into(),
        reference: reference.into(),
        ours: format!("{} / {} MB", ours[0], ours[1]),
        holds: Some(ours == wanted),
    };
    let gain = 100.0 * (taxed[1] as f64 / none[1] as f64 - 1.0);
    let figures = vec![
        figure("idle / busy, no tax", "179 / 179 MB (Waldspurger 2002)", none, [179, 179]),
        figure("idle / busy, tax 75 %", "102 / 256 MB (its formula)", taxed, [102, 256]),
        figure("the same, minimum 128 MB", "128 / 230 MB (its formula)", kept, [128, 230]),
        Figure {
            what: "memory of the busy guest".into(),
            reference: "its dbench: more than 30 % faster".into(),
            ours: format!("{gain:.0} % more"),
            holds: None,
        },
    ];
    let mut series = ["idle", "busy"].map(|name| Series { name: name.into(), points: Vec::new() });
    for per_cent in 0..=100u16 {
        let rate = TaxRate::new(per_cent * 100).context("a rate")?;
        let both = targets(&IdleTax(rate), 0)?;
        for (series, mib) in series.iter_mut().zip(both) {
            series.points.push((f64::from(per_cent), mib as f64));
        }
    }
    let picture = Picture {
        title: "Two guests of 256 MB share 358 MB, by the rate of the tax".into(),
        axes: ("tax on idle memory, %".into(), "MB".into()),
        style: Style::Lines,
        series: series.into(),
        limit: None,
    };
    let remarks = vec![
        "Throughput is the guest's: the experiment idle-tax-booted boots two of them for it."
            .into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}
