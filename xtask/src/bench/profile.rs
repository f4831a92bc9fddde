//! `cargo xtask bench --profile ROW`: where the instructions of a row of `bench --programs` go, by
//! function. Each side runs twice, the second time doing twice as much: the difference is exact.

use super::executed::{Executed, LOG};
use super::programs::{LIMIT, domain, keys, native_options};
use crate::arch::Arch;
use crate::build::read;
use crate::images::{Builder, HYPERVISOR};
use crate::machine::{self, Ending, Input, Wants};
use crate::native::{NATIVE, Native};
use crate::packages::MayInstall;
use crate::progress::Progress;
use crate::{names, qemu, rootfs, table};
use anyhow::{Context, Result, anyhow, bail};
use elf::{
    ElfBytes,
    abi::{SHN_LORESERVE, STT_FUNC},
    endian::LittleEndian,
};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is done in the shorter run: cheap things as often as spreads what comes now and then.
fn repetitions(row: &str) -> i64 {
    if row.starts_with("fork") || ["sh_c", "mmap", "page_fault"].contains(&row) { 10 } else { 500 }
}

/// Functions of less than so many instructions are left out.
const LEAST: i64 = 5;

/// Functions by their first addresses: in which image, and their names.
#[derive(Default)]
struct Functions(BTreeMap<u64, (&'static str, String)>);

impl Functions {
    fn add(&mut self, image: &'static str, file: &Path) -> Result<()> {
        let bytes = read(file)?;
        let parsed = ElfBytes::<LittleEndian>::minimal_parse(&bytes);
        let tables = parsed.and_then(|parsed| parsed.symbol_table());
        let tables = tables.with_context(|| format!("{} is no ELF file", file.display()))?;
        let (symbols, texts) =
            tables.with_context(|| format!("{} has no symbols", file.display()))?;
        for symbol in symbols.iter() {
            let name = texts.get(symbol.st_name as usize).unwrap_or_default();
            // Assembly has symbols without a type, and constants that lie nowhere.
            let lies = (1..SHN_LORESERVE).contains(&symbol.st_shndx);
            if lies && symbol.st_symtype() <= STT_FUNC && is_function(name) {
                let name = format!("{:#}", rustc_demangle::demangle(name));
                self.0.entry(symbol.st_value).or_insert((image, name));
            }
        }
        Ok(())
    }

    fn of(&self, address: u64) -> (&'static str, &str) {
        match self.0.range(..=address).next_back() {
            Some((start, (image, name))) if address - start < 1 << 20 => (image, name),
            _ => ("programs", ""),
        }
    }

    /// Instructions by function.
    fn sums(&self, executed: &Executed) -> BTreeMap<(&'static str, &str), i64> {
        let mut sums = BTreeMap::new();
        for ((address, length), count) in &executed.0 {
            *sums.entry(self.of(*address)).or_default() += *length as i64 * count;
        }
        sums
    }
}

/// Whether a symbol can be a function's name: not the labels that assemblers leave within one,
/// `.L` and on riscv64 `$x` for a stretch of instructions.
fn is_function(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['.', '$'])
}

/// Measures and prints.
pub fn run(arch: Option<Arch>, row: &str, may: MayInstall) -> Result<()> {
    if !keys().any(|key| key == row) {
        let all: Vec<&str> = keys().collect();
        bail!("--profile {row}: there is no such row; there are {}", all.join(", "));
    }
    for arch in Arch::chosen(arch) {
        let archive = rootfs::archive(arch, may)?;
        let progress = Progress::new(&format!("bench --profile {row}, {arch}"));
        for side in [Side::Native, Side::Domain] {
            progress.at(side.name());
            let [once, twice] = [1, 2].map(|times| {
                let words = format!("repeat {row} {}", times * repetitions(row));
                side.executed(arch, may, &archive, &words)
            });
            let functions = side.functions(arch, may)?;
            let text = figures(&functions.sums(&twice?.more_than(&once?)), repetitions(row));
            println!("{arch}, {}: {row}, guest instructions\n{text}", side.name());
        }
        progress.done("done");
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Native,
    Domain,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Native => "native",
            Side::Domain => "paravirtual",
        }
    }

    /// Where the functions are.
    fn functions(self, arch: Arch, may: MayInstall) -> Result<Functions> {
        let builder = Builder::new(arch, false, may)?;
        let mut functions = Functions::default();
        match self {
            Side::Native => functions.add("kernel", &builder.package(NATIVE)?)?,
            Side::Domain => {
                functions.add("hypervisor", &builder.package(HYPERVISOR)?)?;
                functions.add("kernel", &builder.package(crate::images::GUEST)?)?;
            }
        }
        Ok(functions)
    }

    /// What a run executes.
    fn executed(
        self,
        arch: Arch,
        may: MayInstall,
        archive: &Path,
        words: &str,
    ) -> Result<Executed> {
        match self {
            Side::Native => {
                let options = native_options(archive, words);
                let native = Native {
                    arch,
                    debug: false,
                    may,
                    memory: None,
                    options: &options,
                    limit: Some(LIMIT),
                };
                logged(native.command(false)?)
            }
            Side::Domain => {
                let (plan, ready) = domain(arch, may, archive, words)?;
                logged(qemu::command(&ready.qemu, arch, &ready.boot(&plan)))
            }
        }
    }
}

/// Runs a machine and reads its log as it comes: it would fill a disk.
fn logged(mut command: Command) -> Result<Executed> {
    let (log, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.args(LOG).stdin(Stdio::null()).stderr(writer);
    let reader = std::thread::spawn(move || Executed::read(BufReader::new(log)));
    let ending = machine::boot(&mut command, Some(LIMIT), Input::None, |_| Wants::More);
    // With the command goes our end of the pipe, and the log ends.
    drop(command);
    let executed = reader.join().map_err(|_| anyhow!("the reader of the log failed"))?;
    match ending? {
        Ending::Exited(_) => executed.context("cannot read the log"),
        _ => bail!("the machine did not end in {LIMIT:?}"),
    }
}

fn figures(sums: &BTreeMap<(&'static str, &str), i64>, repetitions: i64) -> String {
    let mut rows: Vec<_> = sums.iter().map(|(key, sum)| (*key, sum / repetitions)).collect();
    rows.sort_by_key(|(key, each)| (-each, *key));
    let mut images: BTreeMap<&str, i64> = BTreeMap::new();
    rows.iter().for_each(|((image, _), each)| *images.entry(*image).or_default() += each);
    let mut table = table::new(&["instructions", "in", "function"]);
    let count = |each: i64| names::grouped(each.unsigned_abs());
    for (image, each) in &images {
        table.add_row([count(*each), (*image).to_owned(), "all".to_owned()]);
    }
    for ((image, name), each) in rows.iter().filter(|(_, each)| *each >= LEAST) {
        table.add_row([count(*each), (*image).to_owned(), (*name).to_owned()]);
    }
    table::align_right(&mut table, 0..1);
    table::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn labels_within_functions_are_none() {
        for name in ["", ".L0", ".Lpcrel_hi12", "$x", "$d"] {
            assert!(!is_function(name), "{name}");
        }
        assert!(is_function("trap_entry") && is_function("_RNvNtC4core3fmt"));
    }

    #[test]
    fn instructions_belong_to_the_function_before_them() {
        let mut functions = Functions::default();
        functions.0.insert(0x1000, ("kernel", "one".into()));
        functions.0.insert(0x1100, ("hypervisor", "two".into()));
        let blocks = [((0x1000, 3), 20), ((0x10f0, 5), 10), ((0x1100, 7), 10), ((0x10, 1), 100)];
        let executed = Executed(HashMap::from(blocks));
        let sums = functions.sums(&executed);
        assert_eq!(sums[&("kernel", "one")], 110);
        assert_eq!(sums[&("hypervisor", "two")], 70);
        assert_eq!(sums[&("programs", "")], 100);
        let text = figures(&sums, 10);
        let (one, two) = (text.find("one").expect("a row"), text.find("two").expect("a row"));
        assert!(one < two && text.contains("11") && text.contains("programs"), "{text}");
    }
}
