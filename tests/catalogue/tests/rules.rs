//! Rules of the design that are shown by how the hypervisor is written: what its sources do not
//! contain. Comments are left out of what is searched.

use std::fs;
use std::path::Path;

/// The lines of code below a folder that contain one of these texts: file, line.
fn lines_with(folder: &str, texts: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![catalogue::root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What seeds faults for the tests of the audit is in no image.
                if !path.ends_with("audit/mutations") {
                    folders.push(path);
                }
            } else if matches!(path.extension().and_then(|e| e.to_str()), Some("rs" | "s")) {
                found.extend(lines_of(&path, texts));
            }
        }
    }
    found.sort();
    found
}

/// The same of all that the hypervisor's image is made of, besides the core.
fn image_lines_with(texts: &[&str]) -> Vec<(String, String)> {
    let folders = ["pv-hypervisor/src", "pv-hypervisor/bare-machine/src"];
    folders.into_iter().flat_map(|folder| lines_with(folder, texts)).collect()
}

fn lines_of(path: &Path, texts: &[&str]) -> Vec<(String, String)> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    code.filter(|line| texts.iter().any(|text| line.contains(text)))
        .map(|line| (name.clone(), line.to_owned()))
        .collect()
}

/// What the core can ask of the machine takes frames; an address can only be flushed.
/// Clauses: RULE.2
#[test]
fn the_core_knows_memory_by_frame_number() {
    let path = catalogue::root().join("pv-hypervisor/core/src/machine.rs");
    let found: Vec<String> =
        lines_of(&path, &["VirtAddr"]).into_iter().map(|(_, line)| line).collect();
    let want = [
        "use hypercall_abi::{DomainId, Mfn, VirtAddr};",
        "fn flush_page(&mut self, address: VirtAddr);",
    ];
    assert_eq!(found, want);
    assert!(lines_with("pv-hypervisor/core/src", &["unsafe "]).is_empty());
    assert!(!lines_with("pv-hypervisor/core/src", &["#![forbid(unsafe_code)]"]).is_empty());
}

/// Interrupts are switched on in one place, where the processor sleeps; every gate is one that
/// switches them off, and so does the entry for calls.
/// Clauses: RULE.19
/// Advisories: XSA-303 XSA-446
#[test]
fn interrupts_stay_off() {
    let instructions = ["\"sti", "\"popf", "sti\\n", "set \"sstatus\", STATUS_INTERRUPTS"];
    let on = image_lines_with(&instructions);
    let [(file, line)] = &on[..] else { panic!("{on:?}") };
    assert_eq!(file, "timer.rs");
    assert!(line.contains("\"sti\", \"hlt\", \"cli\""), "{line}");
    let gates = image_lines_with(&["const GATE"]);
    assert!(gates.len() >= 2);
    for (_, line) in gates {
        let kind = line.rsplit("0x").next().unwrap().trim_end_matches(';');
        // Type 14 is an interrupt gate, 15 would be a trap gate.
        let kind = u64::from_str_radix(kind, 16).unwrap();
        assert_eq!(kind >> 8 & 0xf, 14, "{line}");
    }
    let cleared = image_lines_with(&["const CALL_CLEARS"]);
    let [(_, line)] = &cleared[..] else { panic!("{cleared:?}") };
    let mask = line.rsplit("0x").next().unwrap().trim_end_matches(';').replace('_', "");
    assert_eq!(u64::from_str_radix(&mask, 16).unwrap() & 0x200, 0x200, "{line}");
}

/// The core has nothing that two could use at once, and no lock to forget.
/// Clauses: RULE.20
#[test]
fn the_core_is_plain_data() {
    let shared =
        ["Mutex", "RwLock", "Atomic", "Cell<", "static ", "thread_local", "OnceLock", "Rc<"];
    let found = lines_with("pv-hypervisor/core/src", &shared);
    let found: Vec<_> = found.into_iter().filter(|(_, line)| !line.contains("'static ")).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// On riscv64 `lr` and `sc` on a word that a guest keeps writing could fail for ever; single atomic
/// instructions cannot.
/// Clauses: RULE.21
/// Advisories: XSA-295
#[test]
fn nothing_retries_on_shared_words() {
    let retries =
        ["compare_exchange", "compare_and_swap", "fetch_update", "lr.d", "lr.w", "cmpxchg"];
    for found in [image_lines_with(&retries), lines_with("pv-hypervisor/core/src", &retries)] {
        assert!(found.is_empty(), "{found:?}");
    }
    let machine = image_lines_with(&["fetch_or(", "fetch_and(", ".swap("]);
    assert!(machine.iter().filter(|(file, _)| file == "machine.rs").count() >= 3);
}
