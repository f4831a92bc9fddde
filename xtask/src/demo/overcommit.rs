//! `overcommit`: three guests whose maxima together exceed the machine. One after the other needs
//! much memory, borrows it from what the others do not use, and gives it back. What is in it is different on
//! each page; what the guests have alike besides shares frames.

use super::Setting;
use super::owners::{self, Map};
use super::scene::{Actor, Played, Scene};
use super::sharing;
use crate::experiment::picture::{Picture, Series, Style, svg};
use crate::{size, summary, workspace};
use anyhow::{Context, Result, ensure};
use hypercall_abi::PAGE_SIZE;
use pv_wire::{MemorySample, RunReport, SharingSample};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZero;
use std::path::PathBuf;

const MIB: u64 = 1 << 20;

/// The machine, and each guest: what it starts with, may have, keeps.
const MACHINE: u64 = 232 * MIB;
const GUESTS: u64 = 3;
const MEMORY: u64 = 48 * MIB;
const MAXIMUM: u64 = 144 * MIB;
const MINIMUM: u64 = 24 * MIB;

/// A burst: processes, one a second, of so many MiB each, that hold them for so many seconds.
const PARTS: u64 = 12;
const PART: u64 = 6;
const HELD: u64 = 14;

/// Seconds from one guest's burst to the next one's.
const APART: u64 = 9;

/// Pages of each guest that are looked at a second, for such as are alike, if nothing else is said.
const SHARE: u64 = 1000;

/// The guest that does not co-operate, when there is something to take its memory by force with: what it
/// has, of which it uses little, and files that it writes, so many, and looks at again at the end.
const STUBBORN: u64 = 72 * MIB;
const FILES: u64 = 20;

/// Columns of the terminal's picture.
const COLUMNS: usize = 72;

/// What a guest does: waits for its turn, fills memory, uses it for a while, lets it go.
fn script(guest: u64) -> String {
    let (before, after) = (2 + guest * APART, 4 + (GUESTS - 1 - guest) * APART);
    format!(
        "sleep {before}\n\
         i=0\n\
         while [ $i -lt {PARTS} ]; do\n\
           dd if=/dev/urandom bs={PART}M count=1 2>/dev/null | sleep {HELD} &\n\
           i=$((i+1))\n\
           sleep 1\n\
         done\n\
         grep -E 'MemTotal|MemFree|AnonPages' /proc/meminfo\n\
         wait\n\
         echo 'given back'\n\
         sleep {after}\n"
    )
}

/// What the guest does that does not co-operate: fills memory and forgets it, until all the others are done.
fn stubborn() -> String {
    let end = 8 + (GUESTS - 1) * APART + PARTS + HELD;
    format!(
        "i=0\n\
         while [ $i -lt {FILES} ]; do\n\
           (echo $i; head -c 1100000 /bin/busybox; seq $((i*1000)) $((i*1000+20000))) >/tmp/$i\n\
           i=$((i+1))\n\
         done\n\
         md5sum /tmp/[0-9]* >/tmp/sums\n\
         sleep {end}\n\
         md5sum -c /tmp/sums | grep -c OK\n"
    )
}

/// Runs it, and draws.
pub fn run(setting: &Setting<'_>) -> Result<()> {
    let Setting { arch, may, limit, json, .. } = *setting;
    let share = setting.share.map_or(SHARE, NonZero::get);
    let policy = setting.policy.unwrap_or("idle-tax:75");
    let guest = |name: String, [memory, max_memory]: [u64; 2], words: &str, script| Actor {
        name,
        memory,
        max_memory,
        min_memory: MINIMUM,
        limit: None,
        shares: 100,
        contiguous: false,
        words: words.into(),
        version: 0,
        script,
    };
    let borrows = |number: u64| {
        let name = format!("guest-{}", number + 1);
        guest(name, [MEMORY, MAXIMUM], "balloon=offer", script(number))
    };
    let mut actors: Vec<Actor> = (0..GUESTS).map(borrows).collect();
    let mut words = format!("policy={policy} round=500 share={share}");
    let mut machine = MACHINE;
    if let Some(store) = setting.store {
        let swap = if setting.swap_disk.is_some() { "disk" } else { "0" };
        let _ = write!(words, " store={store} swap={swap}");
        // It is given less than the guest has.
        machine += STUBBORN / 2 + store;
        actors.push(guest("stubborn".into(), [STUBBORN; 2], "balloon=ignore", stubborn()));
    }
    let scene = Scene {
        arch,
        may,
        limit,
        memory: machine,
        words,
        group: 1,
        swap_disk: setting.swap_disk,
        keyed_groups: setting.keyed_groups.to_vec(),
        shown: !json,
        stretches: false,
        audit: None,
        actors,
    };
    let about = format!(
        "{GUESTS} guests of {} that may have {} each, {} together{}, on a machine of {}; policy {policy}",
        size::show(MEMORY),
        size::show(MAXIMUM),
        size::show(GUESTS * MAXIMUM),
        setting.store.map_or_else(String::new, |_| format!(
            ", and one of {} that gives nothing",
            size::show(STUBBORN)
        )),
        size::show(machine),
    );
    if !json {
        println!("{about}");
    }
    let Played { report, said } = scene.play()?;
    let names: Vec<String> = scene.actors.iter().map(|actor| actor.name.clone()).collect();
    let folder = workspace::target_folder("demo/overcommit")?;
    let maps = owners::maps(&report.owners);
    let mut drawn = vec![
        ("memory.svg", svg(&lines(&report.memory, &names))?),
        ("owned.svg", svg(&stacked(&report.memory, &names))?),
        ("sharing.svg", svg(&sharing::over_time("overcommit", &report.shared))?),
    ];
    let looks = match &maps[..] {
        [first, .., last] => {
            let most = maps.iter().min_by_key(|map| map.count(0)).unwrap_or(last);
            vec![("at the start", first), ("when least was free", most), ("at the end", last)]
        }
        _ => Vec::new(),
    };
    if !looks.is_empty() {
        drawn.push(("owners.svg", owners::svg(&looks, &names)));
    }
    let mut pictures = Vec::new();
    for (name, picture) in drawn {
        let path = folder.join(name);
        std::fs::write(&path, picture)
            .with_context(|| format!("cannot write {}", path.display()))?;
        pictures.push(path);
    }
    if json {
        println!("{:#}", for_programs(policy, machine, &report, &names, &looks, &pictures));
    } else {
        print!("{}{}", terminal(&report.memory, &names), shared(&report.shared));
        show_maps(&looks);
        if let Some(away) = report.away.filter(|_| setting.store.is_some()) {
            println!("\n{}", summary::away(&away));
        }
        for path in pictures {
            println!("picture: {}", path.display());
        }
    }
    for (id, said) in &said {
        if u64::from(*id) > GUESTS {
            ensure!(
                said.lines().any(|line| line == FILES.to_string()),
                "the guest that gives nothing has lost something: {said}"
            );
            // Pages that share frames can be all that is taken.
            let (away, sharing) = (report.away.unwrap_or_default(), report.sharing);
            ensure!(
                away.put_away > 0 || sharing.is_some_and(|sharing| sharing.merged > 0),
                "nothing was taken from the guest that gives nothing"
            );
            continue;
        }
        ensure!(
            said.contains("given back") && !said.contains("out of memory"),
            "guest {id} did not get the memory that it needed"
        );
    }
    Ok(())
}

/// What came of it, as JSON: memory of each guest over time, and how many of the frames that were
/// looked at each owner has.
fn for_programs(
    policy: &str,
    machine: u64,
    report: &RunReport,
    names: &[String],
    looks: &[(&str, &Map)],
    pictures: &[PathBuf],
) -> Value {
    let guests = names.iter().enumerate().map(|(id, name)| {
        let samples = of(&report.memory, id).map(|sample| {
            json!({
                "at_ms": sample.at_ms,
                "owned": sample.owned,
                "target": sample.target,
                "active": sample.active,
                "reported_free": sample.reported,
                "needed": sample.needed,
                "machine_free": sample.free,
            })
        });
        json!({ "name": name, "samples": samples.collect::<Vec<_>>() })
    });
    let owners = looks.iter().map(|(when, map)| {
        let owned = names.iter().zip(1..).map(|(name, owner)| (name.clone(), map.count(owner)));
        json!({
            "when": when,
            "samples": map.0.len(),
            "free": map.count(0),
            "hypervisor_or_none": map.count(u8::MAX),
            "guests": owned.collect::<BTreeMap<_, _>>(),
        })
    });
    json!({
        "demo": "overcommit",
        "policy": policy,
        "frames_of_the_machine": machine / PAGE_SIZE,
        "frames_of_all_maxima": GUESTS * MAXIMUM / PAGE_SIZE,
        "guests": guests.collect::<Vec<_>>(),
        "owners": owners.collect::<Vec<_>>(),
        "away": report.away,
        "sharing": report.shared,
        "pictures": pictures,
    })
}

fn mib(pages: u64) -> f64 {
    pages as f64 / 256.0
}

fn of(samples: &[MemorySample], id: usize) -> impl Iterator<Item = &MemorySample> {
    samples.iter().filter(move |sample| usize::from(sample.id) == id + 1)
}

/// Places and values of one guest, at every time at which anybody was looked at.
fn points(
    samples: &[MemorySample],
    id: usize,
    value: impl Fn(&MemorySample) -> u64,
) -> Vec<(f64, f64)> {
    let mut times: Vec<u64> = samples.iter().map(|sample| sample.at_ms).collect();
    times.dedup();
    let mut own = of(samples, id).peekable();
    let at = |time: u64, value: f64| (time as f64 / 1000.0, value);
    times
        .into_iter()
        .map(|time| match own.next_if(|sample| sample.at_ms == time) {
            Some(sample) => at(time, mib(value(sample))),
            None => at(time, 0.0),
        })
        .collect()
}

/// Target, actual and active memory of each guest.
fn lines(samples: &[MemorySample], names: &[String]) -> Picture {
    let mut series = Vec::new();
    for (id, name) in names.iter().enumerate() {
        let mut add = |what: &str, value: fn(&MemorySample) -> u64| {
            series.push(Series {
                name: format!("{name} {what}"),
                points: points(samples, id, value),
            });
        };
        add("has", |sample| sample.owned);
        add("target", |sample| sample.target);
        add("active", |sample| sample.active);
    }
    Picture {
        title: "memory of each guest".into(),
        axes: ("seconds".into(), "MiB".into()),
        style: Style::Lines,
        series,
        limit: None,
    }
}

/// What all guests have, on one another.
fn stacked(samples: &[MemorySample], names: &[String]) -> Picture {
    let series = names.iter().enumerate().map(|(id, name)| Series {
        name: name.clone(),
        points: points(samples, id, |sample| sample.owned),
    });
    let all = samples.iter().map(|sample| sample.at_ms).min().map(|first| {
        let at_once = samples.iter().filter(|sample| sample.at_ms == first);
        at_once.clone().map(|sample| sample.owned).sum::<u64>()
            + at_once.map(|sample| sample.free).next().unwrap_or(0)
    });
    Picture {
        title: "memory that guests have together".into(),
        axes: ("seconds".into(), "MiB".into()),
        style: Style::Stacked,
        series: series.collect(),
        limit: all.map(|all| ("the machine has for guests".into(), mib(all))),
    }
}

/// Values over time as bars, of the most that one may be.
fn bars(values: &[u64], most: u64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = COLUMNS.min(values.len());
    (0..columns)
        .map(|column| {
            let value = values[column * values.len() / columns];
            BARS[(value * 8 / most.max(1)).min(7) as usize]
        })
        .collect()
}

/// A line of bars for what is shared, if anything may be.
fn shared(samples: &[SharingSample]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    let part = |sample: &SharingSample| sample.pages * 1000 / sample.all.max(1);
    let parts: Vec<u64> = samples.iter().map(part).collect();
    let most = samples.iter().max_by_key(|sample| sharing::saved(sample)).copied();
    let most = most.unwrap_or_default();
    format!(
        "  {:<8} {}  of the pages share a frame {:.1} % at most, which saves {:.0} MiB\n",
        "sharing",
        bars(&parts, 1000),
        parts.iter().max().copied().unwrap_or(0) as f64 / 10.0,
        mib(sharing::saved(&most)),
    )
}

/// A line of bars for each guest, and its least, most and last.
fn terminal(samples: &[MemorySample], names: &[String]) -> String {
    let mut text = String::from("\nmemory of each guest over time, of its maximum\n");
    for (id, name) in names.iter().enumerate() {
        let owned: Vec<u64> = of(samples, id).map(|sample| sample.owned).collect();
        let bars = bars(&owned, MAXIMUM / PAGE_SIZE);
        let (least, most) = (owned.iter().min(), owned.iter().max());
        let show = |pages: Option<&u64>| pages.map_or(0.0, |pages| mib(*pages));
        let _ = writeln!(
            text,
            "  {name:<8} {bars}  {:.0} to {:.0} MiB, {:.0} at the end",
            show(least),
            show(most),
            show(owned.last()),
        );
    }
    let free = samples.iter().map(|sample| sample.free);
    let _ = writeln!(
        text,
        "  free frames of the machine: {:.0} MiB at least, {:.0} at most",
        mib(free.clone().min().unwrap_or(0)),
        mib(free.max().unwrap_or(0)),
    );
    text
}

fn show_maps(maps: &[(&str, &Map)]) {
    for (title, map) in maps {
        println!("\nwho owns which frame, {title} (· nobody, | the hypervisor)");
        for line in map.lines() {
            println!("  {line}");
        }
    }
}
