//! How many guests a machine takes by what it promises, and whether it keeps that.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::{Context, Result, ensure};
use balloon::control::{Admission, Member, Order, Planner, Room};
use balloon::policy::{Bounds, Guest, IdleTax, Pages, Shares, TaxRate, Work};

/// The machine.
const MEMORY: Pages = Pages::from_mib(64 << 10);

/// What a guest costs the hypervisor: the paper's 32 MB.
const OVERHEAD: Pages = Pages::from_mib(32);

/// Minimums, as parts of the maximum, in hundredths.
const MINIMUMS: [u64; 5] = [100, 75, 50, 25, 10];

/// What ESX was tested with: the sum of sizes beyond the memory, in per cent.
const ESX_OVERCOMMIT: f64 = 60.0;

/// A kind of machine that was filled.
struct Filled {
    guests: Vec<Bounds>,
    least: Option<u64>,
}

/// Admits guests of 1 to 8 GiB until one is refused.
fn fill(minimum: u64, swap: Option<Pages>) -> Result<Filled> {
    let planner = Planner::new(MEMORY, MEMORY);
    let mut admission = Admission::new(planner.budget(), swap);
    let mut random = fastrand::Rng::with_seed(42);
    let mut guests = Vec::new();
    let mut kept = Vec::new();
    loop {
        let maximum = Pages::from_mib(random.u64(1_024..=8_192));
        let bounds = Bounds::new(Pages(maximum.0 * minimum / 100), maximum)?;
        match admission.admit(bounds, OVERHEAD) {
            Ok(reservation) => kept.push(reservation),
            Err(_) => break,
        }
        guests.push(bounds);
    }
    let least = all_want_all(planner, &guests)?;
    for reservation in kept {
        admission.release(reservation);
    }
    ensure!(admission.left() == planner.budget(), "promises were lost");
    Ok(Filled { guests, least })
}

/// Every guest wants everything, and half of them have sat on it; rounds go on until nothing
/// changes. Returns the least that a guest then has, in per cent of what it was promised.
fn all_want_all(mut planner: Planner, guests: &[Bounds]) -> Result<Option<u64>> {
    let overhead = Pages(OVERHEAD.0 * guests.len() as u64);
    planner.memory = planner.memory.saturating_sub(overhead);
    let mut members: Vec<Member> = guests
        .iter()
        .map(|&bounds| Member {
            guest: Guest {
                bounds,
                shares: Shares::one_per_page(bounds.maximum()),
                tax: None,
                active: bounds.maximum(),
            },
            allocated: bounds.minimum(),
            wanted: bounds.maximum(),
            protected: false,
            stalled: false,
        })
        .collect();
    let mut questions: Vec<Guest> = members.iter().map(|member| member.guest).collect();
    let mut work = vec![Work::EMPTY; Work::needed(members.len())];
    let mut targets = vec![Pages::ZERO; members.len()];
    let mut orders = vec![Order::Keep; members.len()];
    for _ in 0..1_000 {
        let mut room = Room {
            guests: &mut questions,
            work: &mut work,
            targets: &mut targets,
            orders: &mut orders,
        };
        planner.plan(&IdleTax(TaxRate::ESX), &members, &mut room)?;
        for (member, order) in members.iter_mut().zip(&orders) {
            match *order {
                Order::Keep => {}
                Order::Grow(pages) => member.allocated += pages,
                Order::Shrink(pages) | Order::Force { pages, .. } => member.allocated -= pages,
            }
        }
        if orders.iter().all(|order| *order == Order::Keep) {
            break;
        }
    }
    let kept = members
        .iter()
        .map(|member| 100 * member.allocated.0 / member.guest.bounds.minimum().0.max(1));
    Ok(kept.min())
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let header = [
        "minimum %",
        "swap",
        "guests",
        "promised GiB",
        "maximums GiB",
        "beyond memory %",
        "least kept %",
    ];
    let mut rows = Rows::new("64 GiB, guests of 1 to 8 GiB until one is refused", &header);
    let mut line = Series { name: "without swap space".into(), points: Vec::new() };
    let mut swapped =
        Series { name: "with as much swap space as memory".into(), points: Vec::new() };
    let mut reached = 0.0_f64;
    let mut least = u64::MAX;
    for minimum in MINIMUMS {
        for swap in [None, Some(MEMORY)] {
            let filled = fill(minimum, swap)?;
            let sum = |of: fn(&Bounds) -> Pages| -> Pages { filled.guests.iter().map(of).sum() };
            let promised = sum(|bounds| bounds.minimum() + OVERHEAD);
            let maximums = sum(|bounds| bounds.maximum());
            let gib = |pages: Pages| Cell::Number(pages.to_mib() as f64 / 1_024.0, 1);
            let beyond = 100.0 * (maximums.0 as f64 / MEMORY.0 as f64 - 1.0);
            let kept = filled.least.context("no guest was admitted")?;
            least = least.min(kept);
            if swap.is_none() {
                reached = reached.max(beyond);
            }
            let target = if swap.is_none() { &mut line } else { &mut swapped };
            target.points.push((minimum as f64, filled.guests.len() as f64));
            rows.rows.push(vec![
                minimum.into(),
                Cell::from(if swap.is_none() { "none" } else { "64 GiB" }),
                (filled.guests.len() as u64).into(),
                gib(promised),
                gib(maximums),
                Cell::Number(beyond, 0),
                kept.into(),
            ]);
        }
    }
    let figures = vec![
        Figure {
            what: "sum of maximums beyond the memory".into(),
            reference: format!("more than {ESX_OVERCOMMIT} % (ESX's test)"),
            ours: format!("{reached:.0} %"),
            holds: Some(reached > ESX_OVERCOMMIT),
        },
        Figure {
            what: "least that a guest has when all want all".into(),
            reference: "100 % of its minimum".into(),
            ours: format!("{least} %"),
            holds: Some(least >= 100),
        },
    ];
    let picture = Picture {
        title: "Guests that a machine of 64 GiB takes".into(),
        axes: ("minimum, % of the maximum".into(), "guests".into()),
        style: Style::Lines,
        series: vec![line, swapped],
        limit: None,
    };
    let remarks = vec![
        "A guest is admitted if its minimum and 32 MB of overhead are not promised to others, and, where there is swap space, what it may have above its minimum fits there. 6 % of the memory is kept free.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}
