//! One name everywhere: a call has the same name in each of its homes, and nothing else
//! lives there.

use super::Findings;
use anyhow::{Context, Result};
use hypercall_abi::Number;
use std::collections::BTreeSet;
use std::path::Path;

/// Where every call has a file of its name: folder, ending, what the file is.
const HOMES: [(&str, &str, &str); 5] = [
    ("hypercall-abi/src/calls", "rs", "its arguments"),
    ("pv-hypervisor/core/src/calls", "rs", "its checks and its effect"),
    ("spec/src/calls", "md", "its page in the book"),
    ("tests/conformance/src/calls", "rs", "its tests"),
    ("fuzz/fuzz_targets/calls", "rs", "its fuzz target"),
];

/// Checks every home.
pub fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let names: BTreeSet<&str> = Number::ALL.iter().map(|number| number.name()).collect();
    for (folder, ending, what) in HOMES {
        let path = root.join(folder);
        let mut found = BTreeSet::new();
        let entries = std::fs::read_dir(&path)
            .with_context(|| format!("{folder} is not there: every call has {what} in it"))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(stem) = name.strip_suffix(&format!(".{ending}"))
                && stem != "mod"
            {
                found.insert(stem.to_owned());
            }
        }
        findings.errors.extend(compare(folder, ending, what, &names, &found));
    }
    Ok(())
}

fn compare(
    folder: &str,
    ending: &str,
    what: &str,
    names: &BTreeSet<&str>,
    found: &BTreeSet<String>,
) -> Vec<String> {
    let missing = names.iter().filter(|name| !found.contains(**name));
    let missing = missing.map(|name| {
        format!("{folder}/{name}.{ending} is not there: call {name} must have {what} in it")
    });
    let extra = found.iter().filter(|name| !names.contains(name.as_str()));
    let extra = extra.map(|name| {
        format!(
            "{folder}/{name}.{ending} is of no call: name it like one of hypercall_abi::Number, or move it elsewhere"
        )
    });
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_extra_files_are_named() {
        let names = BTreeSet::from(["pt_pin", "batch"]);
        let found = BTreeSet::from(["pt_pin".to_owned(), "pt_pinn".to_owned()]);
        let errors = compare("spec/src/calls", "md", "its page", &names, &found);
        assert_eq!(errors.len(), 2);
        assert!(errors[0].starts_with("spec/src/calls/batch.md is not there"));
        assert!(errors[1].starts_with("spec/src/calls/pt_pinn.md is of no call"));
    }
}
