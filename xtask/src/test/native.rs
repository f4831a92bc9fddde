//! The native kernel: that its machine keeps what the kernel expects of it, and that a run which
//! ends badly is known for one.

use super::count::{Count, one};
use crate::arch::Arch;
use crate::native::{Native, Options};
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// Real time that a run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Bytes of memory that the kernel does not fit in. On riscv64 it fits whatever QEMU loads it into.
const fn too_little(arch: Arch) -> Option<u64> {
    match arch {
        Arch::X86_64 => Some(3 << 20),
        Arch::Riscv64 => None,
    }
}

/// Faults that the kernel makes on purpose, and what it says then.
const CRASHES: [(&str, &str); 7] = [
    ("panic", "as the command line asks"),
    ("null", "in the kernel\n"),
    ("text", "in the kernel\n"),
    ("constants", "in the kernel\n"),
    ("alias", "in the kernel\n"),
    ("execute", "in the kernel\n"),
    ("stack", "in the kernel\n"),
];

/// The tests of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    let mut count = one(&format!("the bare machine under the kernel, {arch}"), |progress| {
        machine_test(arch, may, progress)
    });
    if let Some(memory) = too_little(arch) {
        count += one(&format!("the native kernel cannot go on, {arch}"), |progress| {
            let ran = run(arch, may, Some(memory), "", progress);
            ended_badly(ran, "give the machine more")
        });
    }
    for (how, said) in CRASHES {
        count += one(&format!("a fault of the native kernel: {how}, {arch}"), |progress| {
            let words = format!("crash={how}");
            ended_badly(run(arch, may, None, &words, progress), said)
        });
    }
    count
}

/// It did not end well, and said that.
fn ended_badly((said, ended): (String, Result<()>), reason: &str) -> Result<()> {
    let Err(error) = ended else { bail!("it ended well, having said:\n{said}") };
    ensure!(format!("{error:#}").contains("ended badly"), "{error:#}");
    let told =
        said.split_once("kernel: cannot go on: ").is_some_and(|(_, why)| why.contains(reason));
    ensure!(told, "it did not say '{reason}':\n{said}");
    Ok(())
}

fn machine_test(arch: Arch, may: MayInstall, progress: &Progress) -> Result<()> {
    let (said, ended) = run(arch, may, None, "machine-test", progress);
    ended.with_context(|| format!("it said:\n{said}"))?;
    // What has not been run has not failed.
    let passed = said.lines().find_map(|line| {
        line.strip_prefix("machine test: ")?.strip_suffix(" passed")?.parse::<usize>().ok()
    });
    ensure!(passed.is_some_and(|passed| passed > 0), "nothing was tested; it said:\n{said}");
    Ok(())
}

/// What it said, and how it ended.
fn run(
    arch: Arch,
    may: MayInstall,
    memory: Option<u64>,
    words: &str,
    progress: &Progress,
) -> (String, Result<()>) {
    let options = Options { native: true, cmdline: words.to_owned(), module: None };
    let native = Native { arch, debug: false, may, memory, options: &options, limit: Some(LIMIT) };
    let mut said = Vec::new();
    progress.at("booting");
    let ended = native.run(|bytes| said.extend_from_slice(bytes));
    (String::from_utf8_lossy(&said).replace('\r', ""), ended)
}
