//! `cargo xtask porting-cost`: lines of the guest kernel, and those that it has because it is
//! paravirtual.

mod lines;
mod tree;
mod used;

use crate::{names, table, workspace};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use std::path::Path;
use tree::Module;

/// What the papers report: system, lines, percentage of it.
const REPORTED: [(&str, usize, f64); 2] = [
    ("Linux on Xen (Barham et al. 2003)", 2995, 1.36),
    ("Windows XP on Xen (the same)", 4620, 0.04),
];

/// Modules of the kernel's image that are of neither platform's, and not of the kernel that runs
/// programs: what `cargo xtask run` shows of the interface.
const DEMONSTRATION: [&str; 2] = ["kernel", "demo"];

/// What of that the kernel needs under Paravane all the same: where it begins to run programs, and
/// how it says what went wrong.
const BEGINNING: [&str; 2] = ["programs", "surprise"];

/// Modules that test the machine in a guest: no part of what a kernel needs.
const TESTS: [&str; 2] = ["machine_test", "test"];

/// The paravirtual platform, a module of the image.
const PARAVIRTUAL: &str = "paravirtual";

/// Count lines of code: of the guest kernel, and of what it has because it is paravirtual.
#[derive(Args)]
pub struct PortingCost {
    /// Write the counts as JSON.
    #[arg(long)]
    json: bool,
}

/// Lines of a part.
struct Part {
    name: &'static str,
    kind: Kind,
    lines: usize,
    /// What of it counts, or why it does not.
    note: String,
}

/// What a part is to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// It is the same on every platform.
    Shared,
    /// It is there because the kernel is paravirtual.
    Paravirtual,
    /// It takes the place of that on the bare machine.
    Native,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Shared => "shared",
            Kind::Paravirtual => "paravirtual",
            Kind::Native => "native",
        }
    }
}

impl PortingCost {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let parts = parts(&workspace::root().join("pv-guest-kernel"))?;
        let of = |kind| -> usize {
            parts.iter().filter(|part| part.kind == kind).map(|part| part.lines).sum()
        };
        let paravirtual = of(Kind::Paravirtual);
        let kernel = of(Kind::Shared) + paravirtual;
        let percentage = 100.0 * paravirtual as f64 / kernel as f64;
        if self.json {
            let rows: Vec<_> = parts
                .iter()
                .map(|part| {
                    json!({
                        "part": part.name,
                        "kind": part.kind.name(),
                        "lines": part.lines,
                        "note": part.note,
                    })
                })
                .collect();
            let reported: Vec<_> = REPORTED
                .iter()
                .map(|(system, lines, percentage)| {
                    json!({"system": system, "lines": lines, "percentage": percentage})
                })
                .collect();
            let all = json!({
                "parts": rows,
                "kernel_lines": kernel,
                "paravirtual_lines": paravirtual,
                "native_lines": of(Kind::Native),
                "percentage": (percentage * 100.0).round() / 100.0,
                "reported": reported,
            });
            println!("{all:#}");
            return Ok(());
        }
        let mut rows = table::new(&["part", "kind", "lines", ""]);
        for part in &parts {
            let lines = names::grouped(part.lines as u64);
            rows.add_row([part.name, part.kind.name(), &lines, &part.note]);
        }
        println!("{}", table::text(&rows));
        println!(
            "paravirtual: {} of {} lines of the kernel, {percentage:.2} %",
            names::grouped(paravirtual as u64),
            names::grouped(kernel as u64)
        );
        for (system, lines, percentage) in REPORTED {
            println!("{system}: {} lines, {percentage:.2} %", names::grouped(lines as u64));
        }
        println!(
            "Lines of code, both architectures' together: without blank lines, comments, documentation and tests. A small kernel has a large percentage: the lines compare, the percentages do not."
        );
        Ok(())
    }
}

/// The parts of the kernel in `folder`.
fn parts(folder: &Path) -> Result<Vec<Part>> {
    let read = |file: &str| Module::read(&folder.join(file)).context("the guest kernel");
    let without_tests = |mut module: Module| {
        for name in TESTS {
            module.take(name);
        }
        module
    };
    let part = |name, kind, lines, note: &str| Part { name, kind, lines, note: note.into() };
    let core = without_tests(read("core/src/lib.rs")?);
    let mut image = read("src/main.rs")?;
    let mut beginning = Vec::new();
    for name in DEMONSTRATION {
        if let Some(mut demonstration) = image.take(name) {
            beginning.extend(BEGINNING.iter().filter_map(|name| demonstration.take(name)));
        }
    }
    let paravirtual = image.take(PARAVIRTUAL).map(without_tests);
    let mut runtime = read("runtime/src/lib.rs")?;
    let users: Vec<&Module> = paravirtual.iter().chain([&image]).chain(&beginning).collect();
    let used = used::used("pv_guest", &runtime, &users);
    ensure!(!used.is_empty(), "the kernel uses nothing of its library: is src/main.rs whole?");
    let all: Vec<String> = runtime.below.iter().map(|module| module.name.clone()).collect();
    let unused: Vec<String> = all.into_iter().filter(|name| !used.contains(name)).collect();
    for name in &unused {
        runtime.take(name);
    }
    let note = if unused.is_empty() {
        "all of it".to_owned()
    } else {
        format!("without what the kernel does not use: {}", unused.join(", "))
    };
    let mut parts = vec![
        part("core", Kind::Shared, core.lines(), "files, memory, processes, system calls"),
        part("image", Kind::Shared, image.lines(), "without the demonstration"),
    ];
    if let Some(platform) = &paravirtual {
        parts.push(part(
            "src/paravirtual",
            Kind::Paravirtual,
            platform.lines(),
            "the platform under Paravane",
        ));
    }
    parts.push(part(
        "src/kernel",
        Kind::Paravirtual,
        beginning.iter().map(Module::lines).sum(),
        "where programs begin; the rest is the demonstration",
    ));
    parts.push(Part { name: "runtime", kind: Kind::Paravirtual, lines: runtime.lines(), note });
    if folder.join("native").is_dir() {
        let native = without_tests(read("native/src/main.rs")?);
        parts.push(part(
            "native",
            Kind::Native,
            native.lines(),
            "the platform on the bare machine, in place of what is paravirtual; not counted",
        ));
    }
    let bare_machine = folder.join("../pv-hypervisor/bare-machine/src/lib.rs");
    if bare_machine.is_file() {
        parts.push(part(
            "bare-machine",
            Kind::Native,
            without_tests(Module::read(&bare_machine).context("the bare machine")?).lines(),
            "boot, devices and traps, below it and below the hypervisor alike; not counted",
        ));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_of_this_tree_is_counted() {
        let parts = parts(&workspace::root().join("pv-guest-kernel")).expect("it is there");
        let lines = |name: &str| {
            let part = parts.iter().find(|part| part.name == name).expect(name);
            part.lines
        };
        assert!(lines("core") > 3000, "{}", lines("core"));
        assert!((500..5000).contains(&lines("runtime")), "{}", lines("runtime"));
        assert!(lines("image") > 0);
    }

    #[test]
    fn tests_and_the_demonstration_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("core/src/lib.rs", "mod a;\nmod machine_test;\n#[cfg(test)]\nmod tests;\n");
        write("core/src/machine_test/mod.rs", "fn f() {}\n");
        write("core/src/a.rs", "fn f() {\n}\n#[cfg(test)]\nmod tests {\n fn g() {}\n}\n");
        write("src/main.rs", "mod kernel;\nmod paravirtual;\nfn main() {}\n");
        write("src/kernel/mod.rs", "mod programs;\nuse pv_guest::grants;\n");
        write("src/kernel/programs.rs", "use pv_guest::time;\nfn f() {}\n");
        write("src/paravirtual/mod.rs", "use pv_guest::calls;\nfn f() {}\n");
        write("runtime/src/lib.rs", "mod calls;\nmod grants;\nmod start;\nmod time;\n");
        write("runtime/src/time.rs", "fn f() {}\n");
        write("runtime/src/calls.rs", "fn f() {}\n");
        write("runtime/src/grants.rs", "fn f() {}\nfn g() {}\n");
        write("runtime/src/start.rs", "fn f() {}\n");
        let parts = parts(folder.path()).expect("counted");
        let lines: Vec<_> = parts.iter().map(|part| (part.name, part.lines)).collect();
        assert_eq!(
            lines,
            [
                ("core", 2 + 2),
                ("image", 3),
                ("src/paravirtual", 2),
                ("src/kernel", 2),
                ("runtime", 4 + 1 + 1 + 1)
            ]
        );
        assert!(parts[4].note.ends_with(": grants"), "{}", parts[3].note);
    }
}
