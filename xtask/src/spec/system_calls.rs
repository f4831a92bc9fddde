//! The page of the system calls that the guest kernel answers, and of its limits: numbers from its
//! table of calls, what it says of each where it serves them, and what its settings come to.

use super::Page;
use crate::build::read;
use crate::names;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use kernel_core::settings::{Settings, heap_pages};
use kernel_core::{Machine, PAGE, calls::Call};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// The folder of the calls, and the file that says what serves each.
const CALLS: &str = "pv-guest-kernel/core/src/calls";
const DISPATCH: &str = "dispatch.rs";

/// What serves some calls.
struct Served {
    calls: Vec<String>,
    module: String,
    function: String,
}

/// The page.
pub fn page() -> Result<Page> {
    let folder = workspace::root().join(CALLS);
    let served = served(&text(&folder.join(DISPATCH))?);
    let mut text = render(&served, |module| text(&folder.join(format!("{module}.rs"))))?;
    text.push_str(&limits());
    Ok(Page { path: workspace::root().join("spec/src/system-calls.md"), text })
}

fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

/// What serves calls: lines such as `Call::Fsync | Call::Fdatasync => sizes::fsync,`, which may be
/// broken.
fn served(dispatch: &str) -> Vec<Served> {
    let mut served = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    let mut words = dispatch.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match word.strip_prefix("Call::") {
            Some(call) => calls.push(call.to_owned()),
            None if word == "=>" => {
                words.next_if_eq(&"{");
                let target = words.peek().map(|word| word.trim_end_matches(','));
                let target = target.and_then(|target| target.split_once("::"));
                if let Some((module, function)) = target.filter(|_| !calls.is_empty()) {
                    let calls = std::mem::take(&mut calls);
                    served.push(Served { calls, module: module.into(), function: function.into() });
                }
                calls.clear();
            }
            None if word == "|" => {}
            None => calls.clear(),
        }
    }
    served
}

/// The first paragraph of what a module says of a function of its own.
fn remark(module: &str, function: &str) -> Option<String> {
    let lines: Vec<&str> = module.lines().collect();
    let starts = [format!("fn {function}<"), format!("fn {function}(")];
    let at = lines.iter().position(|line| starts.iter().any(|start| line.contains(start)))?;
    let attributes = |line: &&&str| line.starts_with("#[");
    let above = lines[..at].iter().rev().skip_while(attributes);
    let mut text: Vec<&str> =
        above.map_while(|line| line.strip_prefix("///").map(str::trim)).collect();
    text.reverse();
    let end = text.iter().position(|line| line.is_empty()).unwrap_or(text.len());
    (end > 0).then(|| text[..end].join(" "))
}

/// Mebibytes of memory for which the limits are shown.
const SIZES: [u64; 5] = [16, 32, 64, 256, 1024];

/// A limit: its name, how much it is, and the error of who wants more.
type Limit = (&'static str, fn(&Settings) -> u64, &'static str);

const LIMITS: [Limit; 12] = [
    ("processes", |settings| settings.processes as u64, "`EAGAIN`"),
    (
        "leaves of 2 MiB in the kernel's maps",
        |settings| settings.memory.leaves as u64,
        "out of memory",
    ),
    ("page tables", |settings| settings.memory.tables, "out of memory"),
    ("areas of all processes", |settings| settings.memory.areas as u64, "`ENOMEM`, `EAGAIN`"),
    ("things waited for by `poll`", |settings| settings.waits as u64, "`ENOMEM`"),
    ("bytes of a program's arguments", |settings| settings.arguments as u64, "`E2BIG`"),
    ("pages of files", |settings| settings.files.file_pages, "`ENOSPC`"),
    ("inodes", |settings| settings.files.inodes.into(), "`ENOSPC`"),
    ("bytes of names", |settings| settings.files.name_bytes, "`ENOSPC`"),
    ("open files", |settings| settings.files.open_files.into(), "`ENFILE`"),
    ("pages of pipes", |settings| settings.files.pipe_pages.into(), "smaller pipes"),
    ("bytes of open files of `/proc`", |settings| settings.files.snapshot_bytes as u64, "`ENOMEM`"),
];

/// The limits by memory.
fn limits() -> String {
    let heap = |mib: u64| heap_pages(mib * 256) * PAGE as u64;
    let of = |mib: u64| Settings::for_memory(Machine::X86_64, mib * 256, heap(mib));
    let mut text = String::from(
        "\n## Limits\n\nWhat there may be at most, by the memory of the machine or guest (on x86-64), and what happens to\nwho wants more.\n\n|",
    );
    let row = |text: &mut String, name: &str, cell: &dyn Fn(u64) -> String, last: &str| {
        let cells: Vec<String> = SIZES.iter().map(|mib| cell(*mib)).collect();
        let _ = writeln!(text, "| {name} | {} | {last} |", cells.join(" | "));
    };
    text.pop();
    row(&mut text, "memory", &|mib| format!("{mib} MiB"), "more");
    row(&mut text, "---", &|_| "---:".to_owned(), "---");
    row(&mut text, "KiB of the kernel's heap", &|mib| names::grouped(heap(mib) >> 10), "");
    for (name, get, more) in LIMITS {
        row(&mut text, name, &|mib| names::grouped(get(&of(mib))), more);
    }
    text
}

fn render(served: &[Served], source: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut groups: BTreeMap<&str, Vec<&Served>> = BTreeMap::new();
    for one in served {
        groups.entry(&one.module).or_default().push(one);
    }
    let count: usize = served.iter().map(|one| one.calls.len()).sum();
    let mut page = format!(
        "# System calls and limits\n\nThe calls of Linux for which the [guest kernel](guest-kernel.md) has an answer of its own: {count}, each with\nits number on x86-64 and on riscv64, and what the kernel's source says of it, which is where it differs from\nLinux. All others fail with `ENOSYS`, and the kernel says once which they were. This page is\nwritten by `cargo xtask spec`.\n"
    );
    for (module, group) in groups {
        let text = source(module)?;
        let _ = write!(
            page,
            "\n## `{module}`\n\n| call | x86-64 | riscv64 | what the kernel says |\n|---|---|---|---|\n"
        );
        for one in group {
            let remark = remark(&text, &one.function).with_context(|| {
                format!("{CALLS}/{module}.rs says nothing of {}: document it", one.function)
            })?;
            let remark = remark.replace('|', "\\|").replace("[`", "`").replace("`]", "`");
            for name in &one.calls {
                let call = Call::ALL.iter().find(|call| format!("{call:?}") == *name);
                let call = call.with_context(|| format!("{DISPATCH} names no call by {name}"))?;
                let number = |machine| {
                    call.number(machine).map_or_else(|| "-".to_owned(), |number| number.to_string())
                };
                let (x86_64, riscv64) = (number(Machine::X86_64), number(Machine::Riscv64));
                ensure!((&*x86_64, &*riscv64) != ("-", "-"), "{name} has no number");
                // Most say the name first, which stands there already.
                let own = format!("`{}`.", call.name());
                let remark = remark.strip_prefix(&own).unwrap_or(&remark).trim();
                let _ = writeln!(page, "| `{}` | {x86_64} | {riscv64} | {remark} |", call.name());
            }
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serves_calls_is_found_and_what_is_said_of_it() {
        let dispatch = "match call {\n Call::Read => {\n files::read\n }\n Call::Fsync\n | Call::Sync => sizes::sync,\n _ => return None,\n}";
        let found = served(dispatch);
        let shown: Vec<_> =
            found.iter().map(|one| (one.calls.join(" "), one.function.as_str())).collect();
        assert_eq!(shown, [("Read".to_owned(), "read"), ("Fsync Sync".to_owned(), "sync")]);
        let source = |_: &str| {
            Ok("/// `read`, a |\n/// b.\n///\n/// More.\n#[cold]\npub(super) fn read<P>() {}\n/// Safe.\nfn sync() {}"
                .to_owned())
        };
        let page = render(&found, source).expect("documented");
        assert!(page.contains("of its own: 3,"), "{page}");
        assert!(page.contains("| `read` | 0 | 63 | `read`, a \\| b. |"), "{page}");
        assert!(page.contains("| `fsync` | 74 | 82 | Safe. |"), "{page}");
        let error = render(&found, |_| Ok(String::new())).expect_err("undocumented");
        assert!(error.to_string().contains("document it"), "{error}");
    }

    #[test]
    fn the_kernel_of_this_tree_is_described() {
        let page = page().expect("the kernel is here").text;
        for row in ["| `execve` | 59 | 221 |", "| `open` | 2 | - |", "| `riscv_flush_icache` | - |"]
        {
            assert!(page.contains(row), "{row}");
        }
    }
}
