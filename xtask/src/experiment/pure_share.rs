//! Memory in proportion to shares alone: who pays twice as much has twice as much, to a page; and
//! who does not use what it has keeps it from who would.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result};
use balloon::policy::{
    AllocationPolicy, Bounds, Guest, Host, IdleTax, Pages, PureShare, Shares, TaxRate, Work,
    WorkingSet,
};

/// Budgets that shares divide, in pages; most of them not without a rest.
const BUDGETS: [u64; 6] = [3, 100, 899, 900, 65_536, 1_000_001];

/// What guests pay.
const PAID: [&[u32]; 4] = [&[2, 1], &[1, 2], &[4, 2, 1], &[2, 1, 2, 1, 1]];

/// The case of the hoarder: pages of the machine, and what each of two guests of equal shares uses.
const MACHINE: Pages = Pages(1_000);
const HOARDER: Pages = Pages(100);
const NEEDY: Pages = Pages(900);

/// Targets of guests of any size with these shares and this need.
fn targets(
    policy: &dyn AllocationPolicy,
    budget: Pages,
    guests: &[(u32, Pages)],
) -> Result<Vec<Pages>> {
    let bounds = Bounds::new(Pages::ZERO, budget)?;
    let guests = guests.iter().map(|&(shares, active)| {
        let shares = Shares::new(shares).context("a guest has shares")?;
        Ok(Guest { bounds, shares, tax: None, active })
    });
    let guests: Vec<Guest> = guests.collect::<Result<_>>()?;
    let mut work = vec![Work::EMPTY; Work::needed(guests.len())];
    let mut targets = vec![Pages::ZERO; guests.len()];
    policy.targets(&Host::new(budget, &guests)?, &mut work, &mut targets)?;
    Ok(targets)
}

/// What guests have for their shares, and by how many pages the worst is out.
fn divided() -> Result<(Rows, f64)> {
    let header = ["shares", "pages of the machine", "pages of the guests", "farthest, pages"];
    let mut rows = Rows::new("Who pays less gets less: pages by shares", &header);
    let mut farthest = 0.0f64;
    for paid in PAID {
        let all: u32 = paid.iter().sum();
        for budget in BUDGETS {
            let guests: Vec<_> = paid.iter().map(|&shares| (shares, Pages(budget))).collect();
            let targets = targets(&PureShare, Pages(budget), &guests)?;
            let out = paid.iter().zip(&targets).map(|(&shares, target)| {
                let exact = budget as f64 * f64::from(shares) / f64::from(all);
                (target.0 as f64 - exact).abs()
            });
            let out = out.fold(0.0, f64::max);
            farthest = farthest.max(out);
            let shown = |numbers: Vec<String>| numbers.join(" : ");
            rows.rows.push(vec![
                shown(paid.iter().map(u32::to_string).collect()).into(),
                budget.into(),
                shown(targets.iter().map(Pages::to_string).collect()).into(),
                Cell::Number(out, 2),
            ]);
        }
    }
    Ok((rows, farthest))
}

/// What a policy makes of the hoarder and its neighbor: pages of both, idle, and wanting.
struct Hoarded {
    targets: [Pages; 2],
    idle: Pages,
    short: Pages,
}

fn hoarded(policy: &dyn AllocationPolicy) -> Result<Hoarded> {
    let targets = targets(policy, MACHINE, &[(1, HOARDER), (1, NEEDY)])?;
    let [hoarder, needy] = targets[..] else { anyhow::bail!("two guests") };
    let idle = hoarder.saturating_sub(HOARDER) + needy.saturating_sub(NEEDY);
    let short = HOARDER.saturating_sub(hoarder) + NEEDY.saturating_sub(needy);
    Ok(Hoarded { targets: [hoarder, needy], idle, short })
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let (shares, farthest) = divided()?;
    let header = ["policy", "hoarder has", "other has", "of it idle", "needed and not there"];
    let title = format!(
        "Two guests of equal shares on {MACHINE} pages: one uses {HOARDER}, the other {NEEDY}"
    );
    let mut cases = Rows::new(title, &header);
    let half = IdleTax(TaxRate::new(5_000).context("a rate")?);
    let policies: [(&str, &dyn AllocationPolicy); 4] = [
        ("pure share", &PureShare),
        ("idle tax 50 %", &half),
        ("idle tax 75 %", &IdleTax(TaxRate::ESX)),
        ("working set", &WorkingSet),
    ];
    for (name, policy) in policies {
        let Hoarded { targets: [hoarder, needy], idle, short } = hoarded(policy)?;
        let numbers = [hoarder, needy, idle, short].map(|pages| Cell::from(pages.0));
        cases.rows.push([Cell::from(name)].into_iter().chain(numbers).collect());
    }
    let pure = hoarded(&PureShare)?;
    let figures = vec![
        Figure {
            what: "2:1 shares, pages from 2:1".into(),
            reference: "1 at most".into(),
            ours: format!("{farthest:.2}"),
            holds: Some(farthest <= 1.0),
        },
        Figure {
            what: "a hoarder's idle pages, while another lacks as many".into(),
            reference: "400 of 1,000: the price of paying by shares alone".into(),
            ours: format!("{} idle, {} wanting", pure.idle, pure.short),
            holds: Some(pure.idle == Pages(400) && pure.short == Pages(400)),
        },
    ];
    let mut series = ["idle", "needed and not there"]
        .map(|name| Series { name: name.into(), points: Vec::new() });
    for per_cent in 0..=100u16 {
        let rate = TaxRate::new(per_cent * 100).context("a rate")?;
        let Hoarded { idle, short, .. } = hoarded(&IdleTax(rate))?;
        for (series, pages) in series.iter_mut().zip([idle, short]) {
            series.points.push((f64::from(per_cent), pages.0 as f64));
        }
    }
    let picture = Picture {
        title: "What a hoarder keeps from who needs it, by the tax on what is idle".into(),
        axes: ("tax on idle memory, %; 0 is pure share".into(), "pages".into()),
        style: Style::Lines,
        series: series.into(),
        limit: None,
    };
    let remarks = vec![
        "The policies as they ship, by what guests use; a booted machine has to find that out first.".into(),
    ];
    Ok(Outcome { tables: vec![shares, cases], figures, remarks, picture })
}
