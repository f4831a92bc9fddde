//! `cargo xtask rootfs`: the first file system of guests, as a cpio archive: the tree in
//! `pv-guest-kernel/rootfs`, busybox with a link for each of its applets, and our test programs.
//!
//! The same tree, busybox and programs make the same bytes: entries are in the order of their
//! names, everything is root's and of one day.

#[cfg(test)]
mod tests;
mod unpacked;
pub mod version;

use crate::arch::Arch;
use crate::build::{read, write};
use crate::busybox;
use crate::images::Builder;
use crate::packages::MayInstall;
use crate::strip::strip;
use crate::{names, workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use cpio::newc::{self, ModeFileType};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use unpacked::Unpacked;

/// When everything was made: the first of January 2000.
const TIME: u32 = 946_684_800;

/// Directories beside those of the tree, with their modes: what is empty cannot be in it.
const DIRECTORIES: [(&str, u32); 9] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("test", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
];

/// Where busybox lies.
const BUSYBOX: &str = "bin/busybox";

/// Other names of the directory of programs, as where `/usr` is merged.
const LINKS: [(&str, &str); 3] = [("sbin", "bin"), ("usr/bin", "../bin"), ("usr/sbin", "../bin")];

/// Build the first file system of guests, and print its hash.
#[derive(Args)]
pub struct Rootfs {
    /// Architecture; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// List what is in it.
    #[arg(long)]
    list: bool,
    /// Install and download nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Rootfs {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        for arch in Arch::chosen(self.arch) {
            let tree = tree(arch, MayInstall(!self.no_install))?;
            let path = keep(arch, &tree)?;
            let bytes = read(&path)?;
            println!(
                "{arch:8} {}  {}, {} entries, {} bytes",
                busybox::hash(&bytes),
                path.display(),
                tree.0.len(),
                names::grouped(bytes.len() as u64)
            );
            if self.list {
                for (name, entry) in &tree.0 {
                    println!("  {}", entry.line(name));
                }
            }
        }
        Ok(())
    }
}

/// Puts what is in the archive for an architecture into a folder of the host's.
pub fn lay_out(arch: Arch, may: MayInstall, folder: &Path) -> Result<()> {
    tree(arch, may)?.lay_out(folder)
}

/// The archive for an architecture, built anew; its file.
pub fn archive(arch: Arch, may: MayInstall) -> Result<PathBuf> {
    keep(arch, &tree(arch, may)?)
}

/// The archive for an architecture with more files in it, of each its name and its content.
pub fn with_files(arch: Arch, may: MayInstall, files: Vec<(String, Vec<u8>)>) -> Result<Vec<u8>> {
    of_version(arch, may, 0, files)
}

/// As [`with_files`], with that [version] of busybox.
pub fn of_version(
    arch: Arch,
    may: MayInstall,
    version: u8,
    files: Vec<(String, Vec<u8>)>,
) -> Result<Vec<u8>> {
    let mut tree = tree(arch, may)?;
    if let Some(Entry::File(_, busybox)) = tree.0.get_mut(BUSYBOX) {
        *busybox = version::of(arch, busybox, version);
    }
    for (name, content) in files {
        tree.add(&name, Entry::File(0o644, content))?;
    }
    tree.archive()
}

/// An archive of one file, in a folder that is there already.
pub fn of_file(name: &str, content: Vec<u8>) -> Result<Vec<u8>> {
    Tree(BTreeMap::from([(name.to_owned(), Entry::File(0o644, content))])).archive()
}

fn keep(arch: Arch, tree: &Tree) -> Result<PathBuf> {
    let archive = tree.archive()?;
    // What does not fit is better known now than when a guest starts.
    let mut unpacked = Unpacked::new(&archive).context("the first file system")?;
    for path in ["/init", "/bin/sh"] {
        let mode = unpacked.stat(path)?.mode;
        let content = unpacked.content(path)?;
        let is_program = content.starts_with(b"#!") || content.starts_with(b"\x7fELF");
        ensure!(
            is_program && mode & 0o111 != 0,
            "{path} of the first file system cannot be executed: mode {mode:o}"
        );
    }
    let path = workspace::target_folder(&format!("rootfs/{arch}"))?.join("root.cpio");
    write(&path, &archive)?;
    Ok(path)
}

/// Everything that is in the archive for an architecture.
fn tree(arch: Arch, may: MayInstall) -> Result<Tree> {
    let busybox = read(&busybox::file(arch, may)?)?;
    let mut programs = Vec::new();
    for file in Builder::new(arch, false, may)?.programs()? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        programs.push((name, strip(&read(&file)?)));
    }
    Tree::new(&workspace::root().join("pv-guest-kernel/rootfs"), busybox, programs)
}

/// What is at a name.
enum Entry {
    Directory(u32),
    File(u32, Vec<u8>),
    Link(String),
}

impl Entry {
    fn mode(&self) -> u32 {
        match self {
            Entry::Directory(mode) | Entry::File(mode, _) => *mode,
            Entry::Link(_) => 0o777,
        }
    }

    /// A line of a list.
    fn line(&self, name: &str) -> String {
        match self {
            Entry::Directory(mode) => format!("{mode:4o} {:>9} {name}/", ""),
            Entry::File(mode, bytes) => format!("{mode:4o} {:>9} {name}", bytes.len()),
            Entry::Link(target) => format!("{:4} {:>9} {name} -> {target}", "", ""),
        }
    }
}

/// Entries by their names, which do not begin with `/`: a directory comes before what is in it.
struct Tree(BTreeMap<String, Entry>);

impl Tree {
    fn new(folder: &Path, busybox: Vec<u8>, programs: Vec<(String, Vec<u8>)>) -> Result<Tree> {
        let mut tree = Tree(BTreeMap::new());
        for (name, mode) in DIRECTORIES {
            tree.add(name, Entry::Directory(mode))?;
        }
        tree.folder(folder, "")?;
        for applet in busybox::applets(&busybox)? {
            // Debian's has an applet of its own name.
            if applet != "busybox" {
                tree.add(&format!("bin/{applet}"), Entry::Link("busybox".into()))?;
            }
        }
        tree.add(BUSYBOX, Entry::File(0o755, busybox))?;
        for (name, target) in LINKS {
            tree.add(name, Entry::Link(target.into()))?;
        }
        for (name, bytes) in programs {
            tree.add(&format!("test/{name}"), Entry::File(0o755, bytes))?;
        }
        Ok(tree)
    }

    fn add(&mut self, name: &str, entry: Entry) -> Result<()> {
        ensure!(self.0.insert(name.into(), entry).is_none(), "{name} is in the file system twice");
        Ok(())
    }

    /// Adds what is in a folder of the host's, below `prefix`.
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{prefix}{name}");
            let data = path
                .symlink_metadata()
                .with_context(|| format!("cannot look at {}", path.display()))?;
            if data.is_dir() {
                // Of the host's modes only who may execute counts: the others are its umask's.
                if !self.0.contains_key(&name) {
                    self.add(&name, Entry::Directory(0o755))?;
                }
                self.folder(&path, &format!("{name}/"))?;
            } else if data.is_file() {
                let mode = if data.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
                self.add(&name, Entry::File(mode, read(&path)?))?;
            } else {
                bail!("{} is neither a file nor a folder: take it away", path.display());
            }
        }
        Ok(())
    }

    fn lay_out(&self, folder: &Path) -> Result<()> {
        for (name, entry) in &self.0 {
            let path = folder.join(name);
            let made = match entry {
                Entry::Directory(_) => std::fs::create_dir(&path),
                Entry::File(_, bytes) => std::fs::write(&path, bytes),
                Entry::Link(target) => std::os::unix::fs::symlink(target, &path),
            };
            let changed = made.and_then(|()| match entry {
                Entry::Link(_) => Ok(()),
                other => {
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(other.mode()))
                }
            });
            changed.with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    fn archive(&self) -> Result<Vec<u8>> {
        let mut archive = Vec::new();
        for (index, (name, entry)) in self.0.iter().enumerate() {
            let (kind, links, content) = match entry {
                Entry::Directory(_) => (ModeFileType::Directory, 2, &[][..]),
                Entry::File(_, bytes) => (ModeFileType::Regular, 1, bytes.as_slice()),
                Entry::Link(target) => (ModeFileType::Symlink, 1, target.as_bytes()),
            };
            let length = u32::try_from(content.len())
                .with_context(|| format!("{name} is too large for the archive: leave it out"))?;
            let mut writer = newc::Builder::new(name)
                .ino(index as u32 + 1)
                .mode(entry.mode())
                .set_mode_file_type(kind)
                .nlink(links)
                .mtime(TIME)
                .write(&mut archive, length);
            writer.write_all(content).with_context(|| format!("cannot archive {name}"))?;
            writer.finish().with_context(|| format!("cannot archive {name}"))?;
        }
        newc::trailer(&mut archive).context("cannot end the archive")?;
        Ok(archive)
    }
}
