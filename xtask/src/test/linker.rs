//! The hypervisor linked with `rust-lld`, which comes with rustup's toolchains, boots as the one does
//! that the distribution's linker made.

use super::boots;
use super::count::{Count, counted, one};
use super::damaged::bundle;
use crate::arch::Arch;
use crate::build::read;
use crate::images::{Builder, GUEST, HYPERVISOR};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::run::watch;
use crate::strip::strip;
use crate::{qemu, summary, toolchain};
use anyhow::{Context, Result, bail, ensure};
use elf::ElfBytes;
use elf::endian::LittleEndian;
use std::process::Stdio;
use std::time::Duration;

/// Bytes of memory of the machine.
const MEMORY: u64 = 128 << 20;

/// Real time that the run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Boots it; nothing is counted where there is no such linker.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let title = format!("linked with rust-lld, {arch}");
    match toolchain::rust_lld() {
        Some(_) => one(&title, |progress| run(arch, may, progress)),
        None => counted(&title, |_| {
            let why =
                "not run: the active toolchain has no rust-lld, `rustup` installs one that has";
            Ok((Count::default(), why.to_owned()))
        }),
    }
}

/// Which linker made an ELF file, as it says itself.
fn linker_of(file: &[u8]) -> Result<String> {
    let elf = ElfBytes::<LittleEndian>::minimal_parse(file).context("the image is no ELF file")?;
    let section = elf.section_header_by_name(".comment").context("the image has no sections")?;
    let section = section.context("the image does not say who linked it")?;
    let (text, _) = elf.section_data(&section).context("the image's comment cannot be read")?;
    let text = String::from_utf8_lossy(text);
    let linker = text.split('\0').find_map(|line| line.strip_prefix("Linker: "));
    Ok(linker.context("the image does not say who linked it")?.to_owned())
}

fn run(arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let qemu = qemu::find(arch, may)?;
    // Debug images of the hypervisor are linked so.
    let builder = Builder::new(arch, true, may)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    progress.at(HYPERVISOR);
    let hypervisor = read(&builder.package(HYPERVISOR)?)?;
    let usual = read(&Builder::new(arch, false, may)?.package(HYPERVISOR)?)?;
    let (linker, other) = (linker_of(&hypervisor)?, linker_of(&usual)?);
    if builder.links_by_distribution() {
        ensure!(linker != other, "both kinds of images are linked by {linker}");
    }
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
