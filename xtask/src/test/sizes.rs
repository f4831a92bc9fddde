//! The guest kernel in memory of several sizes, under the hypervisor and alone: its limits follow
//! from what there is, and the pages of its first file system's archive are free in the end.

use super::count::{Count, section};
use crate::arch::Arch;
use crate::domains::{Planned, Request, Source};
use crate::modules::Module;
use crate::native::{Native, Options};
use crate::packages::MayInstall;
use crate::run::{Prepare, watch};
use crate::{qemu, rootfs, summary};
use anyhow::{Context, Result, bail, ensure};
use kernel_core::{PAGE, settings::heap_pages};
use pv_wire::{Item, Kind};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

/// Mebibytes of memory.
const SIZES: [u64; 4] = [16, 32, 64, 256];

/// Mebibytes that are not enough for the first file system, and for the kernel's heap.
const TOO_SMALL: u64 = 6;

/// Real time that a run may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Bytes of a guest's memory that are neither the heap's nor the core's: the image and its stack,
/// and for each page those of the kernel's own tables and map.
const OTHER: u64 = 1792 << 10;
const OTHER_PER_PAGE: u64 = 32;

/// Bytes that the archive has at least: they would be missed.
const ARCHIVE: u64 = 3 << 19;

/// What is run: it wants processes, a pipe, and memory.
const SCRIPT: &str = "\
gzip -c /bin/busybox | gunzip -c | cmp - /bin/busybox && echo 'the same bytes'
while read name value unit; do
  case $name in MemTotal:) echo \"total $value\";; esac
done </proc/meminfo
";

/// The tests of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section(&format!("the guest kernel in little and much memory, {arch}"), |section| {
        let script = ("etc/script".to_owned(), SCRIPT.as_bytes().to_vec());
        let archive = rootfs::with_files(arch, may, vec![script])?;
        ensure!(archive.len() as u64 > ARCHIVE, "the archive is too small to be missed");
        section.progress.at("guests");
        let said = guests(arch, may, &archive)?;
        for (mib, said) in SIZES.iter().zip(said) {
            section.test(&format!("a guest of {mib} MiB"), check_guest(*mib, &said));
        }
        for mib in SIZES {
            section.progress.at(&format!("native, {mib} MiB"));
            let (said, ended) = native(arch, may, &archive, mib);
            let result = ended.and_then(|()| check_native(&archive, &said));
            section.test(&format!("native in {mib} MiB"), result.context(said));
        }
        section.progress.at("native, too little");
        let (said, ended) = native(arch, may, &archive, TOO_SMALL);
        section.test("native in too little memory", refused(&said, ended));
        Ok(())
    })
}

/// The programs ran; bytes of all memory, as they see it.
fn total(said: &str) -> Result<u64> {
    ensure!(said.contains("the same bytes"), "its programs did not run:\n{said}");
    let total = said.lines().find_map(|line| line.trim().strip_prefix("total ")?.parse().ok());
    let total: u64 = total.with_context(|| format!("it does not say its memory:\n{said}"))?;
    Ok(total * 1024)
}

/// A guest has all memory that it should have.
fn check_guest(mib: u64, said: &str) -> Result<()> {
    let (total, bytes) = (total(said)?, mib << 20);
    let heap = heap_pages(bytes / PAGE as u64) * PAGE as u64;
    let other = bytes.checked_sub(total + heap).context("it has more memory than there is")?;
    let most = OTHER + bytes / PAGE as u64 * OTHER_PER_PAGE;
    ensure!(other <= most, "{other} bytes of {bytes} are nobody's; {total} are the programs'");
    Ok(())
}

/// Alone it has what was free at the start, and the archive's pages: all but two at its ends.
fn check_native(archive: &[u8], said: &str) -> Result<()> {
    let total = total(said)?;
    let before =
        said.split_once(" KiB of memory free").and_then(|(text, _)| text.rsplit(' ').next());
    let before: u64 =
        before.and_then(|text| text.parse().ok()).context("it does not say what is free")?;
    let back = total.saturating_sub(before * 1024);
    ensure!(
        back <= archive.len() as u64 && back + 2 * PAGE as u64 > archive.len() as u64,
        "{back} bytes came back of the archive's {}",
        archive.len()
    );
    Ok(())
}

/// It said what is wrong, and did not panic.
fn refused(said: &str, ended: Result<()>) -> Result<()> {
    ensure!(ended.is_err(), "it ended well, having said:\n{said}");
    let told = ["give the kernel more", "give the machine more", "make it smaller"];
    ensure!(told.iter().any(|words| said.contains(words)), "it did not say why:\n{said}");
    ensure!(!said.contains("panic"), "it panicked:\n{said}");
    Ok(())
}

/// What guests of all sizes say on one machine.
fn guests(arch: Arch, may: MayInstall, archive: &[u8]) -> Result<Vec<String>> {
    let request = |mib: &u64| Request {
        memory: Some(mib << 20),
        command_line: Some(String::new()),
        module: Some(Module::Bytes(archive.to_vec())),
        ..Request::of(Source::BuiltIn)
    };
    let plan = Planned::from_requests(SIZES.iter().map(request).collect(), None)?;
    let ready = Prepare { arch, debug: false, may, plan: &plan }.prepare()?;
    let mut command = qemu::command(&ready.qemu, arch, &ready.boot(&plan));
    command.stdin(Stdio::null());
    let mut texts: BTreeMap<u16, String> = BTreeMap::new();
    let show = |item: &Item| {
        if let Item::Message(message) = item
            && message.kind == Kind::Text
        {
            let text = texts.entry(message.source.0).or_default();
            text.push_str(&String::from_utf8_lossy(&message.bytes));
        }
    };
    let (report, ending) = watch(&mut command, Some(LIMIT), show, |_| false)?;
    if let Err(why) = summary::verdict(&report, SIZES.len(), ending) {
        bail!("{why}; they said:\n{texts:#?}");
    }
    Ok((1..).take(SIZES.len()).map(|id| texts.remove(&id).unwrap_or_default()).collect())
}

/// What the kernel alone says, and how it ended.
fn native(arch: Arch, may: MayInstall, archive: &[u8], mib: u64) -> (String, Result<()>) {
    let mut said = Vec::new();
    let ended = (|| {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let file = folder.path().join("root.cpio");
        std::fs::write(&file, archive).context("cannot write the archive")?;
        let options = Options { native: true, cmdline: String::new(), module: Some(file) };
        let memory = Some(mib << 20);
        let native =
            Native { arch, debug: false, may, memory, options: &options, limit: Some(LIMIT) };
        native.run(|bytes| said.extend_from_slice(bytes))
    })();
    (String::from_utf8_lossy(&said).replace('\r', ""), ended)
}
