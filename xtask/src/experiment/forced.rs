//! Memory taken from a guest by its balloon, and by force: what that costs in transfers of pages,
//! and in data where what is taken is kept nowhere.

use super::outcome::{Cell, Figure, Outcome, Rows};
use super::picture::{Picture, Series, Style};
use anyhow::Result;
use simulator::reclaim::{Toll, Way, Workload, busy, stale};

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

/// The ways, side by side: by balloon, by force, and by force without keeping anything.
fn all(what: fn(Way, &Workload) -> Toll, workload: &Workload) -> [Toll; 3] {
    [Way::Balloon, Way::Forced, Way::Stolen].map(|way| what(way, workload))
}

fn ratio([balloon, forced, _]: [Toll; 3]) -> f64 {
    forced.transfers() as f64 / balloon.transfers().max(1) as f64
}

/// Accesses whose data are gone, of 100.
fn gone(toll: Toll) -> f64 {
    toll.gone as f64 * 100.0 / WORKLOAD.accesses as f64
}

/// Runs it.
pub fn run() -> Result<Outcome> {
    let header = [
        "exponent",
        "in use %",
        "balloon",
        "forced",
        "of them the guest's",
        "forced / balloon",
        "stolen",
        "found lost",
        "data gone %",
    ];
    let title = format!(
        "Pages transferred in {} accesses, after half of {} pages is taken",
        WORKLOAD.accesses, WORKLOAD.size
    );
    let mut rows = Rows::new(title, &header);
    let (mut least, mut least_gone) = (f64::INFINITY, f64::INFINITY);
    let mut kept_all = true;
    for exponent in EXPONENTS {
        for per_cent in USED {
            let used = WORKLOAD.size * per_cent / 100;
            let found = all(busy, &Workload { exponent, used, ..WORKLOAD });
            if per_cent == COMPARED {
                least = least.min(ratio(found));
            }
            let [balloon, forced, stolen] = found;
            least_gone = least_gone.min(gone(stolen));
            kept_all &= balloon.gone == 0 && forced.gone == 0;
            rows.rows.push(vec![
                format!("{exponent:.1}").into(),
                (per_cent as u64).into(),
                balloon.transfers().into(),
                forced.transfers().into(),
                forced.guest.into(),
                Cell::Number(ratio(found), 2),
                stolen.transfers().into(),
                stolen.lost.into(),
                Cell::Number(gone(stolen), 1),
            ]);
        }
    }
    let [given, taken, lost] = all(stale, &WORKLOAD);
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
            ours: format!("balloon {}, forced {}", given.transfers(), taken.transfers()),
            holds: Some(given.transfers() == 0 && taken.transfers() > 0),
        },
        Figure {
            what: "accesses whose data are gone, when what is taken is kept nowhere".into(),
            reference: "the guest reads lost data; kept on a disk, or by balloon: none".into(),
            ours: format!(
                "{least_gone:.1} % at least; {} of {} when the other half is free",
                lost.gone, WORKLOAD.left
            ),
            holds: Some(least_gone > 0.0 && lost.gone > 0 && kept_all),
        },
    ];
    let mut lines = ["balloon", "forced", "forced, kept nowhere"]
        .map(|name| Series { name: name.into(), points: Vec::new() });
    for per_cent in LEFT {
        let left = WORKLOAD.size * per_cent / 100;
        let found = all(busy, &Workload { left, ..WORKLOAD });
        for (line, toll) in lines.iter_mut().zip(found) {
            let in_thousand = toll.transfers() as f64 * 1e3 / WORKLOAD.accesses as f64;
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
        "Stolen is the naive way, by force and kept nowhere: it moves nothing of its own, and data are gone that the guest counts on. A page is found lost when it is looked at again; from then on each access to it finds other data than the guest left there, until all of it is filled anew.".into(),
    ];
    Ok(Outcome { tables: vec![rows], figures, remarks, picture })
}
