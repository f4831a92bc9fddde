//! The guest in C, `tests/guest-c`: its compiler, and how it is built. It is built as the book
//! says that a guest in another language is: the header, clang, LLVM's linker, nothing else.

use crate::arch::Arch;
use crate::packages::{self, MayInstall};
use crate::process;
use crate::toolchain;
use crate::workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What it needs, on Debian: one compiler for every architecture, and its linker.
pub const PACKAGES: [&str; 2] = ["clang", "lld"];

/// Folders of its sources, below its own.
const FOLDERS: [&str; 3] = ["kernel", "suite", "tests"];

/// Where it lies.
pub fn folder() -> PathBuf {
    workspace::root().join("tests/guest-c")
}

/// The compiler and the linker.
pub struct Tools {
    /// clang, of whatever version.
    pub clang: PathBuf,
    /// `ld.lld`.
    pub linker: PathBuf,
}

impl Tools {
    /// What is here.
    pub fn present() -> Option<Tools> {
        Some(Tools { clang: clang()?, linker: toolchain::find_linker()? })
    }

    /// What is here, installed if that is needed and allowed.
    fn find(may: MayInstall) -> Result<Tools> {
        if let Some(tools) = Tools::present() {
            return Ok(tools);
        }
        // The linker is there as a rule: the images in Rust are linked by it.
        let packages: &[&str] = match (clang(), toolchain::find_linker()) {
            (None, Some(_)) => &PACKAGES[..1],
            (Some(_), None) => &PACKAGES[1..],
            _ => &PACKAGES,
        };
        packages::install(packages, "clang (the compiler of the guest in C)", may)?;
        Tools::present().with_context(|| {
            format!("{} are installed, but not in PATH: look there", PACKAGES.join(" and "))
        })
    }
}

fn clang() -> Option<PathBuf> {
    workspace::find_program("clang").or_else(|| toolchain::newest("clang"))
}

/// Builds the guest and returns its ELF file.
pub fn build(arch: Arch, may: MayInstall) -> Result<PathBuf> {
    let tools = Tools::find(may)?;
    let root = folder();
    let out = workspace::target_folder(&format!("guest-c/{arch}"))?;
    let mut objects = Vec::new();
    for source in sources(&root, arch)? {
        let name = source.display().to_string().replace('/', "-");
        let object = out.join(format!("{name}.o"));
        // Relative names, so that reports of failed tests name the files as people do.
        let mut command = Command::new(&tools.clang);
        command.current_dir(&root);
        command.arg("--config").arg(root.join(format!("{arch}.cfg")));
        command.args(["-Ikernel", "-Isuite", "-I"]).arg(header_folder());
        command.arg("-c").arg(&source).arg("-o").arg(&object);
        process::run(&mut command)
            .with_context(|| format!("{} does not compile", source.display()))?;
        objects.push(object);
    }
    let image = out.join("c-guest");
    let mut command = Command::new(&tools.linker);
    command.args(["-static", "-z", "max-page-size=4096", "-T"]).arg(root.join("guest.ld"));
    command.args(&objects).arg("-o").arg(&image);
    process::run(&mut command).context("the guest in C does not link")?;
    Ok(image)
}

/// Where `paravane.h` is.
fn header_folder() -> PathBuf {
    workspace::root().join("hypercall-abi/include")
}

/// The files that make the guest for an architecture, by their paths from its folder.
fn sources(root: &Path, arch: Arch) -> Result<Vec<PathBuf>> {
    let entry = format!("entry_{arch}.S");
    let mut found = Vec::new();
    for folder in FOLDERS {
        let path = root.join(folder);
        let entries = std::fs::read_dir(&path)
            .with_context(|| format!("cannot read the folder {}", path.display()))?;
        for file in entries {
            let name = file?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".c") || name == entry {
                found.push(Path::new(folder).join(name));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_architecture_has_its_entry_and_its_flags() {
        for arch in Arch::ALL {
            let sources = sources(&folder(), arch).expect("the folder is there");
            let entries: Vec<_> =
                sources.iter().filter(|path| path.extension().is_some_and(|e| e == "S")).collect();
            assert_eq!(entries, [Path::new(&format!("kernel/entry_{arch}.S"))]);
            assert!(sources.contains(&"tests/pt_pin.c".into()));
            assert!(folder().join(format!("{arch}.cfg")).exists());
        }
    }
}
