//! The files of a crate or of a module, by the modules that each declares.

use super::lines::{self, Scanned};
use crate::build::read;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// A module, with what is below it.
pub struct Module {
    /// Its name; of a crate, that of its first file.
    pub name: String,
    /// Its own lines of code, with the assembly that it includes.
    pub own_lines: usize,
    /// What its file says.
    pub scanned: Scanned,
    /// Modules below it.
    pub below: Vec<Module>,
}

impl Module {
    /// Reads a module from its file.
    pub fn read(file: &Path) -> Result<Module> {
        let text = String::from_utf8_lossy(&read(file)?).into_owned();
        let scanned = lines::scan(&text).with_context(|| format!("{}", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut own_lines = scanned.lines.len();
        for name in &scanned.assembly {
            own_lines += lines::assembly(&String::from_utf8_lossy(&read(&folder.join(name))?));
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_first = ["lib", "main", "mod"].contains(&stem.as_str());
        let inside = if is_first { folder.to_owned() } else { folder.join(&stem) };
        let below = scanned
            .modules
            .iter()
            .map(|name| Module::read(&file_of(&inside, name, file)?))
            .collect::<Result<Vec<_>>>()?;
        let name = if stem == "mod" {
            folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
        } else {
            stem
        };
        Ok(Module { name, own_lines, scanned, below })
    }

    /// Its lines and those of what is below it.
    pub fn lines(&self) -> usize {
        self.own_lines + self.below.iter().map(Module::lines).sum::<usize>()
    }

    /// Takes a module below it out.
    pub fn take(&mut self, name: &str) -> Option<Module> {
        let index = self.below.iter().position(|module| module.name == name)?;
        Some(self.below.remove(index))
    }

    /// It and what is below it.
    pub fn all(&self) -> Vec<&Module> {
        let mut all = vec![self];
        all.extend(self.below.iter().flat_map(Module::all));
        all
    }
}

fn file_of(folder: &Path, name: &str, from: &Path) -> Result<PathBuf> {
    let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    match files.iter().find(|file| file.is_file()) {
        Some(file) => Ok(file.clone()),
        None => bail!("module {name} of {} has no file {}", from.display(), files[0].display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_followed_to_their_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\n");
        write("a.rs", "mod c;\nfn f() {}\n");
        write("a/c.rs", "//! No.\nuse x;\n");
        write("b/mod.rs", "global_asm!(include_str!(\"d.s\"));\n");
        write("b/d.s", "nop\nnop\n");
        let mut crate_ = Module::read(&folder.path().join("lib.rs")).expect("reads");
        assert_eq!((crate_.name.as_str(), crate_.lines()), ("lib", 2 + 3 + 3));
        assert_eq!(crate_.all().len(), 4);
        assert_eq!(crate_.take("b").map(|module| module.lines()), Some(3));
        assert!(crate_.take("b").is_none());
        write("lib.rs", "mod nowhere;\n");
        let error = Module::read(&folder.path().join("lib.rs")).err().expect("missing");
        assert!(error.to_string().contains("module nowhere of"), "{error}");
    }
}
