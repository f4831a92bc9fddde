//! Modules: files that domains are given beside their images.

use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::{rootfs, size};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The name of the first file system, where a module is named.
const ROOT_FILE_SYSTEM: &str = "rootfs";

/// What a domain's module is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Module {
    /// A file.
    Path(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
    /// The first file system that `cargo xtask rootfs` builds. It is a file once it is built.
    RootFileSystem,
}

impl From<PathBuf> for Module {
    fn from(path: PathBuf) -> Module {
        if path == Path::new(ROOT_FILE_SYSTEM) {
            Module::RootFileSystem
        } else {
            Module::Path(path)
        }
    }
}

impl Module {
    /// The module with what has to be built for it built.
    pub fn built(self, arch: Arch, may: MayInstall) -> Result<Module> {
        match self {
            Module::RootFileSystem => Ok(Module::Path(rootfs::archive(arch, may)?)),
            other => Ok(other),
        }
    }

    /// Its bytes, for the domain of that name.
    pub fn read(&self, domain: &str) -> Result<Vec<u8>> {
        let path = match self {
            Module::Path(path) => path,
            Module::Bytes(bytes) => return Ok(bytes.clone()),
            Module::RootFileSystem => {
                bail!(
                    "the first file system of domain {domain} is not built: run `cargo xtask rootfs`"
                )
            }
        };
        if path.is_dir() {
            bail!(
                "the module {} of domain {domain} is a folder: name a file, such as an archive of it",
                path.display()
            );
        }
        let bytes = std::fs::read(path).with_context(|| {
            format!(
                "cannot read the module {} of domain {domain}: check the path, relative paths start where you are, or at the manifest's folder",
                path.display()
            )
        })?;
        if bytes.is_empty() {
            bail!(
                "the module {} of domain {domain} is empty: leave module= out for none",
                path.display()
            );
        }
        Ok(bytes)
    }

    /// Its name in a bundle.
    pub fn name(&self) -> String {
        match self {
            Module::Path(path) => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Module::Bytes(_) | Module::RootFileSystem => "module".into(),
        }
    }
}

/// The modules of a machine's domains, each once.
pub struct Modules<'a> {
    list: Vec<(&'a Module, Vec<u8>)>,
    of: Vec<Option<usize>>,
}

impl<'a> Modules<'a> {
    /// Reads the modules of domains, of each its name and its module.
    pub fn read(
        domains: impl Iterator<Item = (&'a str, Option<&'a Module>)>,
    ) -> Result<Modules<'a>> {
        let mut modules = Modules { list: Vec::new(), of: Vec::new() };
        for (domain, module) in domains {
            let index = module.map(|module| modules.add(module, domain)).transpose()?;
            modules.of.push(index);
        }
        Ok(modules)
    }

    fn add(&mut self, module: &'a Module, domain: &str) -> Result<usize> {
        if let Some(index) = self.list.iter().position(|(other, _)| *other == module) {
            return Ok(index);
        }
        self.list.push((module, module.read(domain)?));
        Ok(self.list.len() - 1)
    }

    /// Which of them a domain has.
    pub fn of(&self, domain: usize) -> Option<usize> {
        self.of[domain]
    }

    /// Bytes of a domain's module, 0 for none.
    pub fn bytes_of(&self, domain: usize) -> u64 {
        self.of(domain).map_or(0, |module| self.list[module].1.len() as u64)
    }

    /// Names and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (String, &[u8])> {
        self.list.iter().map(|(module, bytes)| (module.name(), bytes.as_slice()))
    }

    /// Fails unless a machine of `memory` bytes holds them, each once more, beside what is
    /// `needed` without them: they travel in the bundle, and lie in the domains' memory.
    pub fn check_machine(&self, needed: u64, memory: u64) -> Result<()> {
        let modules: u64 = self.list.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let total = needed.saturating_add(modules);
        if total > memory {
            bail!(
                "the domains need {} with their modules and the hypervisor's share, the machine has {}: give it more with --memory {}M, or the domains less",
                size::show(total),
                size::show(memory),
                total.div_ceil(1 << 20)
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_share_a_module() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("root.cpio");
        std::fs::write(&file, b"archive").expect("writes");
        let (first, second) = (Module::Path(file.clone()), Module::Bytes(b"other".to_vec()));
        let domains = [("a", Some(&first)), ("b", None), ("c", Some(&second)), ("d", Some(&first))];
        let modules = Modules::read(domains.into_iter()).expect("reads");
        assert_eq!(
            [0, 1, 2, 3].map(|domain| modules.of(domain)),
            [Some(0), None, Some(1), Some(0)]
        );
        assert_eq!([0, 1, 2, 3].map(|domain| modules.bytes_of(domain)), [7, 0, 5, 7]);
        let names: Vec<_> = modules.iter().map(|(name, bytes)| (name, bytes.len())).collect();
        assert_eq!(names, [("root.cpio".to_owned(), 7), ("module".to_owned(), 5)]);
        assert!(modules.check_machine(100, 112).is_ok());
        let error = modules.check_machine(100, 111).expect_err("too small").to_string();
        assert!(error.contains("--memory 1M"), "{error}");
    }

    #[test]
    fn the_first_file_system_has_a_name() {
        assert_eq!(Module::from(PathBuf::from("rootfs")), Module::RootFileSystem);
        let file = PathBuf::from("./rootfs/root.cpio");
        assert_eq!(Module::from(file.clone()), Module::Path(file));
        let error = Module::RootFileSystem.read("web").expect_err("not built").to_string();
        assert!(error.contains("cargo xtask rootfs"), "{error}");
    }

    #[test]
    fn errors_name_the_file_and_the_domain() {
        let folder = tempfile::tempdir().expect("a folder");
        let refusal = |path: PathBuf| {
            let error = Module::Path(path).read("web").expect_err("refused");
            format!("{error:#}")
        };
        let error = refusal(folder.path().join("nowhere"));
        assert!(error.contains("nowhere of domain web: check the path"), "{error}");
        assert!(refusal(folder.path().into()).contains("is a folder: name a file"));
        let empty = folder.path().join("empty");
        std::fs::write(&empty, b"").expect("writes");
        assert!(refusal(empty).contains("is empty: leave module= out"));
    }
}
