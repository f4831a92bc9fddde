//! A machine of guests that each run a shell script, watched to its end.

use crate::arch::Arch;
use crate::domains::{Planned, Request, Source};
use crate::logs::{Level, Logs};
use crate::modules::Module;
use crate::packages::MayInstall;
use crate::run::{Prepare, watch};
use crate::screen::{Look, Screen};
use crate::{qemu, rootfs, summary};
use anyhow::{Context, Result, bail};
use pv_wire::{Item, Kind, RunReport};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a guest's script lies.
const FILE: &str = "etc/scene";

/// One guest.
pub struct Actor {
    /// Its name.
    pub name: String,
    /// Bytes that it starts with, has at most, and keeps in any case.
    pub memory: u64,
    pub max_memory: u64,
    pub min_memory: u64,
    /// Bytes that are left to it, if what it has beyond is taken by force.
    pub limit: Option<u64>,
    /// Its shares.
    pub shares: u32,
    /// Whether its memory is made of extents, as far as there are any.
    pub contiguous: bool,
    /// Words of its kernel's command line.
    pub words: String,
    /// Its version of busybox; 0 is the one that others have.
    pub version: u8,
    /// What its shell runs.
    pub script: String,
}

/// The machine.
pub struct Scene {
    pub arch: Arch,
    pub may: MayInstall,
    pub limit: Option<Duration>,
    /// Bytes of the machine's memory.
    pub memory: u64,
    /// Words of the hypervisor's command line.
    pub words: String,
    /// The sharing group of all guests; 0 is none.
    pub group: u8,
    /// Bytes of a disk for the pages that are taken by force and do not compress.
    pub swap_disk: Option<u64>,
    /// Groups whose pages are hashed with a key.
    pub keyed_groups: Vec<u8>,
    /// Whether the consoles are shown.
    pub shown: bool,
    /// Whether the hypervisor measures for how long it keeps the processor.
    pub stretches: bool,
    /// Debug images, which are audited after every so many entries from guests.
    pub audit: Option<u32>,
    pub actors: Vec<Actor>,
}

/// What came of it.
pub struct Played {
    pub report: RunReport,
    /// What each guest's console said, by identity.
    pub said: BTreeMap<u16, String>,
}

impl Scene {
    /// Boots the machine and watches it to its end.
    pub fn play(&self) -> Result<Played> {
        let mut requests = Vec::new();
        for actor in &self.actors {
            let script = (FILE.to_owned(), actor.script.as_bytes().to_vec());
            let module = Module::Bytes(rootfs::of_version(
                self.arch,
                self.may,
                actor.version,
                vec![script],
            )?);
            requests.push(Request {
                name: Some(actor.name.clone()),
                memory: Some(actor.memory),
                max_memory: Some(actor.max_memory),
                min_memory: Some(actor.min_memory),
                limit: actor.limit,
                shares: Some(actor.shares),
                contiguous: actor.contiguous,
                group: self.group,
                command_line: Some(format!("quiet {} init=/bin/sh /{FILE}", actor.words)),
                watchdog_ms: Some(60_000),
                module: Some(module),
                ..Request::of(Source::BuiltIn)
            });
        }
        let mut plan = Planned::from_requests(requests, Some(self.memory))?;
        plan.options.stretches = self.stretches;
        plan.hash_with_key(&self.keyed_groups).context("--keyed-group")?;
        plan.options.audit_period = self.audit.unwrap_or(plan.options.audit_period);
        let debug = self.audit.is_some();
        let ready = Prepare { arch: self.arch, debug, may: self.may, plan: &plan }.prepare()?;
        let words = format!("focus=0 {}", self.words);
        let disk = self.swap_disk.map(|bytes| ready.disk(bytes)).transpose()?;
        let boot = qemu::Boot { command_line: &words, disk: disk.as_deref(), ..ready.boot(&plan) };
        let mut command = qemu::command(&ready.qemu, self.arch, &boot);
        let names: Vec<String> = plan.domains.iter().map(|domain| domain.name.clone()).collect();
        let look = Look { level: Level::Info, plain: false, on_error_output: false };
        let logs = Logs::new(&ready.hypervisor, &ready.prepared.files);
        let mut screen = Screen::new(look, &names, logs);
        let mut said: BTreeMap<u16, String> = BTreeMap::new();
        let mut items = Vec::new();
        let show = |item: &Item| {
            if let Item::Message(message) = item
                && message.kind == Kind::Text
            {
                let text = said.entry(message.source.0).or_default();
                text.push_str(&String::from_utf8_lossy(&message.bytes));
            }
            if self.shown {
                screen.show(item);
            } else {
                items.push(item.clone());
            }
        };
        let (report, ending) = watch(&mut command, self.limit, show, |_| false)?;
        if let Err(why) = summary::verdict(&report, self.actors.len(), ending) {
            items.iter().for_each(|item| screen.show(item));
            screen.finish();
            bail!("{why}");
        }
        screen.finish();
        Ok(Played { report, said })
    }
}
