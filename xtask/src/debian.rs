//! Packages of Debian's for any of its architectures, unpacked into a folder of ours.
//!
//! `apt-get` does the work, with lists, a cache and sources of its own below the target directory:
//! the system's state stays as it is, and nobody has to be root. apt checks what it downloads by
//! the archive's signature and the hashes in its index. Where the archive is the system's own
//! sources say.

use crate::arch::Arch;
use crate::process;
use crate::workspace::find_program;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first release of Debian's with both architectures. It comes first on each, so that both
/// get the same version of a package.
const RELEASE: &str = "trixie";

/// Keys of Debian's archive, where Debian keeps them; else apt uses those that it trusts.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Programs that this takes.
const PROGRAMS: [&str; 2] = ["apt-get", "dpkg-deb"];

/// A package that has been unpacked.
pub struct Unpacked {
    /// The folder that holds its files, gone with this value.
    pub folder: tempfile::TempDir,
    /// The name of its file, which has its version.
    pub file: String,
}

/// Debian's name of an architecture.
fn name(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "amd64",
        Arch::Riscv64 => "riscv64",
    }
}

/// The first program that is missing.
pub fn missing() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| find_program(program).is_none())
}

/// Downloads a package and unpacks it; keeps nothing but the result, which lies in `within`.
pub fn unpacked(package: &str, arch: Arch, within: &Path) -> Result<Unpacked> {
    if let Some(program) = missing() {
        bail!("{program} is not here, which gets Debian's package {package}");
    }
    let archives = archives(&listed_sources()?)?;
    let work = tempfile::tempdir_in(within).context("cannot make a temporary folder")?;
    let mut errors = String::new();
    for archive in archives {
        match download(package, arch, &archive, work.path()) {
            Ok(deb) => {
                let folder = tempfile::tempdir_in(within).context("cannot make a folder")?;
                process::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(folder.path()))?;
                let file = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(Unpacked { folder, file });
            }
            Err(error) => write!(errors, "\nrelease {}: {error:#}", archive.release)?,
        }
    }
    bail!(
        "Debian's package {package} for {} cannot be got from the archive that this system's sources name: is there a network?{errors}",
        name(arch)
    )
}

/// A release in an archive.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Archive {
    uri: String,
    release: String,
}

/// The package lists that the system's sources name, a line each: address, release, component.
fn listed_sources() -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--no-release-info", "--format"]);
    command.args(["$(REPO_URI) $(RELEASE) $(COMPONENT)", "Identifier: Packages"]);
    process::read(&mut command).context("cannot ask apt for the system's sources")
}

/// Where to look, best first: [`RELEASE`] in the system's own archive, then the system's release.
fn archives(sources: &str) -> Result<Vec<Archive>> {
    let mut archives: Vec<Archive> = Vec::new();
    for line in sources.lines() {
        let [uri, release, "main"] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            continue;
        };
        // Not what adds to a release, such as its security fixes: that archive has no package
        // that has none.
        if release.contains('-') || release.contains('/') {
            continue;
        }
        for release in [RELEASE, release] {
            let archive = Archive { uri: uri.to_owned(), release: release.to_owned() };
            if !archives.contains(&archive) {
                archives.push(archive);
            }
        }
    }
    if archives.is_empty() {
        bail!(
            "apt's sources name no archive with a component `main`: add Debian's to /etc/apt/sources.list.d"
        );
    }
    archives.sort_by_key(|archive| archive.release != RELEASE);
    Ok(archives)
}

/// Downloads the package; the file.
fn download(package: &str, arch: Arch, archive: &Archive, work: &Path) -> Result<PathBuf> {
    let folder = tempfile::tempdir_in(work).context("cannot make a temporary folder")?;
    let root = folder.path();
    for name in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(root.join(name)).context("cannot make a folder for apt")?;
    }
    let keys =
        if Path::new(KEYS).exists() { format!("Signed-By: {KEYS}\n") } else { String::new() };
    let sources = format!(
        "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\n{keys}",
        archive.uri, archive.release
    );
    for (name, text) in [("own.sources", sources.as_str()), ("status", "")] {
        std::fs::write(root.join(name), text).context("cannot write apt's configuration")?;
    }
    apt(root, arch, root, &["update", "--error-on=any"])?;
    apt(root, arch, work, &["download", package])?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    let files = std::fs::read_dir(work).context("cannot read the folder of the download")?;
    let found = files.filter_map(|file| Some(file.ok()?.path())).find(is_package);
    found.with_context(|| format!("apt-get downloaded no file of package {package}"))
}

/// Runs `apt-get` in `folder` with a configuration of its own below `root`.
fn apt(root: &Path, arch: Arch, folder: &Path, words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    let mut set = |key: &str, value: &str| {
        command.arg("-o").arg(format!("{key}={value}"));
    };
    let own = |name: &str| root.join(name).display().to_string();
    set("Dir::State::Lists", &own("lists"));
    set("Dir::State::status", &own("status"));
    set("Dir::Cache", &own("cache"));
    set("Dir::Etc::sourcelist", &own("own.sources"));
    for unused in ["sourceparts", "preferences", "preferencesparts"] {
        set(&format!("Dir::Etc::{unused}"), "/dev/null");
    }
    set("APT::Architecture", name(arch));
    set("APT::Architectures", name(arch));
    set("Acquire::Languages", "none");
    // Descriptions for programs that show packages: three times as much as the index.
    set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false");
    // apt's own user may not enter our folder.
    set("APT::Sandbox::User", "root");
    command.args(words).current_dir(folder).env("LC_ALL", "C").stdin(Stdio::null());
    // Without its options, which are only about where things are.
    let line = format!("apt-get {}", words.join(" "));
    let output = command.output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_archive_is_asked_for_the_release_with_both_architectures_first() {
        let sources = "http://a/debian/ bookworm main\nhttp://a/debian/ bookworm-updates main\n\
                       http://b/security/ bookworm-security main\nhttp://c/ nodistro contrib\n\
                       http://a/debian/ bookworm main\n";
        let found = archives(sources).expect("there is one");
        let archive =
            |release: &str| Archive { uri: "http://a/debian/".into(), release: release.into() };
        assert_eq!(found, [archive("trixie"), archive("bookworm")]);
        assert_eq!(archives("http://a/ trixie main\n").expect("there is one").len(), 1);
    }

    #[test]
    fn no_archive_is_an_error_with_a_mend() {
        for sources in ["", "http://c/ nodistro contrib\n", "http://s/ x-security main\n"] {
            let error = archives(sources).expect_err(sources).to_string();
            assert!(error.contains("/etc/apt/sources.list.d"), "{error}");
        }
    }
}
