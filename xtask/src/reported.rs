//! Runs of which one domain reports, the first: the conformance suite and the measurements.

use crate::arch::Arch;
use crate::domains::{Planned, Request, Source};
use crate::logs::{Level, Logs};
use crate::packages::MayInstall;
use crate::run::{Prepare, watch};
use crate::screen::{Look, Screen};
use crate::{qemu, summary};
use anyhow::{Context, Result};
use pv_wire::{Item, Kind, RunReport, Source as Speaker};
use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

/// Pieces of the guests' text that are shown when a run ends badly.
const TEXT_KEPT: usize = 60;

/// A machine of which the first domain reports, not yet booted.
pub struct Reported {
    /// The machine's architecture.
    pub arch: Arch,
    /// Whether images are debug images.
    pub debug: bool,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// The domains; the first is the one whose report is wanted.
    pub domains: Vec<Request>,
    /// Bytes of the machine's memory, if it is not to be as much as usual.
    pub memory: Option<u64>,
    /// Whether the hypervisor measures for how long it keeps the processor.
    pub stretches: bool,
    /// Whether pages of the domains may share frames, and be kept in spare memory.
    pub sharing: bool,
    /// Real time that it may take.
    pub limit: Duration,
}

/// A domain of an image, with its name, its memory and its command line.
pub fn domain(source: Source, name: &str, memory: u64, command_line: String) -> Request {
    Request {
        name: Some(name.into()),
        memory: Some(memory),
        command_line: Some(command_line),
        watchdog_ms: Some(10_000),
        ..Request::of(source)
    }
}

impl Reported {
    /// Boots the machine and hands over the bytes that the first domain reports; what comes
    /// back is typed into its console. Returns the hypervisor's report, or why the run is not a
    /// good one, in one sentence. What the guests print is shown only then.
    pub fn run(
        self,
        mut report: impl FnMut(&[u8]) -> Vec<u8>,
    ) -> Result<Result<RunReport, String>> {
        let mut plan = Planned::from_requests(self.domains, self.memory)?;
        plan.options.stretches = self.stretches;
        let prepare = Prepare { arch: self.arch, debug: self.debug, may: self.may, plan: &plan };
        let ready = prepare.prepare()?;
        let mut boot = ready.boot(&plan);
        if self.sharing {
            boot.command_line = "focus=1 share=20000 spare=4194304";
        }
        let mut command = qemu::command(&ready.qemu, self.arch, &boot);
        let names: Vec<String> = plan.domains.iter().map(|domain| domain.name.clone()).collect();
        let look = Look { level: Level::Info, plain: false, on_error_output: true };
        let logs = Logs::new(&ready.hypervisor, &ready.prepared.files);
        let mut screen = Screen::new(look, &names, logs);
        let (keyboard, mut typist) = std::io::pipe().context("cannot make a pipe")?;
        command.stdin(keyboard);
        let mut kept: VecDeque<Item> = VecDeque::new();
        let show = |item: &Item| match item {
            Item::Message(message) if message.kind == Kind::GuestReport => {
                if message.source == Speaker(1) {
                    let typed = report(&message.bytes);
                    // A machine that has ended takes nothing more; how it ended is told below.
                    let _ = typist.write_all(&typed);
                }
            }
            item => {
                kept.push_back(item.clone());
                if kept.len() > TEXT_KEPT {
                    kept.pop_front();
                }
            }
        };
        // The peer of a domain that has failed would wait for it for ever.
        let failed = |domains: &[pv_wire::DomainReport]| domains.iter().any(|domain| !domain.ok);
        let (report, ending) = watch(&mut command, Some(self.limit), show, failed)?;
        let verdict = summary::verdict(&report, plan.domains.len(), ending);
        if verdict.is_err() {
            kept.iter().for_each(|item| screen.show(item));
            screen.finish();
        }
        Ok(verdict.map(|()| report))
    }
}
