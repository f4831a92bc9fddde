//! `sharing`: guests that are clones of one another. Pages that are alike share a frame, and what
//! runs in the guests does not notice.

use super::scene::{Actor, Played, Scene};
use crate::arch::Arch;
use crate::experiment::picture::{Picture, Series, Style, svg};
use crate::packages::MayInstall;
use crate::{size, workspace};
use anyhow::{Context, Result, ensure};
use pv_wire::SharingSample;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Clones, and what each has.
const CLONES: u64 = 10;
const MEMORY: u64 = 16 * MIB;

/// Pages of each that are looked at in a second.
const RATE: u64 = 20_000;

/// Seconds that clones wait for the scanner, which goes over all pages twice before it merges any.
const WAIT: u64 = 10;

/// Parts of guests' memory, in per cent, that ESX's ten clones of one system shared and got back.
const ESX: (f64, f64) = (67.0, 60.0);

/// What a clone says at the end: what it has counted, and that a file is what it was.
const SAID: [&str; 3] = ["counted 200", "sorted", "same"];

/// What a clone does: before its pages are shared, and afterwards with the same files.
fn script(wait: u64) -> String {
    format!(
        "md5sum /bin/busybox > /tmp/before\n\
         ls -l /bin | sort > /tmp/list\n\
         i=0\n\
         while [ $i -lt 200 ]; do i=$((i+1)); done\n\
         echo counted $i\n\
         sleep {wait}\n\
         ls -l /bin | sort | cmp - /tmp/list && echo sorted\n\
         cat /bin/busybox > /tmp/copy\n\
         cmp /bin/busybox /tmp/copy && md5sum /bin/busybox | cmp - /tmp/before && echo same\n\
         sleep 1\n"
    )
}

/// So many clones, which wait so many seconds for the scanner.
pub fn clones(
    arch: Arch,
    may: MayInstall,
    count: u64,
    wait: u64,
    limit: Option<Duration>,
) -> Scene {
    let actors = (1..=count).map(|number| Actor {
        name: format!("clone-{number}"),
        memory: MEMORY,
        max_memory: MEMORY,
        min_memory: MEMORY,
        limit: None,
        shares: 100,
        words: String::new(),
        script: script(wait),
    });
    Scene {
        arch,
        may,
        limit,
        memory: count * MEMORY + 96 * MIB,
        words: format!("share={RATE}"),
        group: 1,
        shown: false,
        stretches: false,
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

/// Runs it, and draws.
pub fn run(arch: Arch, may: MayInstall, limit: Option<Duration>) -> Result<()> {
    let scene = clones(arch, may, CLONES, WAIT, limit);
    println!("{CLONES} clones of {} that share frames", size::show(MEMORY));
    let played = scene.play()?;
    let most = most(&played)?;
    let [with_zeros, without] = parts(&most);
    println!("all said what they had to");
    println!("                        shared   reclaimed");
    for (what, (shared, reclaimed)) in
        [("of all pages", with_zeros), ("zero pages apart", without), ("ESX, ten clones", ESX)]
    {
        println!("  {what:<20} {shared:>7.1} %  {reclaimed:>8.1} %");
    }
    println!(
        "  {} pages, {} of them share {} frames, {} of them zeros; {} frames saved",
        most.all,
        most.pages,
        most.frames,
        most.zero,
        saved(&most)
    );
    if let Some(done) = &played.report.sharing {
        println!(
            "  {} merged, {} broken up, {} differed, {} could not move, {} without room; {} pages scanned in {} passes, {} of them changing",
            done.merged,
            done.broken,
            done.differed,
            done.unmovable,
            done.no_room,
            done.scanned,
            done.passes,
            done.volatile
        );
    }
    let path = workspace::target_folder("demo/sharing")?.join("sharing.svg");
    std::fs::write(&path, svg(&picture(&played.report.shared))?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("picture: {}", path.display());
    Ok(())
}

/// What is shared over time.
fn picture(samples: &[SharingSample]) -> Picture {
    let series = |name: &str, value: fn(&SharingSample) -> u64| Series {
        name: name.into(),
        points: samples
            .iter()
            .map(|sample| (sample.at_ms as f64 / 1000.0, value(sample) as f64 / 256.0))
            .collect(),
    };
    Picture {
        title: "pages of clones that share frames".into(),
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
        let picture = svg(&picture(&[sample, SharingSample { at_ms: 500, ..sample }])).unwrap();
        assert!(picture.contains("of these, zeros"));
    }
}
