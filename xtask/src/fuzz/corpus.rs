//! Corpora: one that is kept, small, in `fuzz/corpus/`, and one that grows below the target
//! directory.

use super::libfuzzer::Fuzzer;
use crate::{process, workspace};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Files and bytes that are kept of a target at most.
const FILES: usize = 16;
const BYTES: u64 = 16 << 10;

/// The corpus of a target that is kept.
pub fn kept(target: &str) -> Result<PathBuf> {
    made(workspace::root().join("fuzz/corpus").join(target))
}

/// The corpus of a target that grows.
pub fn working(target: &str) -> Result<PathBuf> {
    made(workspace::target().join("fuzz/corpus").join(target))
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

/// Writes the kept corpus anew: of the fewest inputs that reach every branch that was reached,
/// the longest, which reach the most. What was put there by hand stays: `seed-*`, and `crash-*`
/// that showed something once.
pub fn keep(fuzzer: &Fuzzer, target: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let kept = kept(target)?;
    let mut command = fuzzer.command(target);
    command.args(["-set_cover_merge=1", "-use_counters=0", "-verbosity=0"]);
    command.arg(folder.path()).arg(working(target)?).arg(&kept);
    command.stderr(std::process::Stdio::null());
    process::run(&mut command)?;
    let mut files = files(folder.path())?;
    let size = |file: &PathBuf| file.metadata().map_or(0, |data| data.len());
    files.sort_by_key(|file| std::cmp::Reverse(size(file)));
    let old = self::files(&kept)?;
    for file in old.iter().filter(|file| !is_by_hand(file)) {
        std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    let mut bytes = 0;
    for file in files.iter().take(FILES) {
        if bytes + size(file) > BYTES {
            continue;
        }
        bytes += size(file);
        let to = kept.join(file.file_name().unwrap_or_default());
        std::fs::copy(file, &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}

/// Whether a file was put there by hand.
fn is_by_hand(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("seed-") || name.starts_with("crash-")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
