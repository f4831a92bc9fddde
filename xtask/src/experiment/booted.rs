//! What experiments that boot machines have in common.

use super::outcome::Figure;
use crate::arch::Arch;
use crate::demo::scene::{Actor, Played, Scene};
use crate::packages::MayInstall;
use anyhow::{Context, Result};
use pv_wire::{DomainReport, MemorySample};
use std::time::Duration;

pub const MIB: u64 = 1 << 20;

/// Real time that one machine may take.
const LIMIT: Duration = Duration::from_secs(900);

/// A guest of so many bytes, which may have as many as `max_memory`, with that script.
pub fn actor(name: &str, memory: u64, max_memory: u64, script: &str) -> Actor {
    Actor {
        name: name.into(),
        memory,
        max_memory,
        min_memory: memory / 2,
        limit: None,
        shares: 100,
        contiguous: false,
        words: String::new(),
        version: 0,
        script: script.into(),
    }
}

/// Where an experiment boots its machines.
#[derive(Clone, Copy)]
pub struct Booting {
    /// Their architecture.
    pub arch: Arch,
    /// Whether what is missing may be installed.
    pub may: MayInstall,
}

impl Booting {
    /// Boots such a [`machine`](Self::machine).
    pub fn play(self, memory: u64, words: &str, actors: Vec<Actor>) -> Result<Played> {
        self.machine(memory, words, actors).play()
    }

    /// A machine of so many bytes with these guests; `words` are for the hypervisor.
    pub fn machine(self, memory: u64, words: &str, actors: Vec<Actor>) -> Scene {
        Scene {
            arch: self.arch,
            may: self.may,
            limit: Some(LIMIT),
            memory,
            words: words.into(),
            group: 0,
            swap_disk: None,
            keyed_groups: Vec::new(),
            shown: false,
            stretches: false,
            audit: None,
            actors,
        }
    }
}

/// What was reported of the domain of that name.
pub fn domain<'a>(played: &'a Played, name: &str) -> Result<&'a DomainReport> {
    let found = played.report.domains.iter().find(|domain| domain.name == name);
    found.with_context(|| format!("nothing was reported of {name}"))
}

/// What the console of a domain said.
pub fn said(played: &Played, id: u16) -> &str {
    played.said.get(&id).map_or("", String::as_str)
}

/// Memory of one domain over time, as seconds and MiB.
pub fn owned(samples: &[MemorySample], id: u16) -> Vec<(f64, f64)> {
    let of = samples.iter().filter(|sample| sample.id == id);
    of.map(|sample| (sample.at_ms as f64 / 1000.0, sample.owned as f64 / 256.0)).collect()
}

/// A figure that has to hold.
pub fn figure(what: &str, reference: &str, ours: String, holds: bool) -> Figure {
    Figure { what: what.into(), reference: reference.into(), ours, holds: Some(holds) }
}

/// Shell words that touch so many MiB, in processes of 8 MiB each that hold them for so many
/// seconds; `wait` waits for them.
pub fn touch(mib: u64, seconds: u64) -> String {
    format!(
        "i=0\nwhile [ $i -lt {} ]; do\n\
           dd if=/dev/zero bs=8M count=1 2>/dev/null | sleep {seconds} &\n\
           i=$((i+1))\n\
         done\n",
        mib / 8
    )
}

/// Work of a shell: files are written, read, sorted, compared and removed, by processes.
pub fn work(rounds: u64) -> String {
    format!(
        "mkdir -p /tmp\n\
         i=0\n\
         while [ $i -lt {rounds} ]; do\n\
           head -c 60000 /bin/busybox >/tmp/a\n\
           seq 400 | sort -n -r | sed 's/1/one/' >/tmp/b\n\
           cat /tmp/a /tmp/b | md5sum >/tmp/c\n\
           grep -c one /tmp/b >/dev/null\n\
           cmp /tmp/a /tmp/a\n\
           rm /tmp/a /tmp/b /tmp/c\n\
           i=$((i+1))\n\
         done\n\
         echo 'work done'\n"
    )
}
