//! `cargo xtask lint`: what the compiler does not check: one name everywhere, where unsafe
//! code may stand, sizes of files, the catalogue of advisories, the pages that are written; then
//! rustfmt and clippy, on the images too.

mod advisories;
mod calls;
mod files;
mod unsafe_code;

use crate::arch::Arch;
use crate::images::{Builder, IMAGES, PROGRAMS};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{process, spec, toolchain, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Check names, unsafe code, files, formatting and clippy.
#[derive(Args)]
pub struct Lint {
    /// Only what needs no compiler: names, unsafe code, files.
    #[arg(long)]
    quick: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

/// What a check found.
#[derive(Default)]
struct Findings {
    /// What must be mended.
    errors: Vec<String>,
    /// What should be looked at.
    warnings: Vec<String>,
}

/// A source file.
pub struct Source {
    /// Its path from the workspace's folder.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Lint {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let root = workspace::root();
        let sources = sources(root)?;
        let mut findings = Findings::default();
        calls::check(root, &mut findings)?;
        advisories::check(root, &mut findings)?;
        files::check(&sources, &mut findings);
        unsafe_code::check(root, &sources, &mut findings);
        let pages = spec::pages(&spec::of_tree()?)?;
        for page in pages.iter().filter(|page| page.is_out_of_date()) {
            findings.errors.push(format!(
                "{}: out of date; run `cargo xtask spec`",
                page.path.strip_prefix(root).unwrap_or(&page.path).display()
            ));
        }
        for warning in &findings.warnings {
            println!("warning: {warning}");
        }
        for error in &findings.errors {
            println!("error: {error}");
        }
        let mut failed = findings.errors.len();
        if !self.quick {
            failed += compilers(MayInstall(!self.no_install))?;
        }
        if failed > 0 {
            bail!("{failed} checks failed, see above");
        }
        println!("{} files: nothing to mend", sources.len());
        Ok(())
    }
}

/// rustfmt and clippy; returns how many of them failed.
fn compilers(may: MayInstall) -> Result<usize> {
    let mut failed = 0;
    let mut step = |title: String, command: &mut Command| {
        let progress = Progress::new(&title);
        match process::run(command) {
            Ok(()) => progress.done("ok"),
            Err(error) => {
                failed += 1;
                progress.done(&format!("{error:#}"));
            }
        }
    };
    let mut command = Command::new(toolchain::cargo());
    step(
        "rustfmt".into(),
        command.current_dir(workspace::root()).args(["fmt", "--all", "--check"]),
    );
    let mut command = Command::new(toolchain::cargo());
    let fuzz = workspace::root().join("fuzz");
    step("rustfmt, fuzz targets".into(), command.current_dir(fuzz).args(["fmt", "--check"]));
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(workspace::root());
    command.args(["clippy", "--quiet", "--all-targets", "--workspace"]);
    command.args(IMAGES.iter().flat_map(|package| ["--exclude", package]));
    step("clippy, host".into(), command.args(["--", "-Dwarnings"]));
    for arch in Arch::ALL {
        let builder = Builder::new(arch, false, may)?;
        for package in IMAGES {
            let mut command = builder.release("clippy")?;
            command.current_dir(workspace::root());
            command.args(["--quiet", "--package", package, "--", "-Dwarnings"]);
            step(format!("clippy, {package} for {arch}"), &mut command);
        }
        let mut command = builder.release("clippy")?;
        command.current_dir(workspace::root());
        command.args(["--quiet", "--package", PROGRAMS, "--features", "programs"]);
        step(format!("clippy, {PROGRAMS} for {arch}"), command.args(["--", "-Dwarnings"]));
    }
    Ok(failed)
}

/// Every Rust file of the workspace, in the order of their paths.
pub fn sources(root: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let tagged = path.join("CACHEDIR.TAG").exists();
                if !name.starts_with('.') && name != "target" && !tagged {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
