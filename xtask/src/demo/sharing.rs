//! `sharing`: guests that are clones of one another, then such as differ in the version of their
//! program, and in what they run. Pages that are alike share a frame, and what runs in the guests
//! does not notice.

use super::Setting;
use super::scene::{Actor, Played, Scene};
use crate::arch::Arch;
use crate::experiment::picture::{Picture, Series, Style, svg};
use crate::packages::MayInstall;
use crate::rootfs::version;
use crate::{build, busybox, names, size, table, workspace};
use anyhow::{Context, Result, ensure};
use pv_wire::{SharingSample, Stretch};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// What each guest has.
const MEMORY: u64 = 16 * MIB;

/// Pages of each that are looked at in a second.
const RATE: u64 = 20_000;

/// Seconds that clones wait for the scanner, which goes over all pages twice before it merges any.
const WAIT: u64 = 10;

/// Parts of guests' memory, in per cent, that ESX's ten clones of one system shared and got back.
const ESX: (f64, f64) = (67.0, 60.0);

/// What guests have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Everything.
    Same,
    /// Each has a [version] of busybox of its own.
    Versions,
    /// Besides, each runs a program that no other runs, on data of its own.
    Programs,
}

/// Machines of the demonstration: the mix, and guests.
const MIXES: [(Mix, u64); 4] =
    [(Mix::Same, 10), (Mix::Same, 4), (Mix::Versions, 4), (Mix::Programs, 4)];

impl Mix {
    fn about(self) -> &'static str {
        match self {
            Mix::Same => "same program",
            Mix::Versions => "other versions of it",
            Mix::Programs => "other programs, too",
        }
    }

    /// The version of busybox of a guest, the first of which is 1.
    fn version(self, guest: u64) -> u8 {
        if self == Mix::Same { 0 } else { guest as u8 }
    }

    /// What a guest runs while the scanner works.
    fn program(self, guest: u64, wait: u64) -> String {
        if self != Mix::Programs {
            return "true".into();
        }
        match guest % 4 {
            0 => format!(
                "awk 'BEGIN {{ for (i = 0; i < 20000; i++) a[i] = i * 7919 % 104729; \
                 system(\"sleep {wait}\") }}'"
            ),
            1 => format!("/test/big-memory 1000 20000 {guest}"),
            2 => "seq 1 100000 | sed 's/7/seven/g' | sort -r > /tmp/sorted".into(),
            _ => "head -c 3000000 /dev/urandom | tee /tmp/noise | md5sum".into(),
        }
    }
}

/// What a guest says at the end: what it has counted, that a file is what it was, and that its
/// program ran.
const SAID: [&str; 4] = ["counted 200", "sorted", "same", "ran"];

/// What a guest does: before its pages are shared, and afterwards with the same files.
fn script(program: &str, wait: u64) -> String {
    format!(
        "({program}) && echo ran &\n\
         md5sum /bin/busybox > /tmp/before\n\
         ls -l /bin | sort > /tmp/list\n\
         i=0\n\
         while [ $i -lt 200 ]; do i=$((i+1)); done\n\
         echo counted $i\n\
         sleep {wait}\n\
         ls -l /bin | sort | cmp - /tmp/list && echo sorted\n\
         cat /bin/busybox > /tmp/copy\n\
         cmp /bin/busybox /tmp/copy && md5sum /bin/busybox | cmp - /tmp/before && echo same\n\
         wait\n\
         sleep 1\n"
    )
}

/// So many guests, which wait so many seconds for the scanner.
pub fn guests(
    mix: Mix,
    arch: Arch,
    may: MayInstall,
    count: u64,
    wait: u64,
    limit: Option<Duration>,
) -> Scene {
    let actors = (1..=count).map(|guest| Actor {
        name: format!("clone-{guest}"),
        memory: MEMORY,
        max_memory: MEMORY,
        min_memory: MEMORY,
        limit: None,
        shares: 100,
        contiguous: false,
        words: String::new(),
        version: mix.version(guest),
        script: script(&mix.program(guest, wait), wait),
    });
    Scene {
        arch,
        may,
        limit,
        memory: count * MEMORY + 96 * MIB,
        words: format!("share={RATE}"),
        group: 1,
        swap_disk: None,
        keyed_groups: Vec::new(),
        shown: false,
        stretches: true,
        audit: None,
        actors: actors.collect(),
    }
}

/// What was shared when most was saved; an error if a clone did not say what it had to.
pub fn most(played: &Played) -> Result<SharingSample> {
    for (id, said) in &played.said {
        for wanted in SAID {
            ensure!(
                said.lines().any(|line| line.trim() == wanted),
                "clone {id} did not say `{wanted}` but:\n{said}"
            );
        }
    }
    let samples = played.report.shared.iter().copied();
    samples.max_by_key(saved).context("the hypervisor has not told what was shared")
}

/// Frames that are not needed.
pub fn saved(sample: &SharingSample) -> u64 {
    sample.pages.saturating_sub(sample.frames)
}

/// Of all pages, those that share a frame and those whose frames were saved, in per cent; of all
/// and without those of zeros, which share one frame.
fn parts(sample: &SharingSample) -> [(f64, f64); 2] {
    let part = |of: u64, all: u64| 100.0 * of as f64 / all.max(1) as f64;
    let (all, pages) = (sample.all - sample.zero, sample.pages - sample.zero);
    let zero_saved = sample.zero.saturating_sub(1);
    [
        (part(sample.pages, sample.all), part(saved(sample), sample.all)),
        (part(pages, all), part(saved(sample).saturating_sub(zero_saved), all)),
    ]
}

/// What came of one machine.
struct Shared {
    mix: Mix,
    guests: u64,
    /// What was shared when most was saved.
    most: SharingSample,
    /// For what the hypervisor kept the processor longest at a time.
    longest: Stretch,
    picture: PathBuf,
}

/// Runs each mix, draws, and shows what came of it.
pub fn run(setting: &Setting<'_>) -> Result<()> {
    let Setting { arch, may, limit, json, .. } = *setting;
    if !json {
        println!("guests of {} that share frames", size::show(MEMORY));
    }
    let folder = workspace::target_folder("demo/sharing")?;
    let mut machines = Vec::new();
    for (mix, count) in MIXES {
        let scene = guests(mix, arch, may, count, WAIT, limit);
        let played = Scene { keyed_groups: setting.keyed_groups.to_vec(), ..scene }.play()?;
        let most = most(&played).with_context(|| mix.about())?;
        let longest = longest(&played.report.stretches)?;
        let path = folder.join(format!("{mix:?}-{count}.svg").to_lowercase());
        std::fs::write(&path, svg(&over_time(mix.about(), &played.report.shared))?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        machines.push(Shared { mix, guests: count, most, longest, picture: path });
    }
    if json {
        println!("{:#}", report(&machines));
        return Ok(());
    }
    println!("{}", text(&machines));
    let program = build::read(&busybox::file(arch, may)?)?;
    let (differ, all) =
        version::different_pages(&program, &version::of(arch, &program, Mix::Versions.version(1)));
    println!(
        "versions of busybox differ in {differ} of {all} pages of its file; a guest that copies it \
         has pages that are alike by itself"
    );
    println!("all guests said what they had to");
    for Shared { picture, .. } in machines {
        println!("picture: {}", picture.display());
    }
    Ok(())
}

/// For what the hypervisor kept the processor longest at a time.
pub fn longest(stretches: &[Stretch]) -> Result<Stretch> {
    let longest = stretches.iter().max_by_key(|stretch| stretch.instructions);
    longest.cloned().context("the hypervisor did not say for how long it kept the processor")
}

/// For people.
fn text(machines: &[Shared]) -> String {
    let header = [
        "guests",
        "",
        "shared %",
        "reclaimed %",
        "no zeros: shared %",
        "reclaimed %",
        "pages",
        "sharing",
        "frames",
        "zeros",
        "longest step",
    ];
    let mut rows = table::new(&header);
    for Shared { mix, guests, most, longest, .. } in machines {
        let mut row = vec![guests.to_string(), mix.about().to_owned()];
        row.extend(
            parts(most).into_iter().flat_map(|(shared, reclaimed)| {
                [format!("{shared:.1}"), format!("{reclaimed:.1}")]
            }),
        );
        let counts = [most.all, most.pages, most.frames, most.zero];
        row.extend(counts.map(|count| count.to_string()));
        row.push(format!("{} {}", longest.what, names::grouped(longest.instructions)));
        rows.add_row(row);
    }
    let (shared, reclaimed) = ESX;
    rows.add_row(["10", "ESX's clones", &format!("{shared:.1}"), &format!("{reclaimed:.1}")]);
    table::align_right(&mut rows, 2..header.len());
    table::align_right(&mut rows, 0..1);
    table::text(&rows)
}

/// For programs.
fn report(machines: &[Shared]) -> Value {
    let rounded = |part: f64| (part * 10.0).round() / 10.0;
    let machines = machines.iter().map(|Shared { mix, guests, most, longest, picture }| {
        let [all, no_zeros] = parts(most).map(|(shared, reclaimed)| {
            json!({ "shared_percent": rounded(shared), "reclaimed_percent": rounded(reclaimed) })
        });
        json!({
            "guests": guests,
            "mix": mix.about(),
            "all": all,
            "no_zeros": no_zeros,
            "pages": most.all,
            "pages_sharing": most.pages,
            "frames_shared": most.frames,
            "zero_pages": most.zero,
            "longest_step": { "of": longest.what.as_str(), "instructions": longest.instructions },
            "picture": picture,
        })
    });
    let (shared, reclaimed) = ESX;
    json!({
        "demo": "sharing",
        "machines": machines.collect::<Vec<_>>(),
        "esx": { "guests": 10, "shared_percent": shared, "reclaimed_percent": reclaimed },
    })
}

/// What is shared over time.
pub fn over_time(about: &str, samples: &[SharingSample]) -> Picture {
    let series = |name: &str, value: fn(&SharingSample) -> u64| Series {
        name: name.into(),
        points: samples
            .iter()
            .map(|sample| (sample.at_ms as f64 / 1000.0, value(sample) as f64 / 256.0))
            .collect(),
    };
    Picture {
        title: format!("pages of guests that share frames: {about}"),
        axes: ("seconds".into(), "MiB".into()),
        style: Style::Lines,
        series: vec![
            series("pages of all guests", |sample| sample.all),
            series("share a frame", |sample| sample.pages),
            series("of these, zeros", |sample| sample.zero),
            series("saved", saved),
        ],
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_differ_in_what_the_mix_says() {
        let of = |mix: Mix| {
            let scene = guests(mix, Arch::X86_64, MayInstall(false), 4, 1, None);
            let distinct = |of: fn(&Actor) -> String| {
                scene.actors.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
            };
            (distinct(|actor| actor.version.to_string()), distinct(|actor| actor.script.clone()))
        };
        assert_eq!([of(Mix::Same), of(Mix::Versions)], [(1, 1), (4, 1)]);
        assert_eq!(of(Mix::Programs), (4, 4));
    }

    #[test]
    fn zero_pages_are_told_apart() {
        let sample = SharingSample {
            all: 1000,
            pages: 601,
            frames: 101,
            zero: 201,
            ..SharingSample::default()
        };
        assert_eq!(saved(&sample), 500);
        let [all, apart] = parts(&sample);
        assert_eq!(all, (60.1, 50.0));
        assert!((apart.0 - 100.0 * 400.0 / 799.0).abs() < 1e-9);
        assert!((apart.1 - 100.0 * 300.0 / 799.0).abs() < 1e-9);
        let longest = Stretch { instructions: 9, ..Stretch::default() };
        let path = "a.svg".into();
        let machine = Shared { mix: Mix::Same, guests: 2, most: sample, longest, picture: path };
        let json = report(&[machine]);
        assert_eq!(json["machines"][0]["all"]["shared_percent"], 60.1);
        assert_eq!(json["machines"][0]["zero_pages"], 201);
        let picture =
            svg(&over_time("same program", &[sample, SharingSample { at_ms: 500, ..sample }]))
                .unwrap();
        assert!(picture.contains("of these, zeros"));
    }
}
