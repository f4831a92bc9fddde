//! `cargo xtask run --native`: the guest kernel on the bare machine, without a hypervisor.

use crate::arch::Arch;
use crate::build::{read, write};
use crate::images::Builder;
use crate::logs::{Level, Logs};
use crate::machine::{self, Ending, Event, Input, Wants};
use crate::packages::MayInstall;
use crate::screen::{Look, Screen};
use crate::script::{self, Capture, Ended};
use crate::windows::{self, Line};
use crate::{process, qemu, rootfs};
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use pv_wire::Item;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The native kernel's package.
pub const NATIVE: &str = "native-kernel";

/// Bytes of memory of the machine, unless told otherwise.
const MEMORY: u64 = 512 << 20;

/// QEMU's exit status after a run that ended well, on x86-64: what `isa-debug-exit` makes of it.
const X86_64_WELL: i32 = 33;

/// Options of `run` that are for the native kernel.
#[derive(Args)]
pub struct Options {
    /// No hypervisor: our guest kernel alone, on the bare machine.
    #[arg(long, conflicts_with_all = [
        "guest", "manifest", "guests", "audit", "gdb", "focus", "trace", "keep",
    ])]
    pub native: bool,
    /// With --native: the kernel's command line.
    #[arg(long, value_name = "TEXT", requires = "native", default_value = "")]
    pub cmdline: String,
    /// With --native: a file that the kernel gets as its first file system.
    #[arg(long, value_name = "FILE", requires = "native")]
    pub module: Option<PathBuf>,
}

/// A native machine that is to run.
pub struct Native<'a> {
    /// Its architecture.
    pub arch: Arch,
    /// Whether the image is a debug image.
    pub debug: bool,
    /// Whether missing things may be installed.
    pub may: MayInstall,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// The kernel's command line, and its file.
    pub options: &'a Options,
    /// Real time that it may take.
    pub limit: Option<Duration>,
}

impl Native<'_> {
    /// Builds and boots it; `show` gets what it says as it comes.
    ///
    /// # Errors
    /// What could not be had, or how the run ended if it did not end well.
    pub fn run(&self, mut show: impl FnMut(&[u8])) -> Result<()> {
        let mut command = self.command(false)?;
        command.stdin(Stdio::null());
        let ending = machine::boot(&mut command, self.limit, Input::None, |event| {
            match event {
                Event::Said(Item::Outside(bytes)) => show(&bytes),
                Event::Said(Item::Message(message)) => show(&message.bytes),
                Event::Typed(_) => {}
            }
            Wants::More
        })?;
        self.verdict(&command, ending)
    }

    /// The command that boots it.
    pub fn command(&self, is_watched: bool) -> Result<Command> {
        if let Some(module) = &self.options.module
            && !module.is_file()
        {
            bail!("--module {}: there is no such file", module.display());
        }
        let qemu = qemu::find(self.arch, self.may)?;
        let kernel = Builder::new(self.arch, self.debug, self.may)?.package(NATIVE)?;
        let boot = qemu::Boot {
            hypervisor: &kernel,
            bundle: self.options.module.as_deref(),
            command_line: &self.options.cmdline,
            memory: self.memory.unwrap_or(MEMORY),
            disk: None,
            debugger: None,
            is_watched,
        };
        Ok(qemu::command(&qemu, self.arch, &boot))
    }

    /// Whether a run was a good one.
    fn verdict(&self, command: &Command, ending: Ending) -> Result<()> {
        verdict(self.arch, ending).map_err(|why| anyhow!("{why}: `{}`", process::show(command)))
    }

    /// As [`run`](Self::run), on this terminal.
    pub fn run_here(&self) -> Result<()> {
        let mut output = std::io::stdout();
        let mut written = Ok(());
        self.run(|bytes| {
            if written.is_ok() {
                written = output.write_all(bytes).and_then(|()| output.flush());
            }
        })?;
        written.context("cannot write to the output")
    }

    /// Builds and boots it with a script in its file system, and ends as the script does.
    pub fn run_script(&self, script: &[u8], json: bool) -> Result<()> {
        let module = match &self.options.module {
            Some(module) => module.clone(),
            None => rootfs::archive(self.arch, self.may)?,
        };
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let file = folder.path().join("root.cpio");
        write(&file, &script::with_script(read(&module)?, script)?)?;
        let options = Options {
            native: true,
            cmdline: script::words(&self.options.cmdline),
            module: Some(file),
        };
        let mut capture = Capture::default();
        let ran = Native { options: &options, ..*self }.run(|bytes| capture.take(bytes));
        let ended = Ended(vec![("native".to_owned(), capture.finish())]);
        if json {
            println!("{:#}", json!({ "arch": self.arch.name(), "scripts": ended.json() }));
        } else {
            ended.show()?;
        }
        match (ended.bad_status(), ended.unfinished()) {
            (Some(status), _) => Err(status.into()),
            (None, Some(unfinished)) => ran.context(unfinished),
            (None, None) => ran,
        }
    }

    /// Builds and boots it for somebody who types, until it ends or is left.
    pub fn run_in_a_window(&self) -> Result<()> {
        let mut command = self.command(true)?;
        let look = Look { level: Level::Info, plain: false, on_error_output: false };
        let names = ["native".to_owned()];
        let screen = |out, look| Screen::to(out, true, look, &names, Logs::default());
        let (_, ending) = windows::session(&mut command, Line::Plain, &names, look, screen)?;
        self.verdict(&command, ending)
    }
}

/// Whether a run of the native kernel was a good one, or why not.
pub fn verdict(arch: Arch, ending: Ending) -> Result<(), String> {
    match ending {
        Ending::Exited(status) if ended_well(arch, status.code()) => Ok(()),
        Ending::Left => Ok(()),
        Ending::Exited(status) => Err(format!("the kernel ended badly ({status})")),
        Ending::TimedOut | Ending::Lingered => {
            Err("the kernel did not end in time, --timeout gives it more".into())
        }
    }
}

fn ended_well(arch: Arch, code: Option<i32>) -> bool {
    match arch {
        Arch::X86_64 => code == Some(X86_64_WELL),
        Arch::Riscv64 => code == Some(0),
    }
}
