//! Memory taken from a guest by its balloon, and by force: what that costs in transfers of pages.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::Result;
use simulator::reclaim::{Transfers, Way, Workload, busy, stale};

/// A guest of 16 MiB that uses a quarter more, and of which half is taken.
const WORKLOAD: Workload = Workload {
    size: 4_096,
    left: 2_048,
    used: 5_120,
    accesses: 200_000,
    writes: 30,
    exponent: 1.0,
    seed: 1,
};

/// Exponents of the distribution of accesses.
const EXPONENTS: [f64; 3] = [0.8, 1.0, 1.2];

/// Pages in use, in hundredths of the guest's size.
const USED: [usize; 3] = [100, 125, 150];

/// Those of the figure that has to hold, and the figure: by so much less a balloon transfers.
const COMPARED: usize = 125;
const TIMES: f64 = 1.45;

/// What is left, in hundredths of the guest's size, for the picture.
const LEFT: [usize; 10] = [25, 30, 40, 50, 60, 70, 80, 85, 90, 95];

/// The two ways, side by side.
fn both(what: fn(Way, &Workload) -> Transfers, workload: &Workload) -> [Transfers; 2] {
    [what(Way::Balloon, workload), what(Way::Forced, workload)]
}

fn ratio([balloon, forced]: [Transfers; 2]) -> f64 {
    forced.all() as f64 / balloon.all().max(1) as f64
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let header =
        ["exponent", "in use %", "balloon", "forced", "of them the guest's", "forced / balloon"];
    let title = format!(
        "Pages transferred in {} accesses, after half of {} pages is taken",
        WORKLOAD.accesses, WORKLOAD.size
    );
    let mut rows = Rows::new(title, &header);
    let mut least = f64::INFINITY;
    for exponent in EXPONENTS {
        for per_cent in USED {
            let used = WORKLOAD.size * per_cent / 100;
            let found = both(busy, &Workload { exponent, used, ..WORKLOAD });
            if per_cent == COMPARED {
                least = least.min(ratio(found));
            }
            let [balloon, forced] = found;
            rows.rows.push(vec![
                format!("{exponent:.1}").into(),
                (per_cent as u64).into(),
                balloon.all().into(),
                forced.all().into(),
                forced.guest.into(),
                Cell::Number(ratio(found), 2),
            ]);
        }
    }
    let [given, taken] = both(stale, &WORKLOAD);
    let figures = vec![
        Figure {
            what: format!("fewer transfers by balloon, {COMPARED} % in use, at the least"),
            reference: format!("{TIMES} times"),
            ours: format!("{least:.2} times"),
            holds: Some(least >= TIMES),
        },
        Figure {
            what: "transfers when the other half is free in the guest".into(),
            reference: "balloon 0".into(),
            ours: format!("balloon {}, forced {}", given.all(), taken.all()),
            holds: Some(given.all() == 0 && taken.all() > 0),
        },
    ];
    let mut lines =
        ["balloon", "forced"].map(|name| Series { name: name.into(), points: Vec::new() });
    for per_cent in LEFT {
        let left = WORKLOAD.size * per_cent / 100;
        let found = both(busy, &Workload { left, ..WORKLOAD });
        for (line, transfers) in lines.iter_mut().zip(found) {
            let in_thousand = transfers.all() as f64 * 1e3 / WORKLOAD.accesses as f64;
            line.points.push((per_cent as f64, in_thousand));
        }
    }
    let picture = Picture {
        title: "Pages transferred, by what the guest is left with".into(),
        axes: ("left, % of its size".into(), "in 1,000 accesses".into()),
        style: Style::Lines,
        series: lines.into(),
        limit: None,
    };
    let remarks = vec![
        "A model, page by page: the guest's clock with a second chance against the hypervisor's choice at random, 30 % writes, Zipf's distribution. What the guest pages itself while it is paged is moved twice.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}
