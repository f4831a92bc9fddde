//! Damaged bundles, given to the hypervisor itself past every check of the host: each ends the
//! machine at once, with a failure and a sentence that names the thing and the mend.

use super::boots;
use super::count::{Count, section};
use crate::arch::Arch;
use crate::build::read;
use crate::images::{Builder, GUEST, HYPERVISOR};
use crate::machine::Ending;
use crate::packages::MayInstall;
use crate::run::watch;
use crate::strip::strip;
use crate::test::refused::{self, P_VADDR};
use crate::{qemu, summary};
use anyhow::{Context, Result, ensure};
use pv_bundle::{Domain, NamedImage, Options};
use pv_wire::{Item, Source};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Bytes of memory of the machine, and of its one domain.
const MACHINE_MEMORY: u64 = 128 << 20;
const DOMAIN_MEMORY: u64 = 8 << 20;

/// Real time that a machine may take to refuse a bundle.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the version stands in a bundle, and where its manifest begins.
const VERSION_AT: usize = 8;
const MANIFEST_AT: usize = 16;

/// Where a segment's offset in the file lies in its program header.
const P_OFFSET: usize = 8;

/// A bundle, if there is one, words for the hypervisor, and what is said of it: the thing, then the mend.
struct Case {
    title: &'static str,
    words: &'static str,
    bundle: Option<Vec<u8>>,
    said: [&'static str; 2],
}

/// What the machine boots with.
struct Machine {
    arch: Arch,
    qemu: PathBuf,
    hypervisor: PathBuf,
}

/// Boots each: a test for each.
/// Clauses: START.1
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section(&format!("damaged bundles, {arch}"), |section| {
        let qemu = qemu::find(arch, may)?;
        let builder = Builder::new(arch, false, may)?;
        let guest = strip(&read(&builder.package(GUEST)?)?);
        let other = Builder::new(other(arch), false, may)?;
        let other = strip(&read(&other.package(GUEST)?)?);
        let machine = Machine { arch, qemu, hypervisor: builder.package(HYPERVISOR)? };
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        for case in cases(&guest, &other)? {
            section.progress.at(case.title);
            section.test(case.title, refused(&machine, &case, folder.path()));
        }
        Ok(())
    })
}

/// The architecture that this one is not.
pub fn other(arch: Arch) -> Arch {
    match arch {
        Arch::X86_64 => Arch::Riscv64,
        Arch::Riscv64 => Arch::X86_64,
    }
}

/// A bundle of one domain with that image.
pub fn bundle(image: &[u8], memory: u64) -> Result<Vec<u8>> {
    bundle_with(image, memory, memory, None)
}

/// The same, with a minimum and a module.
fn bundle_with(
    image: &[u8],
    memory: u64,
    min_memory: u64,
    module: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let domain = Domain {
        name: "alone",
        memory,
        max_memory: memory,
        min_memory,
        limit: memory,
        shares: 1,
        contiguous: false,
        group: 0,
        command_line: "",
        image: 0,
        module: module.map(|_| 1),
        watchdog_ms: 0,
    };
    let mut files = vec![NamedImage { name: "image", bytes: image }];
    files.extend(module.map(|bytes| NamedImage { name: "module", bytes }));
    pv_bundle::pack(&[domain], &files, Options { audit_period: 0, ..Options::default() })
        .context("the bundle to be damaged")
}

fn cases(guest: &[u8], other: &[u8]) -> Result<Vec<Case>> {
    let good = bundle(guest, DOMAIN_MEMORY)?;
    let cut = |length: usize| Some(good[..length].to_vec());
    let patched = |at: usize, new: &[u8]| Some(refused::patched(&good, at, new));
    let segment = *refused::loaded(guest)?.first().context("a guest has a segment")?;
    let with_segment = |at: usize, value: u64| -> Result<Option<Vec<u8>>> {
        let image = refused::patched(guest, segment + at, &value.to_le_bytes());
        bundle(&image, DOMAIN_MEMORY).map(Some)
    };
    let case = |title, bundle, said| Case { title, words: "focus=0", bundle, said };
    let none = ["no bundle of guests", "pass one as the boot module (-initrd)"];
    let magic = ["not a Paravane bundle", "make one with `cargo xtask run --keep`"];
    let short = ["the bundle is shorter than its header says", "make it again"];
    Ok(vec![
        case("no bundle", None, none),
        case("an empty file", Some(Vec::new()), none),
        case("garbage", Some(b"\x7fELF garbage \0\xff".repeat(999)), magic),
        case("cut in its magic", cut(5), magic),
        case("cut in its header", cut(MANIFEST_AT - 3), short),
        case("cut in its manifest", cut(MANIFEST_AT + 9), short),
        case(
            "cut in its image",
            cut(good.len() / 2),
            ["image 0: it must begin at a page", "make the bundle again"],
        ),
        case(
            "of another version",
            patched(VERSION_AT, &[good[VERSION_AT] ^ 0x80]),
            ["the bundle is of version", "build both from the same tree"],
        ),
        case(
            "with a manifest of garbage",
            patched(MANIFEST_AT, &[0xff; 12]),
            ["the bundle's manifest cannot be read", "make the bundle again"],
        ),
        case(
            "for the other architecture",
            Some(bundle(other, DOMAIN_MEMORY)?),
            ["domain 'alone': its image: the image is for", "run it with `--arch"],
        ),
        case(
            "with a segment outside the image's file",
            with_segment(P_OFFSET, 1 << 40)?,
            ["domain 'alone': its image: segment", "build or copy it again"],
        ),
        case(
            "with a segment at the hypervisor's addresses",
            with_segment(P_VADDR, 0xffff_8000_0000_0000)?,
            ["domain 'alone': its image: segment", "link the image there"],
        ),
        case(
            "with a module that the domain has no room for",
            Some(bundle_with(
                guest,
                DOMAIN_MEMORY,
                DOMAIN_MEMORY,
                Some(&vec![1; DOMAIN_MEMORY as usize]),
            )?),
            ["with its module of 8192 KiB, the domain has 8192 KiB", "give it more"],
        ),
        case(
            "cut in its module",
            bundle_with(guest, DOMAIN_MEMORY, DOMAIN_MEMORY, Some(&[1; 5 * 4096]))?
                .split_last_chunk::<4097>()
                .map(|(rest, _)| rest.to_vec()),
            ["image 1: it must begin at a page", "make the bundle again"],
        ),
        case(
            "that wants more memory than there is",
            Some(bundle(guest, 2 * MACHINE_MEMORY)?),
            [
                "domain 'alone' is not admitted: minimum and overhead are 65536 pages",
                "lower the minimum",
            ],
        ),
        Case {
            words: "focus=0 store=65536 swap=disk",
            ..case(
                "and a disk that is not there",
                Some(good.clone()),
                ["no virtio block device was found", "--swap-disk SIZE"],
            )
        },
        case(
            "that starts with more memory than there is",
            Some(bundle_with(guest, 2 * MACHINE_MEMORY, DOMAIN_MEMORY, None)?),
            [
                "domain 'alone' is not admitted: it is to start with 65536 frames",
                "lower its memory, which may grow to its maximum later",
            ],
        ),
    ])
}

/// The machine refuses the bundle as it should.
fn refused(machine: &Machine, case: &Case, folder: &Path) -> Result<()> {
    let file = match &case.bundle {
        Some(bytes) => Some(boots::write(folder, "bundle.pvb", bytes)?),
        None => None,
    };
    let boot = qemu::Boot {
        hypervisor: &machine.hypervisor,
        bundle: file.as_deref(),
        command_line: case.words,
        memory: MACHINE_MEMORY,
        disk: None,
        debugger: None,
        is_watched: false,
    };
    let mut command = qemu::command(&machine.qemu, machine.arch, &boot);
    command.stdin(Stdio::null());
    let mut said = String::new();
    let mut others = 0;
    let show = |item: &Item| match item {
        Item::Message(message) if message.source == Source::HYPERVISOR => {
            said.push_str(&String::from_utf8_lossy(&message.bytes));
        }
        Item::Message(_) => others += 1,
        Item::Outside(_) => {}
    };
    let (report, ending) = watch(&mut command, Some(LIMIT), show, |_| false)?;
    // QEMU's own status cannot tell a failure on every machine; `cargo xtask run` exits by this.
    ensure!(matches!(ending, Ending::Exited(_)), "it did not end by itself; it said:\n{said}");
    ensure!(summary::verdict(&report, 1, ending).is_err(), "the run counts as a good one");
    ensure!(others == 0, "something was booted");
    let (_, reason) = said.split_once("cannot go on: ").context("it did not say why")?;
    ensure!(!reason.contains("panic"), "it panicked: {reason}");
    ensure!(reason.trim_end().lines().count() == 1, "it is more than a sentence: {reason}");
    for part in case.said {
        ensure!(reason.contains(part), "`{part}` is missing in: {reason}");
    }
    Ok(())
}
