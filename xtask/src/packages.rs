//! Distribution packages: installed where that is allowed, else named in the error.

use crate::process;
use crate::workspace::find_program;
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Held while packages are installed: tests of two architectures may want some at once.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Whether missing things may be installed (`--no-install` forbids it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MayInstall(pub bool);

/// The command that installs the packages on Debian and its like.
pub fn command_line(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!(
        "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Whether [`install`] can work here: `apt-get` is there, we are root, and it is allowed.
pub fn can_install(may: MayInstall) -> bool {
    may.0 && is_root() && find_program("apt-get").is_some()
}

/// Installs the packages, saying so. `what` is what they are needed for.
pub fn install(packages: &[&str], what: &str, may: MayInstall) -> Result<()> {
    if !can_install(may) {
        let why = if may.0 { "" } else { " (--no-install was given)" };
        bail!("{what} is missing{why}; on Debian install it with:\n  {}", command_line(packages));
    }
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    eprintln!("installing for {what}: {}", packages.join(" "));
    let update = process::run(apt_get().arg("update").arg("-q"));
    update.with_context(|| format!("cannot install {what}"))?;
    let mut command = apt_get();
    command.args(["install", "-y", "-q", "--no-install-recommends"]).args(packages);
    process::run(&mut command).with_context(|| {
        format!("cannot install {what}; by hand it would be:\n  {}", command_line(packages))
    })
}

/// `apt-get` that asks nothing and writes to our error output.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_command_when_installing_is_forbidden() {
        let error =
            install(&["no-such-package"], "a tool", MayInstall(false)).expect_err("forbidden");
        let text = error.to_string();
        assert!(text.contains("a tool is missing (--no-install was given)"));
        assert!(text.contains("apt-get install -y --no-install-recommends no-such-package"));
    }
}
