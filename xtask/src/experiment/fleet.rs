//! Thousands of guests under each policy.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use crate::names;
use anyhow::{Context, Result};
use balloon::policy::Pages;
use simulator::{Fleet, Machine, MachineSize, Scheme, Score, TICK_SECONDS, TICKS_PER_HOUR};

/// Machines of the fleet; each has some 20 guests.
const MACHINES: u64 = 96;

/// How full they are, in hundredths.
const OVERCOMMIT: [u64; 4] = [125, 150, 175, 200];

/// Which of these the other columns are for.
const DETAIL: usize = 1;

/// What the reference's own model has at 1.5 and at 2 times, in per cent, and moved an hour at 1.5.
const REFERENCE: [(&str, f64, f64, f64); 6] = [
    // Its pure share gives everyone its part at once, which ours calls static.
    ("static", 5.861, 16.06, 0.0),
    ("tax 25 %", 3.439, 12.98, 2.00),
    ("tax 50 %", 1.223, 9.60, 4.30),
    ("tax 75 %", 0.004, 5.96, 1.07),
    ("tax 75 %, eager", 0.005, 5.63, 6.78),
    ("working set", 0.004, 1.90, 1.21),
];

/// Runs it.
pub fn run() -> Result<Outcome> {
    let header = [
        "policy",
        "short % 1.25x",
        "1.5x",
        "1.75x",
        "2x",
        "fairness 1.5x",
        "2x",
        "moved/h 1.5x",
        "violations % 1.5x",
        "2x",
    ];
    let mut all = Vec::new();
    for scheme in Scheme::all() {
        let scores = OVERCOMMIT.map(|overcommit| Fleet::usual(MACHINES, overcommit).run(&scheme));
        all.push((scheme.name, scores));
    }
    let guests = all.first().context("no policy")?.1[DETAIL].guests();
    let title = format!(
        "{} guests on {MACHINES} machines of 256 GiB, overcommitted 1.5 times ({} at 2 times), for an hour",
        names::grouped(guests as u64),
        names::grouped(all[0].1[3].guests() as u64),
    );
    let mut rows = Rows::new(title, &header);
    for (name, scores) in &all {
        let shortages = scores.iter().map(|score| Cell::Number(score.shortage(), 3));
        let others = [
            Cell::Number(scores[DETAIL].fairness(), 4),
            Cell::Number(scores[3].fairness(), 4),
            Cell::Number(scores[DETAIL].moved(), 2),
            Cell::Number(scores[DETAIL].violations(), 3),
            Cell::Number(scores[3].violations(), 3),
        ];
        rows.rows.push([Cell::from(&**name)].into_iter().chain(shortages).chain(others).collect());
    }
    let of = |name: &str| -> Result<&[Score; 4]> {
        let found = all.iter().find(|(other, _)| other == name);
        Ok(&found.with_context(|| format!("no policy `{name}`"))?.1)
    };
    let mut figures = Vec::new();
    for (name, half, twice, moved) in REFERENCE {
        let scores = of(name)?;
        figures.push(Figure {
            what: format!("{name}: short at 1.5x, at 2x; moved an hour"),
            reference: format!("{half:.3} %, {twice:.2} %; {moved:.2} (another model)"),
            ours: format!(
                "{:.3} %, {:.2} %; {:.2}",
                scores[DETAIL].shortage(),
                scores[3].shortage(),
                scores[DETAIL].moved()
            ),
            holds: None,
        });
    }
    let (lazy, eager) = (of("tax 75 %")?, of("tax 75 %, eager")?);
    let (fixed, share) = (of("static")?, of("pure share")?);
    let (half, working) = (of("tax 50 %")?, of("working set")?);
    let ratio = eager[DETAIL].moved() / lazy[DETAIL].moved();
    figures.push(Figure {
        what: "lazy moves less than eager, at 1.5x".into(),
        reference: "6.3 times (another model)".into(),
        ours: format!("{ratio:.1} times"),
        holds: Some(ratio > 2.0),
    });
    let order = [fixed, share, half, lazy, working].map(|scores| scores[3].shortage());
    figures.push(Figure {
        what: "short at 2x: static > pure share > tax 50 > tax 75 > working set".into(),
        reference: "in that order".into(),
        ours: order.map(|shortage| format!("{shortage:.2}")).join(" > "),
        holds: Some(order.is_sorted_by(|a, b| a > b)),
    });
    let remarks = vec![
        "Short: need that was not met. Fairness: Jain's index of what part of its need each guest got. Moved: memory taken from guests in an hour, in machines' memories. Violations: rounds of guests short with less than their shares entitle them to.".into(),
        "Needs are synthetic (bursty, diurnal, growing, idle, Zipf, a fifth each) and follow from seeds: ranks are credible, absolute figures are the model's. `true need` knows what nobody can.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture: picture()? })
}

/// The guests of one machine over the hour.
fn picture() -> Result<Picture> {
    let scheme = Scheme::tax(75);
    let gib = |gib: u64| Pages::from_mib(gib << 10);
    // Larger guests than usual, so that there are few enough to be told apart.
    let size = MachineSize { guests: (gib(20), gib(48)), ..MachineSize::usual(200) };
    let mut machine = Machine::new(size, scheme.sight, 1);
    let mut series: Vec<Series> = machine
        .allocations()
        .enumerate()
        .map(|(index, (kind, _))| Series {
            name: format!("{} {}", index + 1, kind.name()),
            points: Vec::new(),
        })
        .collect();
    for tick in 0..TICKS_PER_HOUR {
        machine.round(&*scheme.policy);
        let minutes = (tick * TICK_SECONDS) as f64 / 60.0;
        for (series, (_, pages)) in series.iter_mut().zip(machine.allocations()) {
            series.points.push((minutes, pages.to_mib() as f64 / 1024.0));
        }
    }
    Ok(Picture {
        title: "One machine, overcommitted 2 times, under an idle tax of 75 %".into(),
        axes: ("minutes".into(), "GiB".into()),
        style: Style::Stacked,
        series,
        limit: Some(("memory".into(), machine.memory().to_mib() as f64 / 1024.0)),
    })
}
