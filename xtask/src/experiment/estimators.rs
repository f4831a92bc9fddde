//! What a guest needs, as the host estimates it in different ways, beside the truth.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::Result;
use balloon::policy::Pages;
use simulator::estimate::{Watched, Way, watch};

/// The guest of the paper: 256 MB.
const SIZE: Pages = Pages::from_mib(256);

/// What it needs, in MB, and for how many periods.
const NEEDS: [(u64, usize); 3] = [(50, 20), (250, 20), (50, 40)];

/// What it has been given, in MB.
const GIVEN: [u64; 2] = [256, 128];

/// Guests that are watched; figures are means.
const SEEDS: u64 = 20;

/// Needs by period.
fn needs() -> Vec<Pages> {
    NEEDS.iter().flat_map(|&(mib, periods)| vec![Pages::from_mib(mib); periods]).collect()
}

/// How many periods, if all are right at some time.
fn mean_periods(all: &[Watched], way: Way, since: usize) -> Cell {
    let periods: Option<Vec<usize>> =
        all.iter().map(|watched| watched.periods_until_right(way, since, SIZE)).collect();
    match periods {
        Some(periods) => {
            Cell::Number(periods.iter().sum::<usize>() as f64 / periods.len() as f64, 1)
        }
        None => "never".into(),
    }
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let (rise, fall) = (NEEDS[0].1, NEEDS[0].1 + NEEDS[1].1);
    let mut tables = Vec::new();
    let mut lines = Vec::new();
    let mut figures = Vec::new();
    for given in GIVEN {
        let all: Vec<Watched> =
            (0..SEEDS).map(|seed| watch(SIZE, Pages::from_mib(given), &needs(), seed)).collect();
        let header = ["estimate", "error %", "periods to rise", "periods to fall"];
        let title = format!(
            "Error against the truth: need of 50, 250 and again 50 MB, of a guest that has {given} MB"
        );
        let mut rows = Rows::new(title, &header);
        for way in Way::ALL {
            let error: f64 = all.iter().map(|watched| watched.error(way, SIZE)).sum();
            rows.rows.push(vec![
                way.name().into(),
                Cell::Number(error / SEEDS as f64 * 100.0, 1),
                mean_periods(&all, way, rise),
                mean_periods(&all, way, fall),
            ]);
        }
        tables.push(rows);
        if given != SIZE.to_mib() {
            continue;
        }
        lines.extend(
            [Way::Sampling, Way::Slow, Way::Fast, Way::Reuse]
                .map(|way| Series { name: way.name().into(), points: by_period(all[0].by(way)) }),
        );
        lines.push(Series { name: "truth".into(), points: by_period(&all[0].truth) });
        let steady: Vec<u64> = all
            .iter()
            .flat_map(|watched| watched.by(Way::Fast)[rise / 2..rise].iter().map(|p| p.to_mib()))
            .collect();
        let mean = steady.iter().sum::<u64>() as f64 / steady.len() as f64;
        figures.push(Figure {
            what: "steady need of 50 MB, mean of samples of 100".into(),
            reference: "within 5 % of its memory".into(),
            ours: format!("{mean:.1} MB"),
            holds: Some((mean - 50.0).abs() <= 0.05 * SIZE.to_mib() as f64),
        });
        let at_once = all
            .iter()
            .all(|watched| watched.periods_until_right(Way::Sampling, rise, SIZE) == Some(0));
        figures.push(Figure {
            what: "the greatest of three follows a rise".into(),
            reference: "within a period".into(),
            ours: if at_once { "within the period".into() } else { "later".into() },
            holds: Some(at_once),
        });
        let slower = all.iter().all(|watched| {
            let fall = |way| watched.periods_until_right(way, fall, SIZE);
            fall(Way::Sampling) > fall(Way::Fast)
        });
        figures.push(Figure {
            what: "it falls more slowly than it rises".into(),
            reference: "ESX: minutes".into(),
            ours: if slower { "it does".into() } else { "it does not".into() },
            holds: Some(slower),
        });
    }
    let picture = Picture {
        title: "What a guest needs, and what is estimated".into(),
        axes: ("periods".into(), "MB".into()),
        style: Style::Lines,
        series: lines,
        limit: None,
    };
    let remarks = vec![
        "Right is within a tenth of the guest's size. Samples cannot see beyond what a guest has, refaults not within it; a miss-ratio curve, by distances of reuse, sees both, and wants every use of one page in 64. What ships is sampling, and refaults as a sign of pressure.".into(),
    ];
    Ok(Outcome { tables, figures, remarks, picture })
}

/// Estimates in MB over periods.
fn by_period(pages: &[Pages]) -> Vec<(f64, f64)> {
    pages.iter().enumerate().map(|(at, pages)| (at as f64, pages.to_mib() as f64)).collect()
}
