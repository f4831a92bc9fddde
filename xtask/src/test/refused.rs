//! Bad input, on the command line as a user gives it: each is refused before anything boots,
//! with an error that names the thing and the mend.

use super::count::{Count, section};
use super::{boots, damaged};
use crate::arch::Arch;
use crate::build::read;
use crate::images::{Builder, GUEST};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{qemu, workspace};
use anyhow::{Context, Result, ensure};
use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;
use hypercall_abi::note;
use std::ffi::OsString;
use std::path::Path;

/// Where fields lie in an ELF file: the machine in its header, the address in a program header.
const E_MACHINE: usize = 18;
pub const P_VADDR: usize = 16;

/// Where the name and the version lie in a note.
const NOTE_NAME: usize = 12;
const NOTE_VERSION: usize = 24;

/// A bad input: the arguments, what the error must contain (the thing, then the mend), and
/// whether there is to be a `PATH`.
struct Case {
    title: &'static str,
    arguments: Vec<OsString>,
    error: Vec<String>,
    path: bool,
}

/// Gives each bad input to `run`: a test for each.
/// Clauses: START.1
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section("bad input", |section| {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let guest = read(&Builder::new(arch, false, may)?.package(GUEST)?)?;
        let mut cases = guests(arch, &guest, folder.path())?;
        cases.extend(manifests(folder.path())?);
        cases.extend(others(arch, &boots::write(folder.path(), "good.elf", &guest)?));
        for case in &cases {
            section.test(case.title, refused(arch, case, section.progress));
        }
        Ok(())
    })
}

/// The case is refused as it should be.
fn refused(arch: Arch, case: &Case, progress: &Progress) -> Result<()> {
    // Nothing may be installed: the point is what is said.
    let mut command = boots::command(arch, MayInstall(false))?;
    command.args(&case.arguments);
    if !case.path {
        command.env("PATH", "");
    }
    let ran = boots::run(command, progress)?;
    ensure!(!ran.well, "the exit status is 0");
    ensure!(
        ran.output.is_empty() && !ran.errors.contains("[hypervisor]"),
        "something was booted:\n{}",
        ran.last_lines()
    );
    for part in &case.error {
        ensure!(ran.errors.contains(part), "`{part}` is missing in:\n{}", ran.last_lines());
    }
    Ok(())
}

/// Guest images, made of a good one.
fn guests(arch: Arch, good: &[u8], folder: &Path) -> Result<Vec<Case>> {
    let other = damaged::other(arch);
    let segments = loaded(good)?;
    let [first, second, ..] = segments[..] else { anyhow::bail!("a guest has two segments") };
    let first_address = good[first + P_VADDR..][..8].to_vec();
    let note = note_at(good)?;
    let machine = other.elf().elf_machine().to_le_bytes();
    let mut cases = vec![
        guest(
            folder,
            "other-machine",
            patched(good, E_MACHINE, &machine),
            &format!("run it with `--arch {other}`, or build it for {arch}"),
        )?,
        guest(folder, "truncated", good[..good.len() / 2].to_vec(), "build or copy it again")?,
        guest(folder, "two-bytes", good[..2].to_vec(), "a guest is a static ELF64 executable")?,
        guest(folder, "text", b"#!/bin/sh\nexit 0\n".to_vec(), "`cargo xtask new DIR` makes one")?,
        guest(
            folder,
            "no-note",
            patched(good, note + NOTE_NAME, b"X"),
            "no Paravane note: it is not a guest kernel, or the linker dropped the note; keep section .note.paravane",
        )?,
        guest(
            folder,
            "other-version",
            patched(good, note + NOTE_VERSION, &0xfff0_u16.to_le_bytes()),
            "build it against this tree's hypercall-abi",
        )?,
        guest(
            folder,
            "overlapping",
            patched(good, second + P_VADDR, &first_address),
            "overlap or share a page: put `. = ALIGN(4096);` between them",
        )?,
        guest(
            folder,
            "out-of-range",
            patched(good, second + P_VADDR, &0xffff_8000_0000_0000_u64.to_le_bytes()),
            "lies outside a guest's addresses",
        )?,
    ];
    let own = std::env::current_exe().context("cannot find our own program")?;
    // A program of the host: of another machine, or else position-independent.
    let mend = if cfg!(target_arch = "x86_64") && arch == Arch::X86_64 {
        "link it with `-Crelocation-model=static`"
    } else {
        "the machine is"
    };
    cases.push(Case {
        title: "a program of the host",
        arguments: vec!["--guest".into(), own.clone().into()],
        error: vec![own.display().to_string(), mend.into()],
        path: true,
    });
    let nowhere = folder.join("nowhere.elf");
    cases.push(Case {
        title: "a guest that is not there",
        arguments: vec!["--guest".into(), nowhere.clone().into()],
        error: vec![nowhere.display().to_string(), "check the path".into()],
        path: true,
    });
    Ok(cases)
}

/// A guest image that is refused with the mend.
fn guest(folder: &Path, title: &'static str, bytes: Vec<u8>, mend: &str) -> Result<Case> {
    let path = boots::write(folder, &format!("{title}.elf"), bytes)?;
    Ok(Case {
        title,
        error: vec![format!("guest image {}", path.display()), mend.into()],
        arguments: vec!["--guest".into(), path.into()],
        path: true,
    })
}

/// Manifests.
fn manifests(folder: &Path) -> Result<Vec<Case>> {
    let manifest = |title: &'static str, text: &str, error: &[&str]| -> Result<Case> {
        let path = boots::write(folder, &format!("{title}.toml"), text)?;
        let mut parts = vec![format!("manifest {}", path.display())];
        parts.extend(error.iter().map(|part| (*part).to_owned()));
        let arguments = vec!["--manifest".into(), path.into()];
        Ok(Case { title, arguments, error: parts, path: true })
    };
    let image = boots::write(folder, "image.toml", "[[domain]]\nimage = \"not-there.elf\"\n")?;
    let image_error =
        format!("guest {} is not there: check the path", folder.join("not-there.elf").display());
    Ok(vec![
        Case {
            title: "a manifest's image that is not there",
            arguments: vec!["--manifest".into(), image.into()],
            error: vec![image_error],
            path: true,
        },
        manifest(
            "unknown-key",
            "[[domain]]\nmemroy = \"64M\"\n",
            &["line 2", "unknown field `memroy`, expected one of", "`memory`"],
        )?,
        manifest(
            "too-much-memory",
            "memory = \"256M\"\n[[domain]]\nmemory = \"300M\"\n",
            &["the machine has 256M", "give it more with --memory 348M"],
        )?,
        manifest("no-guest", "memory = \"256M\"\n", &["no guest", "add at least one [[domain]]"])?,
    ])
}

/// What is neither an image nor a manifest.
fn others(arch: Arch, good: &Path) -> Vec<Case> {
    let with = |options: &str| {
        let mut argument = good.as_os_str().to_owned();
        argument.push(options);
        vec![OsString::from("--guest"), argument]
    };
    let case = |title, arguments, error: &[&str]| Case {
        title,
        arguments,
        error: error.iter().map(|part| (*part).to_owned()).collect(),
        path: true,
    };
    let mut cases = vec![
        case("an unknown option of a guest", with(",ram=64M"), &["`ram` is not a key of --guest"]),
        case("a guest with too much memory", with(",memory=2G"), &["give it more with --memory"]),
        case(
            "a module that is not there",
            with(",name=web,module=nowhere.cpio"),
            &["the module nowhere.cpio of domain web: check the path"],
        ),
        case(
            "a module that the domain has no room for",
            with(&format!(",memory=2M,name=web,module={}", good.display())),
            &["domain 1 (web)", "with its module of", "give it more, `memory="],
        ),
        case("no guest", vec!["--guests".into(), "0".into()], &["no guest", "--guests N"]),
        case(
            "a manifest that is not there",
            vec!["--manifest".into(), "nowhere.toml".into()],
            &["cannot read the manifest nowhere.toml: check the path"],
        ),
    ];
    if workspace::find_program(qemu::program(arch)).is_some() {
        let missing = format!("{} is missing", qemu::program(arch));
        let error = [missing.as_str(), "apt-get install", qemu::package_names(arch)[0]];
        cases.push(Case { path: false, ..case("no QEMU", vec![], &error) });
    }
    cases
}

/// A copy with other bytes at a place.
pub fn patched(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    copy[at..at + new.len()].copy_from_slice(new);
    copy
}

/// Where the program headers of what is loaded lie in an ELF file.
pub fn loaded(bytes: &[u8]) -> Result<Vec<usize>> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes).context("the guest's ELF file")?;
    let headers = file.segments().context("the guest has no segments")?;
    let (start, size) = (file.ehdr.e_phoff as usize, usize::from(file.ehdr.e_phentsize));
    let loaded = headers.iter().enumerate().filter(|(_, header)| header.p_type == PT_LOAD);
    Ok(loaded.map(|(index, _)| start + index * size).collect())
}

/// Where the Paravane note lies in an ELF file.
fn note_at(bytes: &[u8]) -> Result<usize> {
    let mut start = note::NOTE_TYPE.to_le_bytes().to_vec();
    start.extend(note::NAME.as_bytes());
    let found = bytes.windows(start.len()).position(|window| window == start);
    // The sizes of name and descriptor come before the type.
    found.and_then(|at| at.checked_sub(8)).context("the guest has no note")
}
