//! The Rust toolchain for images: found, or set up, in this order:
//!
//! 1. the active toolchain has the target's library: it is used as it is;
//! 2. rustup is there, and `RUSTUP_AUTO_INSTALL` does not say 0: `rustup target add`;
//! 3. the distribution's compiler in `/usr/bin` with the library source of its version: the
//!    library is built with the image;
//! 4. `apt-get` and root: the distribution's packages are installed, then 3;
//! 5. otherwise the error is the command that mends it.
//!
//! `RUSTUP_AUTO_INSTALL` is the operator's word and is never changed: see `rustup`'s manual.

use crate::arch::Arch;
use crate::packages::{self, MayInstall};
use crate::process;
use crate::workspace::{find_program, is_program};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What has to be installed for step 3, on Debian.
pub const PACKAGES: [&str; 6] =
    ["cargo-web", "rustc-web", "rust-web-src", "lld-22", "rust-web-clippy", "rustfmt-web"];

/// A toolchain that builds images.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// The active one, which has the target's library.
    Active,
    /// The distribution's, which builds the library too.
    Distribution {
        /// The linker.
        linker: PathBuf,
        /// The compiler's version.
        release: String,
    },
}

/// The distribution's compiler, cargo and clippy.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const CLIPPY: &str = "/usr/bin/cargo-clippy";

/// The linker of the active toolchain, if it comes with one: it lies beside the library for the host.
pub fn rust_lld() -> Option<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    let library = process::read(command.args(["--print", "target-libdir"])).ok()?;
    let linker = Path::new(library.trim()).parent()?.join("bin/rust-lld");
    is_program(&linker).then_some(linker)
}

impl Toolchain {
    /// Finds a toolchain for the architecture, and sets one up if that is allowed.
    pub fn find(arch: Arch, may: MayInstall) -> Result<Toolchain> {
        if let Some(toolchain) = Toolchain::present(arch) {
            return Ok(toolchain);
        }
        if rustup_may_install() && may.0 {
            eprintln!("installing for images: rustup target add {}", arch.target());
            let added = process::run(
                Command::new("rustup")
                    .args(["target", "add", arch.target()])
                    .stdout(std::io::stderr()),
            );
            match added {
                Ok(()) if active_has(arch) => return Ok(Toolchain::Active),
                Ok(()) => eprintln!("rustup added it, but the active toolchain does not have it"),
                Err(error) => eprintln!("{error:#}"),
            }
        }
        if packages::can_install(may) {
            packages::install(&PACKAGES, "the bare-metal Rust toolchain", may)?;
            if let Some(toolchain) = distribution() {
                return Ok(toolchain);
            }
        }
        bail!(
            "no Rust toolchain here builds for {}: it takes the target's library, or the distribution's compiler with its library source{}; install one of them:\n  {}\n  {}",
            arch.target(),
            if may.0 { "" } else { " (--no-install was given)" },
            rustup_command(arch),
            packages::command_line(&PACKAGES)
        );
    }

    /// A toolchain that is here already: steps 1 and 3.
    pub fn present(arch: Arch) -> Option<Toolchain> {
        if active_has(arch) {
            return Some(Toolchain::Active);
        }
        if rustup_may_install() {
            return None;
        }
        distribution()
    }

    /// One line for `doctor`.
    pub fn describe(&self) -> String {
        match self {
            Toolchain::Active => "the active toolchain's own library".into(),
            Toolchain::Distribution { release, linker } => {
                format!("{RUSTC} {release} with its library source, {}", linker.display())
            }
        }
    }

    /// A cargo command for the architecture: subcommand, target and environment. What is
    /// built goes below `target_directory`.
    pub fn cargo(&self, subcommand: &str, arch: Arch, target_directory: &Path) -> Command {
        let mut command;
        // The image is linked for fixed addresses, wherever the target's default differs.
        let mut flags = vec!["-Crelocation-model=static"];
        let variable = arch.target().to_uppercase().replace('-', "_");
        match self {
            Toolchain::Active => {
                command = Command::new(cargo());
                command.arg(subcommand);
            }
            Toolchain::Distribution { linker, .. } => {
                command = if subcommand == "clippy" {
                    // By its path: `cargo clippy` would find rustup's before this one.
                    let mut command = Command::new(CLIPPY);
                    command.env("CARGO", CARGO);
                    command
                } else {
                    Command::new(CARGO)
                };
                command.arg(subcommand);
                command
                    .args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
                command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", RUSTC);
                command.env_remove("RUSTDOC").env_remove("RUSTUP_TOOLCHAIN");
                command.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
                flags.push("-Clinker-flavor=ld.lld");
            }
        }
        command.env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags.join(" "));
        // Either of these would take the place of the target's own flags.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.env("DEFMT_LOG", "trace").env("CARGO_TARGET_DIR", target_directory);
        command.args(["--target", arch.target()]);
        command
    }
}

/// The command by which rustup gets the target.
pub fn rustup_command(arch: Arch) -> String {
    format!("rustup target add {}", arch.target())
}

/// The cargo that runs us, or the one in `PATH`.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// Step 1: the active compiler has the target's `core`.
fn active_has(arch: Arch) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", arch.target()]);
    let Ok(folder) = process::read(&mut command) else { return false };
    let Ok(files) = std::fs::read_dir(folder.trim()) else { return false };
    files.flatten().any(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

/// Step 2: rustup is there and may install what is missing.
fn rustup_may_install() -> bool {
    let forbidden = std::env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0");
    !forbidden && find_program("rustup").is_some()
}

/// Step 3: the distribution's compiler, cargo, library source of the same version, linker.
fn distribution() -> Option<Toolchain> {
    if !is_program(Path::new(CARGO)) {
        return None;
    }
    let version =
        process::read(Command::new(RUSTC).arg("-vV").env_remove("RUSTUP_TOOLCHAIN")).ok()?;
    let release = release(&version)?.to_owned();
    let sysroot =
        process::read(Command::new(RUSTC).args(["--print", "sysroot"])).ok()?.trim().to_owned();
    let source = Path::new(&sysroot).join("lib/rustlib/src/rust");
    if !source.join("library/core/src/lib.rs").exists() || !is_of(&source, &release) {
        return None;
    }
    Some(Toolchain::Distribution { linker: linker(&sysroot)?, release })
}

/// The release that `rustc -vV` names.
fn release(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("release: "))
}

/// Whether a source tree is of that release: by its version file, else by its folder's name.
fn is_of(source: &Path, release: &str) -> bool {
    for file in ["version", "src/version"] {
        if let Ok(text) = std::fs::read_to_string(source.join(file)) {
            return text.split_whitespace().next() == Some(release);
        }
    }
    let real = source.canonicalize().unwrap_or_else(|_| source.to_owned());
    real.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&format!("-{release}")))
}

/// LLVM's linker: the newest `ld.lld-N` in `/usr/bin`, `ld.lld`, or the compiler's own.
fn linker(sysroot: &str) -> Option<PathBuf> {
    let own = format!("{sysroot}/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    newest("ld.lld")
        .or_else(|| find_program("ld.lld"))
        .or_else(|| is_program(Path::new(&own)).then(|| own.into()))
}

/// LLVM's linker for what is not Rust: it goes by its name, so the compiler's own is asked for
/// by the name that makes it a linker of ELF files.
pub fn find_linker() -> Option<PathBuf> {
    let own = || {
        let sysroot = process::read(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
        let folder = Path::new(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
        Some(folder.join("gcc-ld/ld.lld")).filter(|path| is_program(path))
    };
    newest("ld.lld").or_else(|| find_program("ld.lld")).or_else(own)
}

/// The program of that name with the highest version behind it, `NAME-N`, in `/usr/bin`.
pub fn newest(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/bin").ok()?.flatten().filter_map(|file| {
        let file_name = file.file_name();
        let version = file_name.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        Some((version.parse::<u32>().ok()?, file.path()))
    });
    versions.max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_rustc() {
        let text = process::read(Command::new("rustc").arg("-vV")).expect("rustc is here");
        let release = release(&text).expect("names its release");
        assert!(release.split('.').count() == 3, "{release}");
    }

    #[test]
    fn a_source_of_another_version_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("rustc-1.96.0");
        std::fs::create_dir_all(source.join("src")).expect("made");
        assert!(is_of(&source, "1.96.0"));
        assert!(!is_of(&source, "1.95.0"));
        std::fs::write(source.join("src/version"), "1.97.0-nightly\n").expect("written");
        assert!(!is_of(&source, "1.96.0"));
    }

    #[test]
    fn images_are_built_with_their_logs_and_without_the_callers_flags() {
        let toolchain = Toolchain::Distribution {
            linker: "/usr/bin/ld.lld-22".into(),
            release: "1.96.0".into(),
        };
        let command = toolchain.cargo("build", Arch::Riscv64, Path::new("a-folder"));
        let variable = |name: &str| {
            let found = command.get_envs().find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value.map(|value| value.to_string_lossy().into_owned()))
        };
        assert_eq!(variable("DEFMT_LOG").as_deref(), Some("trace"));
        assert_eq!(variable("RUSTUP_AUTO_INSTALL"), None);
        assert!(command.get_envs().all(|(key, _)| key != "RUSTUP_AUTO_INSTALL"));
        assert!(command.get_envs().any(|(key, value)| key == "RUSTFLAGS" && value.is_none()));
        let linker = variable("CARGO_TARGET_RISCV64IMAC_UNKNOWN_NONE_ELF_LINKER");
        assert_eq!(linker.as_deref(), Some("/usr/bin/ld.lld-22"));
    }
}
