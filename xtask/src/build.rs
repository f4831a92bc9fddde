//! `cargo xtask build`: builds the images and says how large they are.

use crate::arch::Arch;
use crate::images::{Builder, GUEST, HYPERVISOR};
use crate::native::NATIVE;
use crate::packages::MayInstall;
use anyhow::{Context, Result};
use clap::Args;
use pv_bundle::GuestImage;
use std::path::Path;

/// Build the hypervisor, the guest kernel and the native kernel, and print their sizes.
#[derive(Args)]
pub struct Build {
    /// Architecture; both if it is not given.
    #[arg(long)]
    arch: Option<Arch>,
    /// Debug images: assertions, and the audit after what guests do.
    #[arg(long)]
    debug: bool,
    /// Install nothing; say what is missing instead.
    #[arg(long)]
    no_install: bool,
}

impl Build {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        for arch in Arch::chosen(self.arch) {
            let builder = Builder::new(arch, self.debug, MayInstall(!self.no_install))?;
            for package in [HYPERVISOR, GUEST, NATIVE] {
                let path = builder.package(package)?;
                let bytes = read(&path)?;
                if package == GUEST {
                    GuestImage::parse(&bytes, arch.elf())
                        .with_context(|| format!("{}", path.display()))?;
                }
                let sizes = sizes(&bytes).with_context(|| format!("{}", path.display()))?;
                println!(
                    "{arch:8} {package:16} {:>7} bytes of text and read-only data, {:>7} of data  {}",
                    sizes.fixed,
                    sizes.variable,
                    path.display()
                );
            }
        }
        Ok(())
    }
}

/// Reads a file, with an error that names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!(
            "cannot read {}: check the path, relative paths start where you are",
            path.display()
        )
    })
}

/// Writes a file, with an error that names it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| {
        format!("cannot write {}: does its folder exist, and may you write there?", path.display())
    })
}

/// Bytes of an image in memory.
struct Sizes {
    /// In segments that cannot be written.
    fixed: u64,
    /// In segments that can, zeros included.
    variable: u64,
}

fn sizes(bytes: &[u8]) -> Result<Sizes> {
    use elf::{ElfBytes, abi, endian::LittleEndian};
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes)?;
    let mut sizes = Sizes { fixed: 0, variable: 0 };
    for header in file.segments().context("the file has no segments")?.iter() {
        if header.p_type == abi::PT_LOAD {
            let of = if header.p_flags & abi::PF_W == 0 {
                &mut sizes.fixed
            } else {
                &mut sizes.variable
            };
            *of += header.p_memsz;
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_program_has_text_and_data() {
        let own = read(&std::env::current_exe().expect("a path")).expect("reads");
        let sizes = sizes(&own).expect("an ELF file");
        assert!(sizes.fixed > 100_000 && sizes.variable > 0);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/no/such/guest")).expect_err("missing");
        assert!(error.to_string().contains("/no/such/guest"));
    }
}
