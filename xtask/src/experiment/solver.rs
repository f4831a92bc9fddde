//! The solver on thousands of guests, timed beside what else could be done in the same run.
//!
//! Seconds on a shared machine say little: what is checked is how the time compares with other
//! work on the same guests, done in between.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Result, ensure};
use balloon::policy::{
    AllocationPolicy, Bounds, Guest, Host, IdleTax, MinFunding, Pages, Price, Shares, TaxRate, Work,
};
use simulator::timing;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Numbers of guests.
const SIZES: [u64; 5] = [100, 1_000, 3_000, 10_000, 30_000];

/// The one that the target is for, and its milliseconds.
const TARGET: (u64, f64) = (10_000, 5.0);

/// Times that each is done; the shortest counts.
const TURNS: usize = 9;

/// Sorts of as many bends as there are that the solver may take as long as.
const SORTS: f64 = 2.0;

/// So many guests of 256 MiB to 32 GiB, overcommitted twice.
fn guests(count: u64) -> Result<(Pages, Vec<Guest>)> {
    let mut random = fastrand::Rng::with_seed(count);
    let mut guests = Vec::new();
    for _ in 0..count {
        let maximum = Pages::from_mib(random.u64(256..32_768));
        let minimum = Pages(maximum.0 / 4);
        guests.push(Guest {
            bounds: Bounds::new(minimum, maximum)?,
            shares: Shares::new(random.u32(1..4_000)).unwrap_or(Shares::ONE),
            tax: None,
            active: Pages(random.u64(0..=maximum.0)),
        });
    }
    let maximums: Pages = guests.iter().map(|guest| guest.bounds.maximum()).sum();
    Ok((Pages(maximums.0 / 2), guests))
}

/// The shortest of several turns.
fn shortest(mut what: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut least = Duration::MAX;
    for _ in 0..TURNS {
        let start = Instant::now();
        what()?;
        least = least.min(start.elapsed());
    }
    Ok(least)
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let policy = IdleTax(TaxRate::ESX);
    let header = ["guests", "solver ms", "ns a guest", "sort ms", "bisection ms", "out by pages"];
    let mut rows = Rows::new("All targets at once, at a tax of 75 %", &header);
    let mut lines = ["solver", "a sort of four prices a guest", "bisection"]
        .map(|name| Series { name: name.into(), points: Vec::new() });
    let mut figures = Vec::new();
    for count in SIZES {
        let (budget, guests) = guests(count)?;
        let host = Host::new(budget, &guests)?;
        let mut work = vec![Work::EMPTY; Work::needed(guests.len())];
        let mut targets = vec![Pages::ZERO; guests.len()];
        let solver = shortest(|| {
            timing::solve_taxed(policy, black_box(&host), &mut work, &mut targets)?;
            Ok(())
        })?;
        let total: Pages = targets.iter().copied().sum();
        let off = total.0.abs_diff(budget.0);
        ensure!(off == 0, "{count} guests: the targets are out by {off} pages");
        let mut random = fastrand::Rng::with_seed(count);
        let prices: Vec<Price> = (0..Work::needed(guests.len()))
            .map(|_| {
                let shares = Shares::new(random.u32(1..4_000)).unwrap_or(Shares::ONE);
                Price::new(random.u64(..1 << 40), shares)
            })
            .collect();
        let mut sorted = prices.clone();
        let sort = shortest(|| {
            sorted.copy_from_slice(black_box(&prices));
            timing::sort_prices(&mut sorted);
            Ok(())
        })?;
        let bisection = shortest(|| {
            black_box(timing::bisect_price(budget, black_box(&guests), 0.75));
            Ok(())
        })?;
        let times = [solver, sort, bisection].map(|time| time.as_secs_f64() * 1e3);
        for (line, time) in lines.iter_mut().zip(times) {
            line.points.push((count as f64, time));
        }
        let [ms, sorting, bisecting] = times;
        rows.rows.push(vec![
            count.into(),
            Cell::Number(ms, 3),
            Cell::Number(ms * 1e6 / count as f64, 0),
            Cell::Number(sorting, 3),
            Cell::Number(bisecting, 3),
            off.into(),
        ]);
        if count == TARGET.0 {
            figures.push(Figure {
                what: format!("{count} guests, beside a sort in the same run"),
                reference: format!("at most {SORTS} times"),
                ours: format!("{:.2} times", ms / sorting),
                holds: Some(ms / sorting <= SORTS),
            });
            figures.push(Figure {
                what: format!("{count} guests, on this machine now"),
                reference: format!("{} ms; bisection in Python 580 ms", TARGET.1),
                ours: format!("{ms:.2} ms; bisection in Rust {bisecting:.2} ms"),
                holds: None,
            });
        }
    }
    figures.push(page_by_page(&policy)?);
    let picture = Picture {
        title: "Time for all targets".into(),
        axes: ("guests".into(), "ms".into()),
        style: Style::Lines,
        series: lines.into(),
        limit: Some((format!("{} ms", TARGET.1), TARGET.1)),
    };
    let remarks = vec![
        "The shortest of 9 turns each. Bisection finds the price only, in floating point; the solver the targets, to the page. Milliseconds are this machine's and checked by nothing.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}

/// The solver and page-by-page revocation on guests small enough for it.
fn page_by_page(policy: &IdleTax) -> Result<Figure> {
    let (_, mut guests) = guests(200)?;
    for guest in &mut guests {
        let scaled = |pages: Pages| Pages(pages.0 / 16_384);
        let bounds = guest.bounds;
        guest.bounds = Bounds::new(scaled(bounds.minimum()), scaled(bounds.maximum()))?;
        guest.active = scaled(guest.active);
    }
    let maximums: Pages = guests.iter().map(|guest| guest.bounds.maximum()).sum();
    let host = Host::new(Pages(maximums.0 / 2), &guests)?;
    let mut work = vec![Work::EMPTY; Work::needed(guests.len())];
    let mut targets = vec![Pages::ZERO; guests.len()];
    policy.targets(&host, &mut work, &mut targets)?;
    let mut revoked = vec![Pages::ZERO; guests.len()];
    MinFunding(*policy).targets(&host, &mut work, &mut revoked)?;
    let off = targets.iter().zip(&revoked).map(|(a, b)| a.0.abs_diff(b.0)).max().unwrap_or(0);
    Ok(Figure {
        what: "200 guests: farthest from page-by-page revocation".into(),
        reference: "1 page".into(),
        ours: format!("{off} pages"),
        holds: Some(off <= 1),
    })
}
