//! The guests' test programs on the host's own Linux: what they print there is what is expected of
//! them in a guest. So a program that fails in a guest shows a fault of the guest's kernel. And
//! the same programs in guests.

use super::count::{Count, counted, section};
use crate::arch::Arch;
use crate::equivalence;
use crate::packages::MayInstall;
use crate::programs::{Case, cases};
use crate::rootfs;
use anyhow::{Context, Result, bail, ensure};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
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
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).context("cannot change the folder")?;
        rootfs::lay_out(arch, may, folder.path())?;
        for case in cases()? {
            section.progress.at(&case.name);
            section.test(&case.name, run(&case, folder.path()));
        }
        Ok(())
    })
}

/// Runs every case in guests, native and paravirtual.
pub fn guests(arch: Arch, may: MayInstall) -> Count {
    section(&equivalence::title(arch), |section| {
        for (name, result) in equivalence::compare(arch, may, "", section.progress)?.tests() {
            section.test(&name, result);
        }
        Ok(())
    })
}

fn run(case: &Case, root: &Path) -> Result<()> {
    let (mut reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let mut command = case.command(root);
    let errors = writer.try_clone().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer).stderr(errors);
    let mut child = command.spawn().context("cannot run it")?;
    // With the command go our own ends of the pipe: the output ends when the last process does.
    drop(command);
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut output = Vec::new();
        let read = reader.read_to_end(&mut output);
        // Nobody waits for it when the time is up.
        let _ = sender.send(read.map(|_| output));
    });
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        let _ = child.kill();
        let _ = child.wait();
        bail!("it did not end within {LIMIT:?}");
    };
    let output = output.context("cannot read what it prints")?;
    let status = child.wait().context("cannot wait for it")?;
    let output = String::from_utf8_lossy(&output);
    case.compare(&output).with_context(|| format!("it printed\n{output}"))?;
    ensure!(status.success(), "it ended badly: {status}");
    Ok(())
}
