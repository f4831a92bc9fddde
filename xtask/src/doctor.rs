//! `cargo xtask doctor`: what is needed, what is found, how to get what is not.

use crate::arch::Arch;
use crate::c_guest::{self, Tools};
use crate::process;
use crate::toolchain::{self, Toolchain};
use crate::workspace::find_program;
use crate::{busybox, debian, packages, qemu, table};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::process::Command;

/// Say what is found, what is required and how to get it. Installs nothing.
#[derive(Args)]
pub struct Doctor {
    /// Write the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that is looked for.
struct Finding {
    what: String,
    /// What it is for.
    purpose: &'static str,
    required: String,
    /// What is there; `None`: nothing that will do.
    found: Option<String>,
    /// How to get it.
    mend: String,
    /// Whether everything stops without it.
    needed: bool,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let findings = findings();
        if self.json {
            let rows: Vec<_> = findings
                .iter()
                .map(|finding| {
                    json!({
                        "what": finding.what,
                        "for": finding.purpose,
                        "required": finding.required,
                        "found": finding.found,
                        "mend": finding.mend,
                        "needed": finding.needed,
                    })
                })
                .collect();
            println!("{:#}", json!(rows));
        } else {
            print(&findings);
        }
        let missing = findings.iter().filter(|row| row.needed && row.found.is_none()).count();
        if missing > 0 {
            bail!(
                "{missing} things that are needed are not here: see above how to get them; `cargo xtask run` does it by itself where it may"
            );
        }
        Ok(())
    }
}

fn print(findings: &[Finding]) {
    let mut table = table::new(&["", "what", "for", "required", "found"]);
    for finding in findings {
        let mark = match (&finding.found, finding.needed) {
            (Some(_), _) => "ok",
            (None, true) => "MISSING",
            (None, false) => "-",
        };
        let found = finding.found.as_deref().unwrap_or("not found");
        table.add_row([mark, &finding.what, finding.purpose, &finding.required, found]);
    }
    print!("{}", table::text(&table));
    for finding in findings.iter().filter(|finding| finding.found.is_none()) {
        println!("\nto get {}:\n  {}", finding.what, finding.mend);
    }
}

fn findings() -> Vec<Finding> {
    let mut findings = vec![Finding {
        what: "Rust for the host".into(),
        purpose: "xtask, host tests",
        required: format!("{} or newer", env!("CARGO_PKG_RUST_VERSION")),
        found: first_line(Command::new("rustc").arg("--version")).filter(|text| new_enough(text)),
        mend: "rustup update stable".into(),
        needed: true,
    }];
    for arch in Arch::ALL {
        findings.push(Finding {
            what: format!("Rust for {}", arch.target()),
            purpose: "images",
            required: "the target's library or its source".into(),
            found: Toolchain::present(arch).map(|toolchain| toolchain.describe()),
            mend: format!(
                "{}\n  or: {}",
                toolchain::rustup_command(arch),
                packages::command_line(&toolchain::PACKAGES)
            ),
            needed: true,
        });
    }
    for arch in Arch::ALL {
        let found = find_program(qemu::program(arch)).and_then(|path| {
            let version = qemu::version(&path).ok().filter(|version| *version >= qemu::MINIMUM)?;
            Some(format!("{}.{} at {}", version.0, version.1, path.display()))
        });
        findings.push(Finding {
            what: qemu::program(arch).into(),
            purpose: "machines",
            required: format!("{}.{} or newer", qemu::MINIMUM.0, qemu::MINIMUM.1),
            found,
            mend: packages::command_line(qemu::package_names(arch)),
            needed: true,
        });
    }
    let optional = |what: &str, purpose, found, mend: String| Finding {
        what: what.into(),
        purpose,
        required: "any".into(),
        found,
        mend,
        needed: false,
    };
    findings.push(optional(
        "gdb",
        "run --gdb",
        first_line(Command::new("gdb-multiarch").arg("--version"))
            .or_else(|| first_line(Command::new("gdb").arg("--version"))),
        packages::command_line(&["gdb-multiarch"]),
    ));
    findings.push(optional(
        "mdbook",
        "spec",
        crate::spec::find_mdbook().and_then(|path| first_line(Command::new(path).arg("--version"))),
        "`cargo xtask spec` installs it into the target directory".into(),
    ));
    for arch in Arch::ALL {
        findings.push(optional(
            &format!("busybox for {arch}"),
            "programs of guests",
            busybox::present(arch).map(|path| path.display().to_string()),
            match debian::missing() {
                None => busybox::command_line(arch),
                Some(program) => format!(
                    "{} --file PATH, with a static busybox: {program} is not here to get Debian's",
                    busybox::command_line(arch)
                ),
            },
        ));
    }
    findings.push(optional(
        "clang and ld.lld",
        "the guest in C",
        Tools::present().and_then(|tools| {
            let version = first_line(Command::new(&tools.clang).arg("--version"))?;
            Some(format!("{version}, {}", tools.linker.display()))
        }),
        packages::command_line(&c_guest::PACKAGES),
    ));
    findings.push(optional(
        "a C compiler",
        "the C header's test",
        first_line(Command::new("cc").arg("--version")),
        packages::command_line(&["gcc", "libc6-dev"]),
    ));
    findings
}

fn first_line(command: &mut Command) -> Option<String> {
    process::read(command).ok()?.lines().next().map(str::to_owned)
}

/// Whether `rustc --version` names the workspace's version or a newer one.
fn new_enough(text: &str) -> bool {
    let version = |text: &str| {
        let mut parts = text.split(['.', '-', ' ']).map_while(|part| part.parse::<u32>().ok());
        Some((parts.next()?, parts.next()?))
    };
    let found = text.strip_prefix("rustc ").and_then(version);
    found >= version(env!("CARGO_PKG_RUST_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_compared_by_number() {
        assert!(new_enough("rustc 1.95.0 (59807616e 2026-04-14)"));
        assert!(new_enough("rustc 2.0.0-nightly"));
        assert!(!new_enough("rustc 1.9.0"));
        assert!(!new_enough("bash: rustc: not found"));
    }

    #[test]
    fn every_finding_says_how_to_get_it() {
        for finding in findings() {
            assert!(!finding.mend.is_empty() && !finding.required.is_empty(), "{}", finding.what);
        }
    }
}
