//! QEMU: finding it, its version, and the command line of a machine.

use crate::arch::Arch;
use crate::packages::{self, MayInstall};
use crate::process;
use crate::workspace::find_program;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest version that is known to work.
pub const MINIMUM: (u32, u32) = (7, 2);

/// The program's name.
pub fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "qemu-system-x86_64",
        Arch::Riscv64 => "qemu-system-riscv64",
    }
}

/// The packages that bring it, on Debian.
pub fn package_names(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::X86_64 => &["qemu-system-x86"],
        Arch::Riscv64 => &["qemu-system-misc", "opensbi"],
    }
}

/// Finds QEMU, installs it if it is missing and that is allowed, and checks its version.
pub fn find(arch: Arch, may: MayInstall) -> Result<PathBuf> {
    let name = program(arch);
    if find_program(name).is_none() {
        packages::install(package_names(arch), name, may)?;
    }
    let path = find_program(name)
        .with_context(|| format!("{name} is still not in PATH: add its folder to PATH"))?;
    let found = version(&path)?;
    if found < MINIMUM {
        bail!(
            "{} is version {}.{}, Paravane needs {}.{} or newer: install a newer one, on Debian with:\n  {}",
            path.display(),
            found.0,
            found.1,
            MINIMUM.0,
            MINIMUM.1,
            packages::command_line(package_names(arch))
        );
    }
    Ok(path)
}

/// The version of a QEMU program.
pub fn version(path: &Path) -> Result<(u32, u32)> {
    let text = process::read(Command::new(path).arg("--version"))?;
    parse_version(&text).with_context(|| {
        format!(
            "{} does not say its version: is it QEMU? It wrote: {}",
            path.display(),
            text.trim()
        )
    })
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let rest = text.split_once("version ")?.1;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What a machine boots.
pub struct Boot<'a> {
    /// The hypervisor's ELF file.
    pub hypervisor: &'a Path,
    /// The bundle, without which there are no guests.
    pub bundle: Option<&'a Path>,
    /// The hypervisor's command line.
    pub command_line: &'a str,
    /// Bytes of memory.
    pub memory: u64,
    /// A file that is its disk, without a format.
    pub disk: Option<&'a Path>,
    /// A socket for the debugger: the machine then waits for it.
    pub debugger: Option<&'a Path>,
    /// Whether somebody sits before it: while it idles, its time goes as theirs does.
    pub is_watched: bool,
}

/// The command that boots a machine. Its serial line is the command's input and output.
///
/// One guest instruction takes one nanosecond of the machine's time, so that every run
/// is the same as the last and time counts instructions; no time passes while nothing runs,
/// unless it is watched. What is random to the machine follows from a number that never changes.
pub fn command(qemu: &Path, arch: Arch, boot: &Boot<'_>) -> Command {
    let mut command = Command::new(qemu);
    match arch {
        Arch::X86_64 => {
            command.args(["-machine", "q35", "-cpu", "qemu64,+fsgsbase,+smep,+nx,+rdrand"]);
            command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        }
        Arch::Riscv64 => {
            command.args(["-machine", "virt", "-cpu", "rv64", "-bios", "default"]);
        }
    }
    command.args(["-m", &format!("{}M", boot.memory.div_ceil(1 << 20))]);
    command.args(["-accel", "tcg,thread=single", "-icount"]);
    command.arg(if boot.is_watched { "shift=0,sleep=on" } else { "shift=0,sleep=off" });
    command.args(["-seed", "1"]);
    command.args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
    command.args(["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"]);
    command.args(["-chardev", "stdio,id=serial,signal=on", "-serial", "chardev:serial"]);
    command.arg("-kernel").arg(boot.hypervisor);
    if let Some(bundle) = boot.bundle {
        command.arg("-initrd").arg(bundle);
    }
    if let Some(disk) = boot.disk {
        // A comma in a value is written twice.
        let file = disk.display().to_string().replace(',', ",,");
        command.args(["-drive", &format!("file={file},format=raw,if=none,id=swap,cache=unsafe")]);
        command.args([
            "-device",
            match arch {
                Arch::X86_64 => "virtio-blk-pci,drive=swap",
                Arch::Riscv64 => "virtio-blk-device,drive=swap",
            },
        ]);
    }
    if !boot.command_line.is_empty() {
        command.args(["-append", boot.command_line]);
    }
    if let Some(socket) = boot.debugger {
        let socket = socket.display();
        command.arg("-S");
        command.args(["-chardev", &format!("socket,path={socket},server=on,wait=off,id=gdb")]);
        command.args(["-gdb", "chardev:gdb"]);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
        assert_eq!(parse_version(debian), Some((7, 2)));
        assert_eq!(parse_version("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(parse_version("QEMU emulator version 9.1.50 (v9.1.0-1-gabc)"), Some((9, 1)));
        assert_eq!(parse_version("bash: not found"), None);
        assert!((7, 1) < MINIMUM && (10, 0) > MINIMUM);
    }

    #[test]
    fn another_program_is_refused() {
        let error = version(Path::new("/bin/echo")).expect_err("no version").to_string();
        assert!(error.contains("is it QEMU?"), "{error}");
    }
}
