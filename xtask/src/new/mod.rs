//! `cargo xtask new DIR`: a guest kernel of one's own, which builds and boots at once.

use crate::build::{read, write};
use crate::workspace;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};

/// Make a guest kernel of your own in a new folder, outside this workspace.
#[derive(Args)]
pub struct New {
    /// The folder to make; its name is the crate's.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// With the conformance suite in it, in src/suite.rs, for `cargo xtask conformance --guest`.
    #[arg(long)]
    conformance: bool,
}

const MANIFEST: &str = include_str!("template/Cargo.toml.in");
const BUILD: &str = include_str!("template/build.rs.in");
const MAIN: &str = include_str!("template/main.rs.in");
const SUITE: &str = include_str!("template/suite.rs.in");

/// What the suite adds to the three files.
const DEPENDENCY: &str = r#"# The conformance suite, which src/suite.rs runs.
conformance = { path = "@CONFORMANCE@" }
"#;
const MODULE: &str = "mod suite;\n\n";
const CALL: &str = r#"    if info.command_line().contains("role=") {
        return suite::run(info);
    }
"#;

impl New {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let folder = create(&self.folder, workspace::root(), self.conformance)?;
        println!("made {}; build and boot it with:", folder.display());
        println!("  cargo xtask run --guest {}", folder.display());
        println!("or on the other architecture:");
        println!("  cargo xtask run --arch riscv64 --guest {}", folder.display());
        if self.conformance {
            println!("run the conformance suite in it, on both architectures, with:");
            println!("  cargo xtask conformance --guest {}", folder.display());
        }
        Ok(())
    }
}

/// Makes the crate, with the suite in it or without; returns its folder's full path.
pub fn create(folder: &Path, root: &Path, conformance: bool) -> Result<PathBuf> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.filter(|name| is_crate_name(name)).with_context(|| {
        format!(
            "`{}` does not end in a name for a crate: use lower-case letters, digits, - and _, a letter first",
            folder.display()
        )
    })?;
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().with_context(|| {
        format!("{} is not there: make it first, with `mkdir -p {0}`", parent.display())
    })?;
    if parent.starts_with(root) {
        bail!(
            "{} is inside Paravane's own tree: name a folder outside {}, such as ../{name}",
            folder.display(),
            root.display()
        );
    }
    let folder = parent.join(&name);
    if folder.exists() {
        bail!("{} is there already: name another folder, or remove it", folder.display());
    }
    std::fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let runtime = root.join("pv-guest-kernel/runtime");
    let in_toml = |path: &Path| path.display().to_string().replace('\\', "\\\\");
    let with_suite = |text| if conformance { text } else { "" };
    let manifest = MANIFEST
        .replace("@NAME@", &name)
        .replace("@DEPENDENCY@", with_suite(DEPENDENCY))
        .replace("@RUNTIME@", &in_toml(&runtime))
        .replace("@CONFORMANCE@", &in_toml(&root.join("tests/conformance")));
    let main = MAIN.replace("@MODULE@", with_suite(MODULE)).replace("@CALL@", with_suite(CALL));
    write(&folder.join("Cargo.toml"), manifest.as_bytes())?;
    write(&folder.join("build.rs"), BUILD.as_bytes())?;
    write(&folder.join("src/main.rs"), main.as_bytes())?;
    if conformance {
        write(&folder.join("src/suite.rs"), SUITE.as_bytes())?;
    }
    write(&folder.join(".gitignore"), b"/target\n")?;
    write(&folder.join("guest.ld"), &read(&runtime.join("guest.ld"))?)?;
    // The versions that Paravane itself is built with.
    write(&folder.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
    Ok(folder)
}

fn is_crate_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_made_once_and_outside() {
        let outside = tempfile::tempdir().expect("a folder");
        let folder =
            create(&outside.path().join("my-kernel"), workspace::root(), false).expect("made");
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("written");
        assert!(manifest.contains("name = \"my-kernel\"") && !manifest.contains('@'), "{manifest}");
        for file in ["build.rs", "guest.ld", "src/main.rs", "Cargo.lock"] {
            assert!(folder.join(file).exists(), "{file}");
        }
        let again =
            create(&folder, workspace::root(), false).expect_err("there already").to_string();
        assert!(again.contains("there already"), "{again}");
        let inside =
            create(&workspace::root().join("k"), workspace::root(), false).expect_err("inside");
        assert!(inside.to_string().contains("outside"), "{inside}");
    }

    #[test]
    fn the_suite_comes_when_it_is_asked_for() {
        let outside = tempfile::tempdir().expect("a folder");
        let made = |name, conformance| {
            let folder = create(&outside.path().join(name), workspace::root(), conformance);
            let folder = folder.expect("made");
            let main = std::fs::read_to_string(folder.join("src/main.rs")).expect("written");
            assert!(!main.contains('@'), "{main}");
            (folder.join("src/suite.rs").exists(), main.contains("suite::run(info)"))
        };
        assert_eq!(made("with", true), (true, true));
        assert_eq!(made("without", false), (false, false));
    }

    #[test]
    fn names_that_cargo_would_not_take_are_refused() {
        let outside = tempfile::tempdir().expect("a folder");
        for name in ["1kernel", "My", "a b", ".."] {
            let error =
                create(&outside.path().join(name), workspace::root(), false).expect_err(name);
            assert!(error.to_string().contains("name for a crate"), "{error}");
        }
        let nowhere = outside.path().join("no/such/kernel");
        assert!(
            create(&nowhere, workspace::root(), false)
                .expect_err("no parent")
                .to_string()
                .contains("mkdir")
        );
    }
}
