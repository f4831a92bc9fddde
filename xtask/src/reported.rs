//! Two domains of one package, the one that reports and its peer: what the conformance
//! suite and the measurements run as.

use crate::arch::Arch;
use crate::domains::{Plan, Planned, Request, Source};
use crate::logs::{Level, Logs};
use crate::packages::MayInstall;
use crate::run::{Prepare, watch};
use crate::screen::{Look, Screen};
use crate::{qemu, summary};
use anyhow::Result;
use pv_wire::{Item, Kind, RunReport, Source as Speaker};
use std::collections::VecDeque;
use std::time::Duration;

/// Pieces of the guests' text that are shown when a run ends badly.
const TEXT_KEPT: usize = 60;

/// A pair, not yet booted.
pub struct Pair<'a> {
    /// The machine's architecture.
    pub arch: Arch,
    /// Whether images are debug images.
    pub debug: bool,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// The package of the image.
    pub package: &'static str,
    /// The role of the first domain, which is its name too; the other's is `peer`.
    pub role: &'static str,
    /// More words for the first domain's command line.
    pub words: &'a str,
    /// Whether the hypervisor measures for how long it keeps the processor.
    pub stretches: bool,
    /// Real time that it may take.
    pub limit: Duration,
}

impl Pair<'_> {
    /// Boots the pair and hands over the bytes that the first domain reports. Returns the
    /// hypervisor's report, or why the run is not a good one, in one sentence. What the guests
    /// print is shown only then.
    pub fn run(&self, mut report: impl FnMut(&[u8])) -> Result<Result<RunReport, String>> {
        let mut plan = self.plan()?;
        plan.options.stretches = self.stretches;
        let prepare = Prepare { arch: self.arch, debug: self.debug, may: self.may, plan: &plan };
        let ready = prepare.prepare()?;
        let mut command = qemu::command(&ready.qemu, self.arch, &ready.boot(&plan));
        let names: Vec<String> = plan.domains.iter().map(|domain| domain.name.clone()).collect();
        let look = Look { level: Level::Info, plain: false, on_error_output: true };
        let logs = Logs::new(&ready.hypervisor, &ready.prepared.files);
        let mut screen = Screen::new(look, &names, logs);
        let mut kept: VecDeque<Item> = VecDeque::new();
        let show = |item: &Item| match item {
            Item::Message(message) if message.kind == Kind::GuestReport => {
                if message.source == Speaker(1) {
                    report(&message.bytes);
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

    fn plan(&self) -> Result<Plan> {
        let domain = |name: &str, command_line: String| Request {
            name: Some(name.into()),
            memory: Some(32 << 20),
            max_memory: Some(64 << 20),
            command_line: Some(command_line),
            watchdog_ms: Some(10_000),
            ..Request::of(Source::Package(self.package))
        };
        let words = format!("role={} peer=2 {}", self.role, self.words);
        let domains = vec![
            domain(self.role, words.trim_end().to_owned()),
            domain("peer", "role=peer peer=1".into()),
        ];
        Planned::from_requests(domains, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_knows_its_role_and_the_other() {
        let pair = Pair {
            arch: Arch::X86_64,
            debug: false,
            may: MayInstall(false),
            package: "conformance-guest",
            role: "tester",
            words: "filter=pt_pin",
            stretches: false,
            limit: Duration::from_secs(1),
        };
        let plan = pair.plan().expect("fits");
        assert_eq!(plan.domains[0].command_line, "role=tester peer=2 filter=pt_pin");
        assert_eq!(plan.domains[1].command_line, "role=peer peer=1");
        let alone = Pair { words: "", ..pair }.plan().expect("fits");
        assert_eq!(alone.domains[0].command_line, "role=tester peer=2");
    }
}
