//! The hypervisor linked with `rust-lld`, which comes with rustup's toolchains, boots as the one does
//! that the distribution's linker made.

use super::boots;
use super::count::{Count, counted, one};
use super::damaged::bundle;
use crate::arch::Arch;
use crate::build::read;
use crate::images::{Builder, GUEST, HYPERVISOR};
use crate::packages::MayInstall;
use crate::process;
use crate::progress::Progress;
use crate::run::watch;
use crate::strip::strip;
use crate::workspace::is_program;
use crate::{qemu, summary};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Bytes of memory of the machine.
const MEMORY: u64 = 128 << 20;

/// Real time that the run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Links and boots; nothing is counted where there is no such linker.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let title = format!("linked with rust-lld, {arch}");
    match rust_lld() {
        Some(linker) => one(&title, |progress| run(&linker, arch, may, progress)),
        None => counted(&title, |_| {
            let why =
                "not run: the active toolchain has no rust-lld, `rustup` installs one that has";
            Ok((Count::default(), why.to_owned()))
        }),
    }
}

/// The linker of the active toolchain, which lies beside its library for the host.
fn rust_lld() -> Option<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    let library = process::read(command.args(["--print", "target-libdir"])).ok()?;
    let linker = Path::new(library.trim()).parent()?.join("bin/rust-lld");
    is_program(&linker).then_some(linker)
}

fn run(linker: &Path, arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let qemu = qemu::find(arch, may)?;
    // Debug images: the same linker script, and not optimized twice over as a whole.
    let builder = Builder::new(arch, true, may)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    progress.at(HYPERVISOR);
    let hypervisor = read(&builder.linked_with(linker, HYPERVISOR)?)?;
    // What other tests and runs use is to be as it was: as the usual linker makes it.
    builder.package(HYPERVISOR)?;
    progress.at(GUEST);
    let guest = strip(&read(&builder.package(GUEST)?)?);
    let hypervisor = boots::write(folder.path(), "hypervisor.elf", hypervisor)?;
    let bundle = boots::write(folder.path(), "bundle.pvb", bundle(&guest, MEMORY / 8)?)?;
    let boot = qemu::Boot {
        hypervisor: &hypervisor,
        bundle: Some(&bundle),
        command_line: "focus=0",
        memory: MEMORY,
        disk: None,
        debugger: None,
        is_watched: false,
    };
    progress.at("booting");
    let mut command = qemu::command(&qemu, arch, &boot);
    command.stdin(Stdio::null());
    let (report, ending) = watch(&mut command, Some(LIMIT), |_| {}, |_| false)?;
    match summary::verdict(&report, 1, ending) {
        Ok(()) => Ok(()),
        Err(reason) => bail!("{reason}"),
    }
}
