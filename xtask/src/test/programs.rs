//! The guests' test programs on the host's own Linux: what they print there is what is expected of
//! them in a guest. So a program that fails in a guest shows a fault of the guest's kernel.

use super::count::{Count, counted, section};
use crate::arch::Arch;
use crate::build::read;
use crate::images::Builder;
use crate::machine::{self, Ending, Wants};
use crate::packages::MayInstall;
use crate::programs::{Case, cases};
use crate::strip::strip;
use anyhow::{Context, Result, bail, ensure};
use pv_wire::Item;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Real time that a program may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The host's own architecture, if guests have it too and the host runs Linux.
fn own() -> Option<Arch> {
    let arch = Arch::ALL.into_iter().find(|arch| arch.name() == std::env::consts::ARCH);
    arch.filter(|_| cfg!(target_os = "linux"))
}

/// Runs every case.
pub fn all(may: MayInstall) -> Count {
    let title = "the guests' programs on the host's Linux";
    let Some(arch) = own() else {
        return counted(title, |_| {
            let why = "not run: the host is no Linux of an architecture that guests have";
            Ok((Count::default(), why.to_owned()))
        });
    };
    section(title, |section| {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        // Some become nobody, who is to enter it too.
        open_to_all(folder.path())?;
        for file in Builder::new(arch, false, may)?.programs()? {
            let path = folder.path().join(file.file_name().unwrap_or_default());
            std::fs::write(&path, strip(&read(&file)?))
                .with_context(|| format!("cannot write {}", path.display()))?;
            open_to_all(&path)?;
        }
        for case in cases()? {
            section.progress.at(&case.name);
            section.test(&case.name, run(&case, folder.path()));
        }
        Ok(())
    })
}

fn open_to_all(path: &Path) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot change {}", path.display()))
}

fn run(case: &Case, folder: &Path) -> Result<()> {
    let words = case.words_in(folder);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder).stdin(Stdio::null());
    command.env_clear().envs(case.environment.iter().map(|(key, value)| (key, value)));
    let mut output = Vec::new();
    let ending = machine::boot(&mut command, Some(LIMIT), |item| {
        if let Item::Outside(bytes) = item {
            output.extend(bytes);
        }
        Wants::More
    })?;
    let output = String::from_utf8_lossy(&output);
    case.compare(&output).with_context(|| format!("it printed\n{output}"))?;
    match ending {
        Ending::Exited(status) => ensure!(status.success(), "it ended badly: {status}"),
        Ending::TimedOut | Ending::Lingered => bail!("it did not end within {LIMIT:?}"),
    }
    Ok(())
}
