//! `cargo xtask conformance`: the conformance suite, on the core's model on the host or as
//! a guest under the booted hypervisor.

mod advisories;
pub mod c_tests;
mod emulated;
mod guest;
mod host;
mod results;
mod tap;

pub use emulated::{emulated, machine, typed};
pub use guest::Guest;
pub use results::{Case, Results, Verdict};

use crate::arch::Arch;
use crate::build::write;
use crate::packages::MayInstall;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Run the conformance tests: on both architectures, unless told otherwise.
#[derive(Args)]
pub struct Conformance {
    /// Under the hypervisor on this architecture; both if neither this nor --host is given.
    #[arg(long, conflicts_with = "host")]
    arch: Option<Arch>,
    /// Against the core's model of a machine, on the host.
    #[arg(long)]
    host: bool,
    /// Who runs them: `rust`, our guest with the whole suite; `c`, the guest in C with a part
    /// of it; or an ELF file or a crate's folder, a guest of your own.
    #[arg(long, value_name = "GUEST", default_value = "rust", conflicts_with = "host")]
    guest: Guest,
    /// Only tests whose name, such as `pt_pin::success`, contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// List the tests with the clauses that they check, and run none.
    #[arg(long)]
    list: bool,
    /// Count the published advisories by what answers them, and run nothing.
    #[arg(long, conflicts_with_all = ["list", "host", "arch", "guest", "junit"])]
    catalogue: bool,
    /// With --catalogue: as JSON, with every advisory.
    #[arg(long, requires = "catalogue")]
    json: bool,
    /// Debug images: assertions, and the audit after what guests do.
    #[arg(long)]
    debug: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Conformance {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        if self.catalogue {
            return advisories::print(self.json);
        }
        let tests = self.guest.tests(&self.filter)?;
        if self.list {
            let tests = tests.with_context(|| {
                format!("only {} itself knows which tests it has: run it", self.guest)
            })?;
            for (name, clauses) in tests {
                println!("{name:50} {clauses}");
            }
            return Ok(());
        }
        let may = MayInstall(!self.no_install);
        let mut suites = Vec::new();
        if self.host {
            let progress = Progress::new("conformance, host");
            let results = host::host(&self.filter, &progress)?;
            progress.done(&results.to_string());
            suites.push(("host".to_owned(), results));
        } else {
            for arch in Arch::chosen(self.arch) {
                let progress = Progress::new(&self.guest.title(arch.name()));
                let results =
                    emulated(arch, self.debug, may, &self.guest, &self.filter, &progress)?;
                progress.done(&results.to_string());
                suites.push((arch.name().to_owned(), results));
            }
        }
        if let Some(path) = &self.junit {
            write(path, results::junit(&suites)?.as_bytes())?;
        }
        let failed: usize = suites.iter().map(|(_, results)| results.failed()).sum();
        if failed > 0 {
            bail!("{failed} conformance tests did not succeed, see above");
        }
        Ok(())
    }
}
