//! One guest kernel on a machine, with a hypervisor below it or without, seen through its console
//! alone: for runs whose results on both are compared.

use super::{Capture, Outcome, with_script, words};
use crate::arch::Arch;
use crate::build::{read, write};
use crate::domains::{Planned, Request, Source};
use crate::images::Builder;
use crate::machine::{self, Ending, Event, Input, Wants};
use crate::modules::Module;
use crate::native::{self, NATIVE};
use crate::packages::MayInstall;
use crate::run::Prepare;
use crate::{process, qemu, rootfs, summary};
use anyhow::{Context, Result, anyhow};
use pv_wire::{Item, Kind, RunReport, Source as Speaker};
use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Memory of a machine beside its one domain's.
const REST: u64 = 64 << 20;

/// Milliseconds of the machine's time that a guest may run without a call: programs may compute.
const WATCHDOG_MS: u32 = 10_000;

/// How the guest kernel is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kernel {
    /// For the bare machine.
    Native,
    /// For the hypervisor.
    Paravirtual,
}

impl Kernel {
    /// Both.
    pub const ALL: [Kernel; 2] = [Kernel::Native, Kernel::Paravirtual];
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kernel::Native => "native",
            Kernel::Paravirtual => "paravirtual",
        })
    }
}

/// Who types at the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Typist<'a> {
    /// Nobody.
    Nobody,
    /// Who receives what the console shows.
    Receiver,
    /// The same, and this was typed before the kernel runs: before the machine is on, or where
    /// firmware opens the serial line and empties it, once that has said something.
    Early(&'a [u8]),
}

/// A machine with one guest kernel that runs programs.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// Its architecture.
    pub arch: Arch,
    /// How the kernel is built.
    pub kernel: Kernel,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// Bytes of memory of the kernel.
    pub memory: u64,
    /// Words of its command line, beside those that every such machine has.
    pub words: &'a str,
    /// Real time that it may take.
    pub limit: Duration,
}

impl Machine<'_> {
    /// Runs a script, and shows what the console says as it comes.
    ///
    /// # Errors
    /// What could not be had, or why the run was no good one. The script's status is none of it.
    pub fn script(&self, script: &[u8], mut show: impl FnMut(&[u8])) -> Result<Outcome> {
        let archive = with_script(read(&rootfs::archive(self.arch, self.may)?)?, script)?;
        let mut capture = Capture::default();
        let ran = self.run(archive, Typist::Nobody, |bytes| {
            show(bytes);
            capture.take(bytes);
            Wants::More
        })?;
        let outcome = capture.finish();
        if let Err(why) = ran
            && outcome.status.is_none_or(|status| status == 0)
        {
            return Err(anyhow!(
                "{why}; the console showed:\n{}",
                String::from_utf8_lossy(&outcome.said)
            ));
        }
        Ok(outcome)
    }

    /// Boots it with its first file system, and gives what the console shows to `receive`, until
    /// it ends; whether it ended well, or why not.
    ///
    /// # Errors
    /// What could not be had.
    pub fn run(
        &self,
        archive: Vec<u8>,
        typist: Typist<'_>,
        receive: impl FnMut(&[u8]) -> Wants,
    ) -> Result<Result<(), String>> {
        match self.kernel {
            Kernel::Native => self.native(archive, typist, receive),
            Kernel::Paravirtual => self.paravirtual(archive, typist, receive),
        }
    }

    fn native(
        &self,
        archive: Vec<u8>,
        typist: Typist<'_>,
        mut receive: impl FnMut(&[u8]) -> Wants,
    ) -> Result<Result<(), String>> {
        let qemu = qemu::find(self.arch, self.may)?;
        let kernel = Builder::new(self.arch, false, self.may)?.package(NATIVE)?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let file = folder.path().join("root.cpio");
        write(&file, &archive)?;
        let mut command = qemu::command(
            &qemu,
            self.arch,
            &qemu::Boot {
                hypervisor: &kernel,
                bundle: Some(&file),
                command_line: &words(self.words),
                memory: self.memory,
                disk: None,
                debugger: None,
                is_watched: false,
            },
        );
        let ending = self.boot(&mut command, typist, |item| match item {
            Item::Outside(bytes) => receive(bytes),
            Item::Message(message) => receive(&message.bytes),
        })?;
        Ok(native::verdict(self.arch, ending).map_err(|why| told(&why, &command)))
    }

    fn paravirtual(
        &self,
        archive: Vec<u8>,
        typist: Typist<'_>,
        mut receive: impl FnMut(&[u8]) -> Wants,
    ) -> Result<Result<(), String>> {
        let request = Request {
            memory: Some(self.memory),
            command_line: Some(words(self.words)),
            watchdog_ms: Some(WATCHDOG_MS),
            module: Some(Module::Bytes(archive)),
            ..Request::of(Source::BuiltIn)
        };
        let plan = Planned::from_requests(vec![request], Some(self.memory + REST))?;
        let prepare = Prepare { arch: self.arch, debug: false, may: self.may, plan: &plan };
        let ready = prepare.prepare()?;
        let focus = format!("focus={}", u16::from(typist != Typist::Nobody));
        let boot = qemu::Boot { command_line: &focus, ..ready.boot(&plan) };
        let mut command = qemu::command(&ready.qemu, self.arch, &boot);
        let mut report = RunReport::default();
        let ending = self.boot(&mut command, typist, |item| {
            if summary::collect(&mut report, item) {
                return Wants::NoMore;
            }
            match item {
                Item::Message(message)
                    if message.kind == Kind::Text && message.source == Speaker(1) =>
                {
                    receive(&message.bytes)
                }
                _ => Wants::More,
            }
        })?;
        let verdict = summary::verdict(&report, plan.domains.len(), ending);
        Ok(verdict.map_err(|why| told(&why, &command)))
    }

    fn boot(
        &self,
        command: &mut Command,
        typist: Typist<'_>,
        mut receive: impl FnMut(&Item) -> Wants,
    ) -> Result<Ending> {
        let mut input = Input::None;
        let mut keyboard = None;
        let mut early: &[u8] = &[];
        match typist {
            Typist::Nobody => drop(command.stdin(Stdio::null())),
            Typist::Receiver => input = Input::Receiver,
            Typist::Early(bytes) => {
                let (reader, mut writer) = std::io::pipe().context("cannot make a pipe")?;
                match self.arch {
                    Arch::X86_64 => writer.write_all(bytes).context("cannot type")?,
                    Arch::Riscv64 => early = bytes,
                }
                command.stdin(reader);
                keyboard = Some(writer);
            }
        }
        machine::boot(command, Some(self.limit), input, |event| {
            let Event::Said(item) = event else { return Wants::More };
            if let Some(keyboard) = &mut keyboard {
                // A machine that ends just now reads no more.
                let _ = keyboard.write_all(std::mem::take(&mut early));
            }
            match (receive(&item), &mut keyboard) {
                (Wants::Send(bytes), Some(keyboard)) => {
                    // A machine that ends just now reads no more.
                    let _ = keyboard.write_all(&bytes);
                    Wants::More
                }
                (wants, _) => wants,
            }
        })
    }
}

fn told(why: &str, command: &Command) -> String {
    format!("{why}: `{}`", process::show(command))
}
