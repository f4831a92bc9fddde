//! `cargo xtask busybox`: Debian's static busybox, which guests run as it is.

use crate::arch::Arch;
use crate::build::{read, write};
use crate::debian;
use crate::packages::MayInstall;
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use elf::{ElfBytes, abi, endian::LittleEndian};
use sha2::{Digest, Sha256};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Debian's package.
const PACKAGE: &str = "busybox-static";

/// Places of the program in the package: the second one before releases had `/usr` merged.
const PLACES: [&str; 2] = ["usr/bin/busybox", "bin/busybox"];

/// Get Debian's static busybox for the guests, and print its hash.
#[derive(Args)]
pub struct Busybox {
    /// Architecture; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Take this static busybox instead of Debian's.
    #[arg(long, value_name = "PATH", requires = "arch")]
    file: Option<PathBuf>,
    /// Get it again, even if it is here.
    #[arg(long)]
    again: bool,
    /// Download nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Busybox {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        for arch in Arch::chosen(self.arch) {
            let path = match &self.file {
                Some(file) => keep(arch, &read(file)?, &file.display().to_string())?,
                None if self.again => fetch(arch, MayInstall(!self.no_install))?,
                None => file(arch, MayInstall(!self.no_install))?,
            };
            let bytes = read(&path)?;
            let applets = applets(&bytes).with_context(|| format!("{}", path.display()))?;
            println!(
                "{arch:8} {}  {}, {} applets, from {}",
                hash(&bytes),
                path.display(),
                applets.len(),
                origin(arch)?
            );
        }
        Ok(())
    }
}

/// The program for an architecture, downloaded unless it is here.
pub fn file(arch: Arch, may: MayInstall) -> Result<PathBuf> {
    match present(arch) {
        Some(path) => Ok(path),
        None => fetch(arch, may),
    }
}

/// The program for an architecture, if it is here.
pub fn present(arch: Arch) -> Option<PathBuf> {
    let path = folder(arch).join("busybox");
    path.is_file().then_some(path)
}

/// What gets it.
pub fn command_line(arch: Arch) -> String {
    format!("cargo xtask busybox --arch {arch}")
}

fn folder(arch: Arch) -> PathBuf {
    workspace::target().join("busybox").join(arch.name())
}

/// The file that it came from.
fn origin(arch: Arch) -> Result<String> {
    let text = read(&folder(arch).join("origin"))?;
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

fn fetch(arch: Arch, may: MayInstall) -> Result<PathBuf> {
    let own = format!("or name a static busybox of yours: `{} --file PATH`", command_line(arch));
    if !may.0 {
        bail!(
            "busybox for {arch} is missing (--no-install was given): get it with `{}`, {own}",
            command_line(arch)
        );
    }
    let within = workspace::target_folder("busybox")?;
    eprintln!("downloading Debian's {PACKAGE} for {arch}");
    let unpacked = debian::unpacked(PACKAGE, arch, &within)
        .with_context(|| format!("busybox for {arch} is missing; {own}"))?;
    let places = PLACES.map(|place| unpacked.folder.path().join(place));
    let place = places.iter().find(|place| place.is_file());
    let place = place.with_context(|| format!("{} has no {}", unpacked.file, PLACES[0]))?;
    keep(arch, &read(place)?, &unpacked.file)
}

/// Keeps the program, if it is one that guests can run.
fn keep(arch: Arch, bytes: &[u8], origin: &str) -> Result<PathBuf> {
    check(arch, bytes).with_context(|| format!("{origin} cannot be the guests' busybox"))?;
    let folder = workspace::target_folder(&format!("busybox/{arch}"))?;
    write(&folder.join("origin"), format!("{origin}\n").as_bytes())?;
    // Under its own name at the end: what is there is whole.
    let path = folder.join("busybox");
    let new = folder.join("busybox.new");
    write(&new, bytes)?;
    // The one for the host's own architecture can be run there too.
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&new, mode)
        .with_context(|| format!("cannot change {}", new.display()))?;
    std::fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// A static program for that architecture, with applets.
fn check(arch: Arch, bytes: &[u8]) -> Result<()> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes)
        .context("it is no 64-bit little-endian ELF file: name the program itself")?;
    let machine = arch.elf().elf_machine();
    ensure!(
        file.ehdr.e_machine == machine,
        "it is for machine {}, not {machine}: get the one for {arch}",
        file.ehdr.e_machine
    );
    let is_static = file.ehdr.e_type == abi::ET_EXEC
        && file
            .segments()
            .is_some_and(|headers| headers.iter().all(|header| header.p_type != abi::PT_INTERP));
    ensure!(is_static, "it is not linked statically at a fixed address: get package {PACKAGE}");
    applets(bytes).map(drop)
}

/// The names that it has a program for, as `busybox --list` tells them.
///
/// They are read from the program, because one for another architecture cannot be run here, and
/// a list of ours would be another version's: in its data they stand one behind the other, in
/// order, each ended by a zero byte, the last by another one.
pub fn applets(bytes: &[u8]) -> Result<Vec<String>> {
    const FIRST: &[u8] = b"[\0[[\0";
    let start = bytes.windows(FIRST.len()).position(|window| window == FIRST);
    let start = start.context("it has no list of applets: it is no busybox as Debian makes it")?;
    let mut names: Vec<String> = Vec::new();
    for name in bytes[start..].split(|byte| *byte == 0) {
        if name.is_empty() {
            break;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let is_name =
            name.len() < 32 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        ensure!(
            is_name && names.last().is_none_or(|last| *last < name),
            "its list of applets is not one: `{name}` comes after {:?}",
            names.last()
        );
        names.push(name);
    }
    ensure!(
        names.iter().any(|name| name == "sh"),
        "it has no shell among its {} applets",
        names.len()
    );
    Ok(names)
}

/// The SHA-256 of bytes, as text.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applets_are_read_from_the_program() {
        let good = b"..\x01[\0[[\0ash\0cat\0sh\0zcat\0\0more\0";
        assert_eq!(applets(good).expect("a list"), ["[", "[[", "ash", "cat", "sh", "zcat"]);
        for bad in
            [&b"nothing"[..], b"[\0[[\0sh\0ash\0\0", b"[\0[[\0cat\0\0", b"[\0[[\0a/b\0sh\0\0"]
        {
            assert!(applets(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_a_static_program_of_the_architecture_will_do() {
        let own = read(&std::env::current_exe().expect("a path")).expect("reads");
        let error = |arch, bytes: &[u8]| format!("{:#}", check(arch, bytes).expect_err("refused"));
        let (host, other) = if cfg!(target_arch = "riscv64") {
            (Arch::Riscv64, Arch::X86_64)
        } else {
            (Arch::X86_64, Arch::Riscv64)
        };
        assert!(error(other, &own).contains(&format!("get the one for {other}")));
        if cfg!(any(target_arch = "x86_64", target_arch = "riscv64")) {
            assert!(error(host, &own).contains("not linked statically"));
        }
        assert!(error(host, b"#!/bin/sh").contains("no 64-bit little-endian ELF file"));
    }

    #[test]
    fn nothing_is_downloaded_when_that_is_forbidden() {
        let error = fetch(Arch::Riscv64, MayInstall(false)).expect_err("forbidden").to_string();
        assert!(error.contains("cargo xtask busybox --arch riscv64"), "{error}");
    }

    #[test]
    fn hashes_are_the_usual_ones() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash(b""), empty);
    }
}
