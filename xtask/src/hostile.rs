//! `cargo xtask hostile`: a guest that makes random calls and runs random code, in one machine
//! with two that do honest work and check it.

use crate::arch::Arch;
use crate::domains::{Plan, Planned, Request, Source};
use crate::images::HOSTILE;
use crate::machine::Ending;
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::run::{Prepare, watch};
use crate::{qemu, summary};
use anyhow::{Result, bail};
use clap::Args;
use hypercall_abi::PAGE_SIZE;
use pv_wire::{Item, Kind, RunReport};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Names of the domains, in their order.
const NAMES: [&str; 3] = ["honest", "partner", "hostile"];

/// Milliseconds of a slice: short, so that the three meet each other often.
const SLICE_MS: u32 = 1;

/// How the hypervisor divides memory meanwhile, so that lies of the hostile guest are heard.
const POLICY: &str = "policy=idle-tax:75 round=50";

/// Bytes of text that are kept of a domain: its last words.
const TEXT_KEPT: usize = 2000;

/// Boot a guest that makes random calls and runs random code beside two honest ones.
#[derive(Args)]
pub struct Hostile {
    /// Calls that it makes, batches counted as one.
    #[arg(long, value_name = "N", default_value = "300000")]
    calls: u64,
    /// What they are drawn from.
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Architecture of the machine; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Debug images: assertions, and the audit after what guests do. Slow.
    #[arg(long)]
    debug: bool,
    /// With --debug: run the audit after every N-th entry from a guest, 0: never.
    #[arg(long, value_name = "N", requires = "debug", default_value = "100")]
    audit: u32,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
    /// Seconds of real time after which a run has failed.
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    timeout: u64,
}

/// One run.
pub struct Siege {
    /// The machine's architecture.
    pub arch: Arch,
    /// Calls of the hostile guest.
    pub calls: u64,
    /// What they are drawn from.
    pub seed: u64,
    /// Entries between two audits of debug images; `None` for release images.
    pub audit: Option<u32>,
    /// Real time that it may take.
    pub limit: Duration,
}

/// What a run came to.
pub struct Held {
    calls: u64,
    refused: u64,
    traps: u64,
    said: Vec<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { calls, refused, traps, said } = self;
        write!(f, "{calls} calls, elements of batches included, {refused} refused, {traps} traps")?;
        said.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Hostile {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let may = MayInstall(!self.no_install);
        for arch in Arch::chosen(self.arch) {
            let progress = Progress::new(&format!("hostile guest, {arch}, seed {}", self.seed));
            let siege = Siege {
                arch,
                calls: self.calls,
                seed: self.seed,
                audit: self.debug.then_some(self.audit),
                limit: Duration::from_secs(self.timeout),
            };
            match siege.run(may) {
                Ok(held) => progress.done(&held.to_string()),
                Err(error) => {
                    progress.done("FAILED");
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Siege {
    /// Boots the three. An error unless all of them ended well and every frame came back.
    pub fn run(&self, may: MayInstall) -> Result<Held> {
        let plan = self.plan()?;
        let debug = self.audit.is_some();
        let ready = Prepare { arch: self.arch, debug, may, plan: &plan }.prepare()?;
        let boot = qemu::Boot { command_line: POLICY, ..ready.boot(&plan) };
        let mut command = qemu::command(&ready.qemu, self.arch, &boot);
        let mut texts = Texts::default();
        // The hostile one goes on for as long as it likes; the honest ones must not end first.
        let honest_failed = |domains: &[pv_wire::DomainReport]| {
            domains.iter().any(|domain| !domain.ok && domain.name != NAMES[2])
        };
        let (report, ending) =
            watch(&mut command, Some(self.limit), |item| texts.add(item), honest_failed)?;
        self.verdict(&plan, &report, ending, &texts)
    }

    fn plan(&self) -> Result<Plan> {
        let domain = |name: &str, memory: u64, words: String| Request {
            name: Some(name.into()),
            memory: Some(memory << 20),
            max_memory: Some((memory + 1) << 20),
            command_line: Some(words),
            watchdog_ms: Some(10_000),
            ..Request::of(Source::Package(HOSTILE))
        };
        let (calls, seed) = (self.calls, self.seed);
        let words = format!("role=hostile peer=1 calls={calls} seed={seed}");
        let domains = vec![
            domain(NAMES[0], 4, "role=honest peer=2 hostile=3".into()),
            domain(NAMES[1], 4, "role=partner peer=1".into()),
            domain(NAMES[2], 4, words),
        ];
        let mut plan = Planned::from_requests(domains, Some(128 << 20))?;
        plan.options.slice_ms = SLICE_MS;
        plan.options.audit_period = self.audit.unwrap_or(0);
        Ok(plan)
    }

    fn verdict(
        &self,
        plan: &Plan,
        report: &RunReport,
        ending: Ending,
        texts: &Texts,
    ) -> Result<Held> {
        if let Err(why) = summary::verdict(report, NAMES.len(), ending) {
            let arch = self.arch;
            bail!(
                "{why}\n{}again: cargo xtask hostile --arch {arch} --seed {} --calls {}",
                texts.last_words(),
                self.seed,
                self.calls
            );
        }
        // What the hostile one says of itself takes from no other what was promised.
        for sample in &report.memory {
            let promised = plan.domains.get(usize::from(sample.id).wrapping_sub(1));
            let promised = promised.map_or(0, |domain| domain.min_memory / PAGE_SIZE);
            if sample.target < promised {
                bail!(
                    "domain {} was to have {} frames after {} ms; it was promised {promised}",
                    sample.id,
                    sample.target,
                    sample.at_ms
                );
            }
        }
        if report.memory.is_empty() {
            bail!("the hypervisor did not divide memory: nobody heard the lies");
        }
        let hostile = report.domains.iter().find(|domain| domain.name == NAMES[2]);
        let Some(hostile) = hostile else { bail!("the report has no domain {}", NAMES[2]) };
        let calls = hostile.calls.iter().sum::<u64>() + hostile.unknown_calls;
        if calls < self.calls {
            bail!("the hostile guest made {calls} calls, not {}", self.calls);
        }
        Ok(Held {
            calls,
            refused: hostile.refusals.iter().skip(1).sum(),
            traps: hostile.traps,
            said: texts.last_lines(),
        })
    }
}

/// The ends of what the domains print.
#[derive(Default)]
struct Texts(BTreeMap<u16, String>);

impl Texts {
    fn add(&mut self, item: &Item) {
        let Item::Message(message) = item else { return };
        if message.kind == Kind::Text {
            let text = self.0.entry(message.source.0).or_default();
            text.extend(String::from_utf8_lossy(&message.bytes).chars().filter(|character| {
                // The hostile guest prints anything.
                *character == '\n' || !character.is_control()
            }));
            let beyond = text.len().saturating_sub(TEXT_KEPT);
            let cut = (beyond..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.drain(..cut);
        }
    }

    fn name(id: u16) -> &'static str {
        id.checked_sub(1).and_then(|at| NAMES.get(usize::from(at))).unwrap_or(&"hypervisor")
    }

    fn last_words(&self) -> String {
        self.0
            .iter()
            .map(|(id, text)| format!("{} said last:\n{text}\n", Self::name(*id)))
            .collect()
    }

    fn last_lines(&self) -> Vec<String> {
        let line = |(id, text): (&u16, &String)| {
            Some(format!("{}: {}", Self::name(*id), text.lines().last()?))
        };
        self.0.iter().filter(|(id, _)| **id != 0).filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pv_wire::{OwnedMessage, Source as Speaker};

    #[test]
    fn each_knows_its_role_and_the_others() {
        let limit = Duration::from_secs(1);
        let siege = Siege { arch: Arch::X86_64, calls: 7, seed: 9, audit: None, limit };
        let plan = siege.plan().expect("fits");
        assert_eq!(plan.domains[0].command_line, "role=honest peer=2 hostile=3");
        assert_eq!(plan.domains[2].command_line, "role=hostile peer=1 calls=7 seed=9");
        assert_eq!(plan.options.slice_ms, SLICE_MS);
    }

    #[test]
    fn the_end_of_any_text_is_kept() {
        let mut texts = Texts::default();
        for bytes in ["\u{2}é".repeat(3000).as_bytes(), b"\xff\xfe\nlast", b" words\n"] {
            let (source, kind) = (Speaker(3), Kind::Text);
            let message = OwnedMessage { source, kind, bytes: bytes.to_vec() };
            texts.add(&Item::Message(message));
        }
        assert!(texts.0[&3].len() <= TEXT_KEPT);
        assert_eq!(texts.last_lines(), ["hostile: last words"]);
    }
}
