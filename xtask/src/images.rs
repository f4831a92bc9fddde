//! Building images: the hypervisor and the guests of this workspace, and guests of others.

use crate::arch::Arch;
use crate::c_guest;
use crate::native::NATIVE;
use crate::packages::MayInstall;
use crate::process;
use crate::toolchain::{self, Toolchain};
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The hypervisor's package.
pub const HYPERVISOR: &str = "pv-hypervisor";

/// Our guest kernel's package.
pub const GUEST: &str = "pv-guest-kernel";

/// The package of the programs that guests run.
pub const PROGRAMS: &str = "kernel-programs";

/// The packages of guests that test and measure.
pub const CONFORMANCE: &str = "conformance-guest";
pub const HOSTILE: &str = "hostile-guest";
pub const BENCH: &str = "bench-guest";

/// Packages of this workspace that are for bare metal alone.
pub const IMAGES: [&str; 6] = [HYPERVISOR, GUEST, NATIVE, CONFORMANCE, BENCH, HOSTILE];

/// Settings of Cargo that make debug images of this workspace, on top of those of release images.
const DEBUG_SETTINGS: &str = ".cargo/image-debug.toml";

/// Where images are built, of every architecture: what their build runs on the host (macros, build
/// scripts) is built once for all of them.
const FOLDER: &str = "images";

/// Variable of the environment by which `cargo xtask test` says to what it starts of which architectures
/// images are as they should be: their names, each with a space behind it.
const AS_THEY_ARE: &str = "PARAVANE_IMAGES_AS_THEY_ARE";

/// The same, within this process.
static BUILT: Mutex<String> = Mutex::new(String::new());

fn built() -> MutexGuard<'static, String> {
    BUILT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on images of this workspace for an architecture that are there are taken as they are, by this
/// process and by those that [`tell`] has told: tests boot a hundred machines, and would ask Cargo each time.
pub fn take_as_they_are(arch: Arch) {
    built().push_str(&format!("{arch} "));
}

/// Tells a process of our own that is to be started which images are to be taken as they are.
pub fn tell(command: &mut Command) {
    command.env(AS_THEY_ARE, &*built());
}

fn are_built(arch: Arch) -> bool {
    let told = std::env::var(AS_THEY_ARE).unwrap_or_default();
    let name = format!("{arch} ");
    built().contains(&name) || told.contains(&name)
}

/// Builds images for one architecture.
pub struct Builder {
    arch: Arch,
    debug: bool,
    may: MayInstall,
    toolchain: Toolchain,
}

impl Builder {
    /// A builder; sets the toolchain up if that is needed and allowed.
    pub fn new(arch: Arch, debug: bool, may: MayInstall) -> Result<Builder> {
        Ok(Builder { arch, debug, may, toolchain: Toolchain::find(arch, may)? })
    }

    /// Whether images are linked by the distribution's linker, but for what is to try another.
    pub fn links_by_distribution(&self) -> bool {
        matches!(self.toolchain, Toolchain::Distribution { .. })
    }

    /// Builds a package of this workspace and returns its ELF file.
    pub fn package(&self, package: &str) -> Result<PathBuf> {
        let kind = if self.debug { "debug" } else { "release" };
        let folder = workspace::target_folder(&format!("{kind}-images/{}", self.arch))?;
        let there = folder.join(package);
        if are_built(self.arch) && there.exists() {
            return Ok(there);
        }
        // Cargo has one place for both kinds of an image, of which this one is not to be taken by
        // whoever else builds.
        let lock = workspace::target_folder(FOLDER)?.join(format!("{}.lock", self.arch));
        let lock = File::create(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| format!("cannot lock {}", lock.display()))?;
        let built = match toolchain::rust_lld() {
            Some(linker) if self.debug && package == HYPERVISOR => {
                self.linked_with(&linker, package)?
            }
            _ => self.build(self.image("build", package)?, package)?,
        };
        let kept = folder.join(built.file_name().context("an image has a name")?);
        // Whoever boots the old one has it to the end.
        let new = kept.with_extension("new");
        std::fs::copy(&built, &new)
            .and_then(|_| std::fs::rename(&new, &kept))
            .with_context(|| format!("cannot copy {} to {}", built.display(), kept.display()))?;
        drop(lock);
        Ok(kept)
    }

    /// The cargo command for an image of this workspace.
    fn image(&self, subcommand: &str, package: &str) -> Result<Command> {
        let mut command = self.release(subcommand)?;
        command.current_dir(workspace::root()).args(["--package", package]);
        if self.debug {
            command.arg("--config").arg(workspace::root().join(DEBUG_SETTINGS));
        }
        // A debug hypervisor checks its invariants after what guests do.
        if self.debug && package == HYPERVISOR {
            command.args(["--features", "audit"]);
        }
        Ok(command)
    }

    /// Builds the programs that guests run as their processes: their files.
    pub fn programs(&self) -> Result<Vec<PathBuf>> {
        let mut command = self.release("build")?;
        command.current_dir(workspace::root()).args([
            "--package",
            PROGRAMS,
            "--features",
            "programs",
        ]);
        self.build_all(command, PROGRAMS, &[])
    }

    /// Builds a package of this workspace, linked with another linker of LLVM's than usual: debug images of
    /// the hypervisor by the one that comes with rustup's toolchains, so that the scripts are tried with
    /// both.
    fn linked_with(&self, linker: &Path, package: &str) -> Result<PathBuf> {
        let command = self.image("rustc", package)?;
        let mut flag = OsString::from("-Clinker=");
        flag.push(linker);
        // For the program alone: as the target's own linker it would have everything built again.
        let flags = [OsString::from("--"), flag, "-Clinker-flavor=ld.lld".into()];
        self.build_with(command, package, &flags)
    }

    /// Builds the guest in C, and sets its compiler up if that is needed and allowed.
    pub fn c_guest(&self) -> Result<PathBuf> {
        c_guest::build(self.arch, self.may)
    }

    /// Builds the crate in a folder, which may be of another workspace.
    pub fn folder(&self, folder: &Path) -> Result<PathBuf> {
        if !folder.join("Cargo.toml").exists() {
            bail!(
                "{} is a folder without Cargo.toml: name an ELF file, or a crate's folder such as `cargo xtask new` makes",
                folder.display()
            );
        }
        // Beside our own images: with the same profile, Rust's own crates are built for both at once.
        // A debug build is of Cargo's own `dev` profile, or what the crate makes of it.
        let mut command = if self.debug { self.command("build")? } else { self.release("build")? };
        command.current_dir(folder);
        self.build(command, &folder.display().to_string())
    }

    /// A cargo command for what is built with the profile `release`, as all images of this
    /// workspace are.
    pub fn release(&self, subcommand: &str) -> Result<Command> {
        let mut command = self.command(subcommand)?;
        command.arg("--release");
        Ok(command)
    }

    fn command(&self, subcommand: &str) -> Result<Command> {
        Ok(self.toolchain.cargo(subcommand, self.arch, &workspace::target_folder(FOLDER)?))
    }

    fn build(&self, command: Command, what: &str) -> Result<PathBuf> {
        self.build_with(command, what, &[])
    }

    fn build_with(&self, command: Command, what: &str, last: &[OsString]) -> Result<PathBuf> {
        match self.build_all(command, what, last)?.as_slice() {
            [path] => Ok(path.clone()),
            [] => bail!(
                "{what} has no program for {}: an image is a crate with src/main.rs",
                self.arch
            ),
            several => bail!(
                "{what} has {} programs, a guest has one: name the ELF file that is meant",
                several.len()
            ),
        }
    }

    /// Every program that a build makes.
    fn build_all(
        &self,
        mut command: Command,
        what: &str,
        last: &[OsString],
    ) -> Result<Vec<PathBuf>> {
        command.args(["--message-format=json-render-diagnostics", "--quiet"]).args(last);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let line = process::show(&command);
        let child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
        let output = child.wait_with_output().with_context(|| format!("cannot run `{line}`"))?;
        if !output.status.success() {
            bail!("{what} does not build for {}: see above; the command was `{line}`", self.arch);
        }
        Ok(executables(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// The programs that a cargo build names in its messages.
fn executables(messages: &str) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let is_binary = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "bin");
            let path = message["executable"].as_str()?;
            is_binary.then(|| PathBuf::from(path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["custom-build"]},"executable":"/t/build-script"}
{"reason":"compiler-artifact","target":{"kind":["bin"]},"executable":"/t/x86_64-unknown-none/release/kernel"}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages), [PathBuf::from("/t/x86_64-unknown-none/release/kernel")]);
    }
}
