//! `cargo xtask run --script`: which guests get a script, and how the run ends.

use super::{Capture, Outcome, ScriptOption, with_script, words};
use crate::domains::{Plan, Request, Source};
use crate::modules::Module;
use anyhow::{Context, Result, bail};
use pv_wire::{Item, Kind, Source as Speaker};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

/// The scripts of a run, by domain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scripts(BTreeMap<usize, Vec<u8>>);

impl Scripts {
    /// Reads them.
    pub fn read(options: &[ScriptOption]) -> Result<Scripts> {
        let mut scripts = BTreeMap::new();
        for option in options {
            if scripts.insert(option.domain, option.read()?).is_some() {
                bail!("domain {} has two scripts: give it one", option.domain);
            }
        }
        Ok(Scripts(scripts))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The domains that a run needs for them.
    pub fn domains(&self) -> usize {
        self.0.keys().next_back().copied().unwrap_or(0)
    }

    /// The script of a machine that has one kernel and no hypervisor.
    pub fn only(&self) -> Result<Option<&[u8]>> {
        if self.domains() > 1 {
            bail!("--script {}:FILE: with --native there is one kernel", self.domains());
        }
        Ok(self.0.get(&1).map(Vec::as_slice))
    }

    /// Asks that guests of our kernel run programs, and nothing else; neighbours are no partners.
    pub fn prepare_requests(&self, requests: &mut [Request]) {
        for (index, request) in requests.iter_mut().enumerate() {
            if !self.0.is_empty() && request.source == Source::BuiltIn {
                request.command_line.get_or_insert_default();
            }
            if self.0.contains_key(&(index + 1)) {
                request.module.get_or_insert(Module::RootFileSystem);
                let line = request.command_line.take().unwrap_or_default();
                request.command_line = Some(words(&line));
            }
        }
    }

    /// Puts them into the file systems of their domains, which have been built.
    pub fn add_to(&self, plan: &mut Plan) -> Result<()> {
        for (number, script) in &self.0 {
            let count = plan.domains.len();
            let domain = plan.domains.get_mut(number - 1).with_context(|| {
                format!("--script {number}:FILE: the machine has {count} domains")
            })?;
            let module = domain.module.take().with_context(|| {
                format!(
                    "domain {number} ({}) has no file system for its script: give it module=rootfs",
                    domain.name
                )
            })?;
            let archive = with_script(module.read(&domain.name)?, script)?;
            domain.module = Some(Module::Bytes(archive));
        }
        Ok(())
    }

    /// What their guests' consoles show is kept from here on.
    pub fn listen(&self) -> Listening {
        Listening(self.0.keys().map(|domain| (*domain, Capture::default())).collect())
    }
}

/// Scripts that run.
pub struct Listening(BTreeMap<usize, Capture>);

impl Listening {
    /// Takes what the machine says, if it is of a guest with a script.
    pub fn take(&mut self, item: &Item) -> bool {
        let Item::Message(message) = item else { return false };
        let Speaker(number) = message.source;
        match self.0.get_mut(&usize::from(number)) {
            Some(capture) if message.kind == Kind::Text => {
                capture.take(&message.bytes);
                true
            }
            _ => false,
        }
    }

    /// What came of them, with the names of the domains.
    pub fn finish(self, names: &[String]) -> Ended {
        let label = |domain: usize| match names.get(domain - 1) {
            Some(name) => format!("{domain} {name}"),
            None => domain.to_string(),
        };
        Ended(self.0.into_iter().map(|(domain, found)| (label(domain), found.finish())).collect())
    }
}

/// Scripts that have run, each with what says whose it was.
pub struct Ended(pub Vec<(String, Outcome)>);

impl Ended {
    /// Writes what they printed: as it is if there is one, else by lines with who printed them.
    pub fn show(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let mut show = || {
            if let [(_, outcome)] = self.0.as_slice() {
                out.write_all(&outcome.output)?;
            } else {
                for (label, outcome) in &self.0 {
                    for line in String::from_utf8_lossy(&outcome.output).lines() {
                        writeln!(out, "[{label}] {line}")?;
                    }
                }
            }
            out.flush()
        };
        show().context("cannot write to the output")
    }

    /// For programs that read it.
    pub fn json(&self) -> Value {
        let scripts = self.0.iter().map(|(label, outcome)| {
            let mut script = outcome.json();
            script["guest"] = json!(label);
            script
        });
        scripts.collect()
    }

    /// How the run is to end, if a script did not end with 0: as the first of those. None if
    /// one of them did not end at all.
    pub fn bad_status(&self) -> Option<BadStatus> {
        self.unfinished().is_none().then_some(())?;
        let mut bad: Vec<(&str, u8)> = Vec::new();
        for (label, outcome) in &self.0 {
            bad.extend(
                outcome.status.filter(|status| *status != 0).map(|status| (label.as_str(), status)),
            );
        }
        let (_, status) = *bad.first()?;
        let lines = bad.iter().map(|(label, status)| {
            format!("the script of guest {label} ended with status {status}")
        });
        Some(BadStatus { status, text: lines.collect::<Vec<_>>().join("; ") })
    }

    /// The end of the console of a guest whose script did not end.
    pub fn unfinished(&self) -> Option<String> {
        let (label, outcome) = self.0.iter().find(|(_, outcome)| outcome.status.is_none())?;
        let said = String::from_utf8_lossy(&outcome.said);
        Some(format!("the script of guest {label} did not end; its console showed:\n{said}"))
    }
}

/// That a script ended with another status than 0: the whole program ends with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadStatus {
    /// The status.
    pub status: u8,
    text: String,
}

impl fmt::Display for BadStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for BadStatus {}

#[cfg(test)]
mod tests {
    use super::*;
    use pv_wire::OwnedMessage;

    fn scripts(domains: &[usize]) -> Scripts {
        Scripts(domains.iter().map(|domain| (*domain, b"true".to_vec())).collect())
    }

    #[test]
    fn guests_with_a_script_run_programs_only() {
        let mut requests = vec![Request::of(Source::BuiltIn); 3];
        requests[2].command_line = Some("swap=64".into());
        scripts(&[1, 3]).prepare_requests(&mut requests);
        let line = |index: usize| requests[index].command_line.clone().expect("a line");
        assert!(line(0).starts_with("quiet time="));
        assert_eq!((line(1).as_str(), &requests[1].module), ("", &None));
        assert!(line(2).starts_with("quiet ") && line(2).ends_with(" swap=64"));
        assert_eq!(requests[2].module, Some(Module::RootFileSystem));
        let mut requests = vec![Request::of(Source::BuiltIn)];
        scripts(&[]).prepare_requests(&mut requests);
        assert_eq!(requests, [Request::of(Source::BuiltIn)]);
    }

    #[test]
    fn each_guest_s_console_is_kept() {
        let says = |source, kind, text: &str| {
            let bytes = text.as_bytes().to_vec();
            Item::Message(OwnedMessage { source: Speaker(source), kind, bytes })
        };
        let mut listening = scripts(&[1, 2]).listen();
        assert!(listening.take(&says(2, Kind::Text, "[the script begins]\nhello\n")));
        assert!(listening.take(&says(1, Kind::Text, "other\n")));
        assert!(!listening.take(&says(2, Kind::Log, "x")));
        assert!(!listening.take(&says(3, Kind::Text, "x")));
        listening.take(&says(2, Kind::Text, "\n[the script ended: 4]\n"));
        listening.take(&says(2, Kind::Text, "kernel: the first process ended with status 4\n"));
        let names = ["a".to_owned(), "b".to_owned()];
        let mut ended = listening.finish(&names);
        assert!(ended.unfinished().expect("one").contains("guest 1 a did not end"));
        assert_eq!(ended.bad_status(), None);
        ended.0.remove(0);
        let bad = ended.bad_status().expect("bad");
        assert_eq!(bad.status, 4);
        assert_eq!(bad.to_string(), "the script of guest 2 b ended with status 4");
        let json = json!([{ "guest": "2 b", "status": 4, "output": "hello\n" }]);
        assert_eq!(ended.json(), json);
    }

    #[test]
    fn a_script_needs_a_domain_and_a_file_system() {
        let plan =
            || crate::domains::Planned::from_requests(vec![Request::of(Source::BuiltIn)], None);
        let error = |domain| {
            let mut plan = plan().expect("fits");
            scripts(&[domain]).add_to(&mut plan).expect_err("refused").to_string()
        };
        assert!(error(1).contains("module=rootfs"), "{}", error(1));
        assert!(error(2).contains("has 1 domains"), "{}", error(2));
        assert!(scripts(&[2]).only().is_err());
        assert_eq!(scripts(&[1]).only().expect("one"), Some(&b"true"[..]));
    }
}
