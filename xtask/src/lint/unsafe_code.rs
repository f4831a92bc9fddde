//! Where unsafe code may stand: nowhere, except in a module that says why, and then with
//! the reason for each block.

use super::{Findings, Source};
use std::path::Path;

/// Crates that forbid it altogether: the root file, and the attribute that it must have.
const FORBIDDING: [(&str, &str); 7] = [
    ("hypercall-abi/src/lib.rs", "#![cfg_attr(not(feature = \"stubs\"), forbid(unsafe_code))]"),
    ("pv-hypervisor/core/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("pv-hypervisor/bundle/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("pv-hypervisor/wire/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("balloon/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("tests/conformance/src/lib.rs", "#![forbid(unsafe_code)]"),
    ("xtask/src/main.rs", "#![forbid(unsafe_code)]"),
];

/// Lines above a block in which its reason is looked for.
const REACH: usize = 12;

/// Checks every file.
pub fn check(root: &Path, sources: &[Source], findings: &mut Findings) {
    for (file, attribute) in FORBIDDING {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        if !text.lines().any(|line| line.trim() == attribute) {
            findings.errors.push(format!("{file} must have `{attribute}`: put it below its `//!`"));
        }
    }
    for source in sources.iter().filter(|source| !source.path.starts_with("xtask/src/lint")) {
        findings.errors.extend(
            file(&source.text)
                .into_iter()
                .map(|(line, error)| format!("{}:{line}: {error}", source.path.display())),
        );
    }
}

/// What is wrong in one file: the line, from 1, and the error.
fn file(text: &str) -> Vec<(usize, &'static str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut errors = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("//") {
            continue;
        }
        if line.contains("allow(unsafe_code") {
            let attribute = lines[index..].iter().take(4).copied().collect::<Vec<_>>().concat();
            let attribute = attribute.split_once(']').map_or(attribute.as_str(), |(text, _)| text);
            if !attribute.contains("reason") {
                errors.push((
                    index + 1,
                    "unsafe code is allowed without a reason: write `#![allow(unsafe_code, reason = \"...\")]`",
                ));
            }
        }
        let block = line.contains("unsafe {") || line.contains("unsafe impl");
        if block && !has_reason(&lines, index) {
            errors.push((
                index + 1,
                "unsafe code without its reason: put `// SAFETY:` and why it is sound above it",
            ));
        }
    }
    errors
}

/// Whether `// SAFETY:` stands on the line or above it, with nothing between but the rest of
/// the comment, attributes and the beginning of the same statement.
fn has_reason(lines: &[&str], index: usize) -> bool {
    if lines[index].contains("// SAFETY:") {
        return true;
    }
    for line in lines[..index].iter().rev().take(REACH) {
        if line.starts_with("// SAFETY:") {
            return true;
        }
        let ended = line.ends_with(';') || line.ends_with('}') || line.is_empty();
        if ended && !line.starts_with("//") {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_need_their_reason() {
        let good = "// SAFETY: it is mapped.\nlet x = unsafe { read(p) };\n";
        assert!(file(good).is_empty());
        let spread = "// SAFETY: it is\n// mapped.\nlet x =\n    unsafe { read(p) };\n";
        assert!(file(spread).is_empty());
        assert_eq!(file("let y = 1;\nlet x = unsafe { read(p) };\n")[0].0, 2);
        let other = "// SAFETY: for the other.\nunsafe { a() };\nunsafe { b() };\n";
        assert_eq!(file(other)[0].0, 3);
        assert_eq!(file("unsafe impl Sync for X {}\n").len(), 1);
    }

    #[test]
    fn modules_that_allow_it_say_why() {
        assert!(file("#![allow(unsafe_code, reason = \"registers\")]\n").is_empty());
        assert!(file("#![allow(\n    unsafe_code,\n    reason = \"registers\"\n)]\n").is_empty());
        assert_eq!(file("#![allow(unsafe_code)]\n").len(), 1);
        assert_eq!(file("#[allow(unsafe_code)]\n#[doc = \"reason\"]\n").len(), 1);
    }
}
